package forward_test

import (
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/frame"
)

func TestSilenceEndsAMessageThatIsForwardedThen(t *testing.T) {
	w := newWire(true)
	n := newNode(t, w.setting(), toLink)
	c := dial(t, n.fleet("devices", frame.Spec{Framers: []frame.FramerSpec{{Type: "gap", Gap: "50ms"}},
		Register: &frame.RegisterSpec{Pattern: `LOGIN:(?P<name>\w+)\n`}}), "")
	say(t, c, "LOGIN:a")
	for deadline := time.Now().Add(patience); n.received() < 8; time.Sleep(time.Millisecond) { // the silence begins when it came
		if time.Now().After(deadline) {
			t.Fatal("what was said is not received")
		}
	}
	time.Sleep(100 * time.Millisecond) // the silence that ends it, for a service that looks only when more comes
	began := time.Now()
	say(t, c, "one")
	w.got.count(t, 2)
	if took := time.Since(began); took < 40*time.Millisecond {
		t.Errorf("it came after %v, before silence could end it", took)
	}
	if got := strings.Join(w.got.texts("a"), ""); got != "LOGIN:a\none\n" {
		t.Errorf("got %q", got)
	}
}

func TestAMessageThatDripsInIsForwardedOnceItIsWhole(t *testing.T) {
	w := newWire(true)
	n := newNode(t, w.setting(), toLink)
	c := dial(t, n.fleet("devices", lineSpec), "a")
	long := strings.Repeat("drop by drop ", 200)
	for i := range len(long) {
		if _, err := c.Write([]byte{long[i]}); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			time.Sleep(time.Millisecond) // so that they are pieces
		}
	}
	say(t, c, "")
	w.got.count(t, 2)
	if got := w.got.texts("a")[1]; got != long {
		t.Errorf("got %d bytes, want %d", len(got), len(long))
	}
}

func TestSessionsOfOneNameThatLiveBesideEachOtherDoNotWait(t *testing.T) {
	w := newWire(true)
	n := newNode(t, w.setting(), toLink)
	addr := n.fleet("devices", lineSpec)
	first := dial(t, addr, "a")
	second := dial(t, addr, "a")
	say(t, second, "of the second")
	w.got.count(t, 3)
	say(t, first, "of the first")
	w.got.count(t, 4)
	say(t, second, "again")
	w.got.count(t, 5)
}

func TestWhatIsLeftOfAMessageAtTheEndIsForwardedAsCut(t *testing.T) {
	s := newSite(t, nil)
	n := newNode(t, setting{}, toSite(s))
	c := dial(t, n.fleet("devices", lineSpec), "a")
	if _, err := c.Write([]byte("half a li")); err != nil {
		t.Fatal(err)
	}
	c.Close()
	o := s.got.count(t, 2)[1]
	if o.text() != "half a li" || len(o.Flags) != 1 || o.Flags[0] != "cut" {
		t.Errorf("got %q with flags %q", o.text(), o.Flags)
	}
	n.status("hook", "idle", isIdle)
}
