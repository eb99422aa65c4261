package hub_test

import (
	"io"
	"slices"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/echo"
	"github.com/switchboard-relay/switchboard/session"
)

// awaitEnds takes what ended until it is n sessions, not counting one.
func awaitEnds(t *testing.T, e *hub.Endings, n int, but session.ID) (list []*hub.Session) {
	t.Helper()
	take := func() []*hub.Session {
		return slices.DeleteFunc(e.Take(), func(s *hub.Session) bool { return s.ID() == but })
	}
	for deadline := time.Now().Add(20 * time.Second); len(list) < n; list = append(list, take()...) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions ended; want %d", len(list), n)
		}
	}
	return list
}

// awaitEnded waits until so many sessions have ended since the node began.
func (n *node) awaitEnded(want uint64) {
	n.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); n.Counts().Ended < want; {
		if time.Now().After(deadline) {
			n.t.Fatalf("%d sessions ended; want %d", n.Counts().Ended, want)
		}
	}
}

func TestWhoFollowsEndingsGetsEachSessionThatEndsOnceItIsNotLive(t *testing.T) {
	n := newNode(t)
	addr := n.listen(hub.ListenerConfig{Name: "echo"}, &echo.Service{Plain: true})
	before := dial(t, addr)
	first := n.only(session.Live).ID
	before.Close()
	n.awaitEnded(1)
	e := n.FollowEndings(100) // who follows while it is told of hears of it, or does not
	for range 3 {
		c := dial(t, addr)
		io.WriteString(c, "abc")
		io.ReadFull(c, make([]byte, 3))
		c.Close()
	}
	for _, s := range awaitEnds(t, e, 3, first) {
		sum := s.Summary()
		end := s.Ended()
		if end == nil || end.Cause != session.HungUp && end.Cause != session.Reset || sum.ReceivedBytes != 3 ||
			sum.SentBytes != 3 {
			t.Errorf("ended as %v with %+v", end, sum.Totals)
		}
		n.EachLive(func(live *hub.Session) bool {
			if live == s {
				t.Errorf("%s is told to have ended, and is live", s.ID())
			}
			return true
		})
	}
	if c := n.Counts(); c.Live != 0 || c.Opened != 4 || c.Ended != 4 || c.Received != 9 || c.Sent != 9 {
		t.Errorf("counts %+v", c)
	}
	e.Close()
	dial(t, addr).Close()
	n.awaitEnded(5)
	if list := e.Take(); len(list) != 0 {
		t.Errorf("closed, and told of %d more", len(list))
	}
}

func TestOfTooManyEndingsTheOldestAreForgotten(t *testing.T) {
	n := newNode(t)
	e := n.FollowEndings(10)
	defer e.Close()
	addr := n.listen(hub.ListenerConfig{Name: "echo"}, &echo.Service{Plain: true})
	var last session.ID
	for i := range 25 {
		c := dial(t, addr)
		last = n.only(session.Live).ID
		c.Close()
		n.awaitEnded(uint64(i + 1))
	}
	var list []*hub.Session
	for !slices.ContainsFunc(list, func(s *hub.Session) bool { return s.ID() == last }) {
		list = append(list, e.Take()...)
	}
	if len(list) > 10 {
		t.Errorf("%d sessions were kept; want 10 at most", len(list))
	}
}

func TestASessionTellsItsTotalsNameAndWatchers(t *testing.T) {
	n := newNode(t)
	c := dial(t, n.listen(hub.ListenerConfig{Name: "echo"}, &echo.Service{Plain: true}))
	io.WriteString(c, "abc")
	io.ReadFull(c, make([]byte, 3))
	sum := n.only(session.Live)
	events, err := n.Events(t.Context(), sum.ID, 2)
	if err != nil || events.Position() != 2 {
		t.Fatalf("events from 2: position %d, %v", events.Position(), err)
	}
	defer events.Close()
	n.EachLive(func(s *hub.Session) bool {
		s.SetName("ada")
		want := session.Totals{ReceivedBytes: 3, ReceivedEvents: 1, SentBytes: 3, SentEvents: 1}
		if s.Totals() != want || s.Name() != "ada" || s.Watchers() != 1 {
			t.Errorf("%+v, %q, %d watchers", s.Totals(), s.Name(), s.Watchers())
		}
		return true
	})
}
