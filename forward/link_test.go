package forward_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/forward"
)

func TestTheLinkGetsEveryMessageAsTheContractSays(t *testing.T) {
	w := newWire(true)
	n := newNode(t, w.setting(), toLink)
	c := dial(t, n.fleet("devices", lineSpec), "860")
	say(t, c, "hello")
	w.got.count(t, 2)
	w.mu.Lock()
	got := w.raw.String()
	w.mu.Unlock()
	want := `{"data":{"type":"Buffer","data":[76,79,71,73,78,58,56,54,48]},"connections":1,"imei":"860"}
{"data":{"type":"Buffer","data":[104,101,108,108,111]},"connections":1,"imei":"860"}
`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestEachDevicesMessagesComeInOrderThroughReconnects(t *testing.T) {
	w := newWire(true)
	n := newNode(t, w.setting(), toLink)
	addr := n.fleet("devices", lineSpec)
	const devices, rounds, each = 50, 5, 20
	var names []string
	var talking sync.WaitGroup
	for i := range devices {
		name := fmt.Sprintf("d%03d", i)
		names = append(names, name)
		talking.Go(func() {
			for round := range rounds {
				c := dial(t, addr, name)
				for k := range each {
					say(t, c, numbered(name, round*each+k))
				}
				settle(t, c, "SYNC")
				c.Close()
			}
		})
	}
	talking.Wait()
	list := w.got.count(t, devices*rounds*(each+2))
	checkNumbered(t, list, names, rounds*each, false)
	n.status("web", "idle", isIdle)
}

func TestATargetThatWasAwayGetsAllThatWasSaidMeanwhile(t *testing.T) {
	w := newWire(false)
	n := newNode(t, w.setting(), toLink)
	addr := n.fleet("devices", lineSpec)
	var names []string
	for i := range 20 {
		name := fmt.Sprintf("d%03d", i)
		names = append(names, name)
		c := dial(t, addr, name)
		for k := range 50 {
			say(t, c, numbered(name, k))
		}
		if i%2 == 0 {
			c.Close() // its recording is sealed meanwhile
		}
	}
	n.status("web", "waiting", func(s device.ForwardStatus) bool { return s.State == "waiting" && s.Devices == 20 && s.Error != "" })
	w.connect()
	checkNumbered(t, w.got.count(t, 20*51), names, 50, false)
	s := n.status("web", "idle", isIdle)
	if s.Delivered != 20*51 || s.Error != "" {
		t.Errorf("got %+v; want 1020 delivered and no error", s)
	}
}

func TestAStuckTargetHoldsNoDeviceUp(t *testing.T) {
	w := newWire(true)
	w.block = make(chan struct{})
	n := newNode(t, w.setting(), toLink)
	c := dial(t, n.fleet("devices", lineSpec), "a")
	for k := range 20_000 {
		say(t, c, numbered("a", k))
	}
	say(t, c, "end")
	for { // the device is read, whatever the target does
		if d := n.received(); d > 20_000*9 {
			break
		}
	}
	if got := len(w.got.all()); got != 0 {
		t.Fatalf("got %d messages of a target that takes none", got)
	}
	close(w.block)
	list := w.got.count(t, 20_002)
	checkNumbered(t, list[:20_001], []string{"a"}, 20_000, false)
}

func (n *node) received() (bytes uint64) {
	for _, s := range n.live() {
		bytes += s.Totals().ReceivedBytes
	}
	return bytes
}

func TestARestartGoesOnWhereTheForwardWas(t *testing.T) {
	w := newWire(true)
	with := w.setting()
	with.dir = t.TempDir()
	n := newNode(t, with, toLink)
	c := dial(t, n.fleet("devices", lineSpec), "a")
	for k := range 100 {
		say(t, c, numbered("a", k))
	}
	w.got.count(t, 101)
	n.status("web", "idle", isIdle)
	w.cut()
	for k := range 100 {
		say(t, c, numbered("a", 100+k))
	}
	n.status("web", "behind by 100 messages", func(s device.ForwardStatus) bool { return s.Bytes == 900 })
	n.stop()
	w.connect()
	n = newNode(t, with, toLink)
	c = dial(t, n.fleet("devices", lineSpec), "a")
	for k := range 100 {
		say(t, c, numbered("a", 200+k))
	}
	list := w.got.count(t, 302)
	checkNumbered(t, list, []string{"a"}, 300, false)
	n.status("web", "idle", isIdle)
}

func TestHeartbeatsAreLeftOutUnlessAskedFor(t *testing.T) {
	for _, asked := range []bool{false, true} {
		w := newWire(true)
		conf := toLink
		conf.Heartbeats, conf.NoRegistrations, conf.IDs = asked, true, true
		n := newNode(t, w.setting(), conf)
		c := dial(t, n.fleet("devices", lineSpec), "a")
		say(t, c, "PING")
		say(t, c, "data")
		list := w.got.await(t, "data", func(l []object) bool { return len(l) > 0 && l[len(l)-1].text() == "data" })
		got := strings.Join(w.got.texts("a"), " ")
		if want := map[bool]string{false: "data", true: "PING data"}[asked]; got != want {
			t.Errorf("heartbeats: %v: got %q, want %q", asked, got, want)
		}
		if last := list[len(list)-1]; !strings.HasSuffix(last.ID, "-n1:13") {
			t.Errorf("got id %q; want the session's and 13, where the message begins", last.ID)
		}
	}
}

func TestPauseAndResume(t *testing.T) {
	w := newWire(true)
	n := newNode(t, w.setting(), toLink)
	c := dial(t, n.fleet("devices", lineSpec), "a")
	w.got.count(t, 1)
	n.status("web", "idle", isIdle) // else what comes may be read with it
	if found, err := n.forwards.Pause("web"); !found || err != nil {
		t.Fatalf("pause: %v, %v", found, err)
	}
	say(t, c, "meanwhile")
	n.status("web", "stopped", func(s device.ForwardStatus) bool { return s.State == "stopped" && s.Devices == 1 })
	if found, _ := n.forwards.Pause("nobody"); found {
		t.Error("a forward that there is not was paused")
	}
	if got := len(w.got.all()); got != 1 {
		t.Errorf("got %d messages while it was paused, want 1", got)
	}
	n.forwards.Resume("web")
	w.got.count(t, 2)
}

func TestANewForwardBeginsWithWhatComesFromNowOn(t *testing.T) {
	w := newWire(true)
	n := newNode(t, w.setting())
	addr := n.fleet("devices", lineSpec)
	c := dial(t, addr, "a")
	say(t, c, "before")
	for n.received() < 15 {
	}
	beginning := toLink
	beginning.Name, beginning.Beginning = "all", true
	check(t, n.forwards.Configure([]forward.Config{toLink}))
	say(t, c, "behind")
	w.got.count(t, 1)
	n.status("web", "idle", isIdle)
	if got := w.got.texts("a"); len(got) != 1 || got[0] != "behind" {
		t.Errorf("got %q, want what came behind the reload alone", got)
	}
	check(t, n.forwards.Configure([]forward.Config{beginning}))
	w.got.count(t, 4)
	if got := strings.Join(w.got.texts("a")[1:], " "); got != "LOGIN:a before behind" {
		t.Errorf("from the beginning: got %q", got)
	}
}
