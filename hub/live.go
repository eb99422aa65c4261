package hub

import (
	"slices"
	"sync"

	"github.com/switchboard-relay/switchboard/session"
)

// EachLive calls f for every live session, in no order and under no lock, until it returns false. It is for those who
// look at all of them often: what a Session tells by itself costs less than its Summary.
func (h *Hub) EachLive(f func(*Session) bool) { h.live.each(f) }

// Keep is Session.Keep of the live session of an id. ErrNotLive if there is none on this node.
func (h *Hub) Keep(id session.ID) (release func(), err error) {
	if s := h.live.get(id); s != nil {
		return s.Keep()
	}
	return nil, ErrNotLive
}

// Name is the session's newest name, empty if it has none.
func (s *Session) Name() string {
	if name := s.name.Load(); name != nil {
		return *name
	}
	return ""
}

// Totals counts what passed.
func (s *Session) Totals() session.Totals {
	t := s.log.Totals()
	if s.box.Load() != nil {
		pending := s.delivered().pending
		t.SentBytes += pending.Bytes
		t.SentEvents += pending.Messages
	}
	return t
}

// Watchers is how many follow the session now.
func (s *Session) Watchers() int { return s.log.Watchers() }

// Counts are those of Stats that cost nothing to ask for.
type Counts struct {
	Live     int
	Opened   uint64
	Ended    uint64
	Received uint64 // bytes of ended sessions
	Sent     uint64
}

// Counts counts what this node did.
func (h *Hub) Counts() Counts {
	c := Counts{Live: h.live.len(), Opened: h.opened.Load(), Received: h.received.Load(), Sent: h.sent.Load()}
	for i := range h.ended {
		c.Ended += h.ended[i].Load()
	}
	return c
}

// Endings are the sessions that ended since somebody began to follow them.
type Endings struct {
	hub  *Hub
	most int

	mu   sync.Mutex
	list []*Session
}

// FollowEndings begins to keep ended sessions for the caller, who takes them, and closes the Endings in the end. Where
// more than most wait to be taken, the oldest are forgotten. A session is among them once it is not live any more.
func (h *Hub) FollowEndings(most int) *Endings {
	e := &Endings{hub: h, most: most}
	h.changeFollowers(func(list []*Endings) []*Endings { return append(list, e) })
	return e
}

// Take returns what has ended since it was last called, the oldest first. Ended says how.
func (e *Endings) Take() []*Session {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.list
	e.list = nil
	return list
}

// Close ends the following.
func (e *Endings) Close() {
	e.hub.changeFollowers(func(list []*Endings) []*Endings {
		return slices.DeleteFunc(list, func(other *Endings) bool { return other == e })
	})
}

func (e *Endings) add(s *Session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.list) >= e.most {
		n := copy(e.list, e.list[len(e.list)/2+1:])
		clear(e.list[n:])
		e.list = e.list[:n]
	}
	e.list = append(e.list, s)
}

func (h *Hub) changeFollowers(change func([]*Endings) []*Endings) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []*Endings
	if now := h.followers.Load(); now != nil {
		list = slices.Clone(*now)
	}
	list = change(list)
	h.followers.Store(&list)
}

// tellEnded hands a session that is not live any more to those who follow.
func (h *Hub) tellEnded(s *Session) {
	if list := h.followers.Load(); list != nil {
		for _, e := range *list {
			e.add(s)
		}
	}
}

// Session is a session that is live on this node, nil if there is none of the id.
func (h *Hub) Session(id session.ID) *Session { return h.live.get(id) }
