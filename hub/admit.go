package hub

import (
	"net"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Admit makes a session of a connection that somebody else runs: who moves its bytes says so by the Record methods, and the
// session ends when it is ended, by whomever; its connection is closed then. An error says which limit refused it.
func (l *Listener) Admit(conn transport.Conn) (*Session, error) {
	if l.closed.Load() {
		return nil, net.ErrClosed
	}
	l.hub.sockets.take()
	s, err := l.hub.open(l, conn, true)
	if err != nil {
		l.hub.sockets.release(conn)
		l.refuse(err)
		return nil, err
	}
	if l.idle() > 0 {
		s.watchIdle()
	}
	return s, nil
}

// Handle makes a session of a connection that was accepted elsewhere, and serves it as Serve does. It does not wait.
func (l *Listener) Handle(conn transport.Conn) {
	l.hub.sockets.take()
	if l.closed.Load() {
		conn.Close()
		l.hub.sockets.release(conn)
		return
	}
	if s := l.admit(conn); s != nil {
		go s.attend(*l.svc.Load()) // hub.Shutdown waits for it
	}
}

// watchIdle ends the session when it has been silent for too long, where nobody waits with a deadline.
func (s *Session) watchIdle() {
	limit := s.listener.idle()
	var timer *time.Timer
	timer = time.AfterFunc(limit, func() {
		limit := s.listener.idle()
		if left := limit - s.quietFor(); limit > 0 && left <= 0 {
			s.end(session.End{Cause: session.Idle})
		} else if s.over.Load() == nil {
			timer.Reset(max(left, time.Second))
		}
	})
	s.OnEnd(func() { timer.Stop() })
}

// RecordReceived records what the far end sent, as one event. It waits where the listener says record: strict, and while the
// recorder lags.
func (s *Session) RecordReceived(p []byte) error {
	number, err := s.log.Append(session.Received, p)
	if err == nil {
		err = s.awaitStrict(number)
	}
	if err != nil {
		return s.ended(err)
	}
	return nil
}

// RecordSent records what is sent to the far end, as one event.
func (s *Session) RecordSent(p []byte) error {
	if _, err := s.log.Append(session.Sent, p); err != nil {
		return s.ended(err)
	}
	return nil
}

// RecordUpgraded records that the connection goes on over another transport.
func (s *Session) RecordUpgraded(transport string) { s.log.Append(session.Upgraded, []byte(transport)) }

// RecordDelivered notes messages of a room that were sent, as Deliver does.
func (s *Session) RecordDelivered(ref session.RoomRef) {
	o := s.box.Load()
	o.mu.Lock()
	s.delivers(o, ref)
	o.mu.Unlock()
	if s.log.Watchers() > 0 {
		s.flushDelivery()
	}
}

// Ended is how the session ended, nil if it has not.
func (s *Session) Ended() *session.End { return s.over.Load() }

// Speaker is a connection that makes packets of its own of what an operator sends, and records them.
type Speaker interface {
	Speak(p []byte) error
}
