package source_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/source"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// kicking is somebody who waits for the answer to a kick.
type kicking struct {
	done   chan struct{}
	answer threeend.Answer
	err    error
}

func (h *house) kick(text, by string) *kicking {
	k := &kicking{done: make(chan struct{})}
	go func() {
		defer close(k.done)
		k.answer, k.err = h.sources.Kick(context.Background(), ref(text), by, "maintenance")
	}()
	return k
}

func (k *kicking) wait(t testing.TB) *kicking {
	t.Helper()
	await(t, k.done, "the answer to a kick")
	return k
}

// viewed opens a session that is viewed until the test ends.
func (h *house) viewed(id string) (*hub.Session, *line) {
	h.t.Helper()
	o := h.open(h.t.Context(), "ssh:"+id)
	l := h.origin.next(false, id)
	l.show("x")
	return o.opened(), l
}

func TestAKickIsTheSourcesAndSaysWhoDidIt(t *testing.T) {
	for _, order := range []string{"the view first", "the kick first"} {
		t.Run(order, func(t *testing.T) {
			h := newHouse(t, nil)
			s, view := h.viewed("42")
			k := h.kick("ssh:42", "grace")
			l := h.origin.next(true, "42")
			lines := []*line{view, l}
			if order == "the kick first" {
				l.say(threeend.AppendFrame(nil, threeend.Display, []byte("passed over")))
				lines = []*line{l, view}
			}
			lines[0].say([]byte{'3'})
			if order == "the kick first" {
				k.wait(t)
			} else {
				ended(t, s)
			}
			lines[1].say([]byte{'3'})
			if k.wait(t); k.err != nil || k.answer != threeend.Kicked.Answer() {
				t.Errorf("answered is %+v, %v", k.answer, k.err)
			}
			l.closed()
			end := ended(t, s)
			end.Time = 0
			if want := (session.End{Cause: session.Kicked, By: "grace", Reason: "maintenance", Code: 3,
				Detail: "the source ended it by a kick (code 3)"}); end != want {
				t.Errorf("it ended as %+v; want %+v", end, want)
			}
			if st := h.status(); st.Kicks != 1 {
				t.Errorf("%d kicks are counted", st.Kicks)
			}
		})
	}
}

func TestAKickByIDGoesTheSameWay(t *testing.T) {
	h := newHouse(t, nil)
	s, view := h.viewed("42")
	answered := make(chan *threeend.Answer, 1)
	go func() {
		answer, err := h.hub.KickAnswered(context.Background(), s.ID(), "grace", "maintenance")
		if err != nil {
			t.Error(err)
		}
		answered <- answer
	}()
	l := h.origin.next(true, "42")
	l.say([]byte{'3'})
	if a := await(t, answered, "an answer"); a == nil || *a != threeend.Kicked.Answer() {
		t.Errorf("answered is %+v", a)
	}
	if s.Ended() != nil {
		t.Errorf("the relay ended it: %v", s.Ended())
	}
	view.say([]byte{'3'})
	if end := ended(t, s); end.By != "grace" {
		t.Errorf("it ended as %+v", end)
	}
}

func TestAKickOfWhatNobodyViews(t *testing.T) {
	h := newHouse(t, nil)
	for code, want := range map[byte]threeend.Answer{'3': threeend.Kicked.Answer(), '5': threeend.Over.Answer()} {
		k := h.kick("plant/ssh:1", "grace")
		l := h.origin.next(true, "1")
		l.say([]byte{code})
		if k.wait(t); k.err != nil || k.answer != want {
			t.Errorf("answered is %+v, %v; want %+v", k.answer, k.err, want)
		}
		l.closed()
	}
}

func TestAKickThatIsNotAnsweredLetsTheViewGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(l *line)
		want string
	}{
		"silent": {func(*line) {}, "the source did not answer within 1s"},
		"closed": {func(l *line) { l.Close() }, "the source closed the connection without an answer"},
		"reset":  {func(l *line) { l.cut() }, "the connection to the source broke: connection reset by peer"},
		"bad":    {func(l *line) { l.say([]byte("nonsense")) }, "is no type of a frame"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			s, view := h.viewed("42")
			if name == "silent" {
				h.conf.AnswerTimeout = time.Second
				h.configure(h.conf)
			}
			k := h.kick("ssh:42", "grace")
			c.do(h.origin.next(true, "42"))
			var over *threeend.OverError
			if k.wait(t); !errors.As(k.err, &over) || over.Asked || over.Answer != threeend.Over.Answer() || !strings.Contains(k.err.Error(), c.want) {
				t.Errorf("told is %v; want %s", k.err, c.want)
			}
			view.show("it goes on")
			h.watch(s, "it goes on").Close()
			if len(h.origin.asked) > 0 {
				t.Error("the kick was tried again")
			}
			view.say([]byte{'3'}) // late, but of the kick
			if end := ended(t, s); end.By != "grace" || end.Code != 3 {
				t.Errorf("it ended as %+v", end)
			}
		})
	}
}

func TestWhoKicksWhileItIsKickedSharesTheAnswer(t *testing.T) {
	h := newHouse(t, nil)
	first := h.kick("ssh:42", "grace")
	l := h.origin.next(true, "42")
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := h.sources.Kick(ctx, ref("ssh:42"), "bob", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	var others []*kicking
	for range 10 {
		others = append(others, h.kick("ssh:42", "ada"))
	}
	other := h.kick("ssh:43", "ada") // is another session's
	h.origin.next(true, "43").say([]byte{'5'})
	other.wait(t)
	l.say([]byte{'3'})
	for _, k := range append(others, first) {
		select { // who came behind the answer has asked again
		case again := <-h.origin.asked:
			again.say([]byte{'3'})
		case <-k.done:
		}
		if k.wait(t); k.err != nil || k.answer.Code != 3 {
			t.Errorf("answered is %+v, %v", k.answer, k.err)
		}
	}
}

func TestAViewThatIsNotToldOfTheKickIsEnded(t *testing.T) {
	for code, want := range map[byte]session.End{
		'3': {Cause: session.Kicked, By: "grace", Reason: "maintenance", Code: 3,
			Detail: "the source says so of the kick, and went on showing the session (code 3)"},
		'5': {Cause: session.Done, Code: 5, Detail: "the source says of a kick that there is no such session any more (code 5)"},
	} {
		h := newHouse(t, nil)
		h.sources.LimitGrace(time.Millisecond)
		h.configure() // what is made from now on has the limit
		h.configure(h.conf)
		s, view := h.viewed("42")
		k := h.kick("ssh:42", "grace")
		h.origin.next(true, "42").say([]byte{code})
		k.wait(t)
		end := ended(t, s)
		end.Time = 0
		if end != want {
			t.Errorf("it ended as %+v; want %+v", end, want)
		}
		view.closed()
	}
}

func TestKicksHaveTheirLimit(t *testing.T) {
	h := newHouse(t, func(c *source.Config) { c.MaxSessions = 1 })
	k := h.kick("ssh:1", "grace")
	l := h.origin.next(true, "1")
	if err := kickErr(h, "ssh:2"); !errors.Is(err, threeend.ErrBusy) {
		t.Errorf("the second: %v", err)
	}
	l.say([]byte{'5'})
	k.wait(t)
	h.origin.ln.Close()
	var over *threeend.OverError
	if err := kickErr(h, "ssh:1"); !errors.As(err, &over) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("where nothing listens: %v", err)
	}
}

// A session could be kicked before it was known that this is the source's to do: then it ended here, and went on there.
func TestAKickAtTheFirstMomentIsTheSourcesToo(t *testing.T) {
	h := newHouse(t, nil)
	go func() {
		for l := range h.origin.asked {
			if l.kick {
				l.Write([]byte{'5'}) // it goes on
			} else {
				l.Write(threeend.AppendFrame(nil, threeend.Display, []byte("x")))
			}
		}
	}()
	ctx, stop := context.WithCancel(t.Context())
	var kicking sync.WaitGroup
	kicking.Go(func() {
		for seen := map[*hub.Session]bool{}; ctx.Err() == nil; runtime.Gosched() {
			h.hub.EachLive(func(s *hub.Session) bool {
				if seen[s] {
					return true
				}
				seen[s] = true
				kicking.Go(func() { h.hub.Kick(ctx, s.ID(), "grace", "") })
				return true
			})
		}
	})
	for range 100 {
		s, release, err := h.sources.Open(t.Context(), ref("ssh:42"), "ada")
		if err != nil {
			t.Fatal(err)
		}
		release()
		if end := ended(t, s); end.Cause != session.Done {
			t.Fatalf("it ended as %+v, though its source did not kick it", end)
		}
	}
	stop()
	kicking.Wait()
}
