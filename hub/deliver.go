package hub

import (
	"errors"

	"github.com/switchboard-relay/switchboard/session"
)

// delivery is what a room sent to a session since the last Delivered event. The bytes are on the room's record; the
// session's own refers to them, and does so late: before its next other event, while somebody watches, and at its end.
// The outbox's lock guards it.
type delivery struct {
	at      int64           // Unix µs of the newest, if the listener has an idle limit
	left    bool            // the session is no member any more: nothing is delivered
	pending session.RoomRef // First is 0 when nothing is pending; Session and Last stay those of the newest message
}

// errLeft is what a delivery to one that has left meets.
var errLeft = errors.New("the session has left the room")

// Joined records that the session became a member of a room.
func (s *Session) Joined(ref session.RoomRef) {
	s.openOutbox()
	o := s.box.Load()
	o.mu.Lock()
	o.delivery.left = false
	o.delivery.pending = session.RoomRef{Session: ref.Session, Last: ref.Last}
	o.mu.Unlock()
	s.log.Append(session.Joined, session.JSON(ref))
	s.log.SetBefore(true)
}

// Left records that the session is no member any more, and which message was the last that it was given: whoever
// delivers to it from now on gets an error.
func (s *Session) Left(ref session.RoomRef) {
	o := s.box.Load()
	o.mu.Lock()
	o.delivery.left = true
	ref.Session, ref.Last = o.delivery.pending.Session, o.delivery.pending.Last
	o.mu.Unlock()
	s.flushDelivery()
	s.log.SetBefore(false)
	s.log.Append(session.Left, session.JSON(ref))
}

// Deliver sends messages of a room without waiting. An error means that the session is ending, or has left. The bytes
// are borrowed. One room's calls come one after the other.
func (s *Session) Deliver(joined []byte, ref session.RoomRef) error {
	err := s.delivers(s.box.Load(), ref, func() error { return s.push(joined) })
	if err != nil && err != errLeft {
		s.endWith(err)
		return s.ended(err)
	}
	return err
}

// delivers sends messages by push, and notes them. push is called with o.mu held.
func (s *Session) delivers(o *outbox, ref session.RoomRef, push func() error) error {
	o.mu.Lock()
	if p := &o.delivery.pending; p.First != 0 && p.Session != ref.Session { // the room has begun another recording
		o.mu.Unlock()
		s.flushDelivery()
		o.mu.Lock()
	}
	if o.delivery.left {
		o.mu.Unlock()
		return errLeft
	}
	if err := push(); err == errLost {
		o.mu.Unlock()
		return s.noteLost(o, ref)
	} else if err != nil {
		o.mu.Unlock()
		return err
	}
	s.note(o, ref)
	o.mu.Unlock()
	if s.log.Watchers() > 0 {
		s.flushDelivery()
	}
	return nil
}

// noteLost puts a message on record that could not be sent, behind which nothing else is written before that is said too.
func (s *Session) noteLost(o *outbox, ref session.RoomRef) error {
	s.sendMu.Lock() // sending a datagram does not wait
	defer s.sendMu.Unlock()
	o.mu.Lock()
	if o.delivery.left {
		o.mu.Unlock()
		return errLeft
	}
	s.note(o, ref)
	o.mu.Unlock()
	s.flushDelivery()
	s.unsent(int(ref.Bytes))
	return nil
}

// note adds messages to what is pending; o.mu is held.
func (s *Session) note(o *outbox, ref session.RoomRef) {
	if p := &o.delivery.pending; p.First == 0 {
		*p = ref
	} else {
		p.Last = ref.Last
		p.Messages += ref.Messages
		p.Bytes += ref.Bytes
	}
	if s.listener.idle() > 0 {
		o.delivery.at = now()
	}
}

// delivered is what is pending.
func (s *Session) delivered() (d delivery) {
	if o := s.box.Load(); o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.delivery
	}
	return d
}

// flushDelivery puts what is pending on record. When it returns, no other call has taken it and not yet put it there:
// so the end of a session comes behind its last delivery.
func (s *Session) flushDelivery() {
	o := s.box.Load()
	if o == nil {
		return
	}
	o.flush.Lock()
	defer o.flush.Unlock()
	o.mu.Lock()
	ref := o.delivery.pending
	o.delivery.pending = session.RoomRef{Session: ref.Session, Last: ref.Last}
	o.mu.Unlock()
	if ref.First != 0 {
		s.log.Append(session.Delivered, session.JSON(ref))
	}
}
