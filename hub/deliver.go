package hub

import (
	"sync"
	"sync/atomic"

	"github.com/switchboard-relay/switchboard/session"
)

// delivery is what a room sent to a session since the last Delivered event. The bytes are on the room's record; the
// session's own refers to them, and does so late: before its next other event, while somebody watches, and at its end.
type delivery struct {
	at atomic.Int64 // Unix µs of the newest delivery

	mu      sync.Mutex
	pending session.RoomRef // First is 0 when nothing is pending
	since   int64           // Unix µs of the first that is pending
}

// count adds what is pending.
func (d *delivery) count(t *session.Totals) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.SentBytes += d.pending.Bytes
	t.SentEvents += d.pending.Messages
}

// Joined records that the session became a member of a room.
func (s *Session) Joined(ref session.RoomRef) {
	s.openOutbox()
	s.log.Append(session.Joined, session.JSON(ref))
	s.log.SetBefore(s.flushDelivery)
}

// Left records that the session is no member any more.
func (s *Session) Left(ref session.RoomRef) {
	s.flushDelivery()
	s.log.SetBefore(nil)
	s.log.Append(session.Left, session.JSON(ref))
}

// Deliver sends messages of a room without waiting. An error means that the session is ending. The bytes are borrowed.
func (s *Session) Deliver(joined []byte, ref session.RoomRef) error {
	if err := s.push(joined); err != nil {
		return err
	}
	d := &s.more().delivery
	at := now()
	d.at.Store(at)
	d.mu.Lock()
	if d.pending.First != 0 && d.pending.Session != ref.Session {
		d.mu.Unlock()
		s.flushDelivery()
		d.mu.Lock()
	}
	p := &d.pending
	if p.First == 0 {
		*p, d.since = ref, at
	} else {
		p.Last = ref.Last
		p.Messages += ref.Messages
		p.Bytes += ref.Bytes
	}
	d.mu.Unlock()
	if s.log.Watchers() > 0 {
		s.flushDelivery()
	}
	return nil
}

func (s *Session) flushDelivery() {
	x := s.extra.Load()
	if x == nil {
		return
	}
	d := &x.delivery
	d.mu.Lock()
	ref := d.pending
	d.pending = session.RoomRef{}
	d.mu.Unlock()
	if ref.First != 0 {
		s.log.Append(session.Delivered, session.JSON(ref))
	}
}
