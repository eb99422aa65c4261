package hub

import (
	"errors"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Admit makes a session of a connection that somebody else runs: who moves its bytes says so by the Record methods. The
// session ends when it is ended, by whomever, and its connection is closed then; what it sends last can still be recorded
// until the caller says Finish. An error says which limit refused it; the connection is still the caller's.
func (l *Listener) Admit(conn transport.Conn) (*Session, error) { return l.AdmitAs(conn, About{}) }

// About is what is known of a session before it begins.
type About struct {
	Name     string
	Terminal string // COLSxROWS, if what is sent is the screen of a terminal; else the listener's holds

	// Kick is what kicks of the session go through instead of ending it; nil: a kick ends it at once. It sees to it that the session
	// ends, may wait, and may be called by several goroutines at once, before AdmitAs has returned as well.
	Kick KickFunc

	ID session.ID // that session.NewID made for it, of this node, and for nobody else; empty: a new one
}

// introduce takes what is known of a session, before anybody sees it.
func (s *Session) introduce(about About) {
	if about.ID != "" {
		s.id = about.ID
	}
	if about.Name != "" {
		s.name.Store(&about.Name)
	}
	if about.Terminal != "" {
		s.more().terminal = about.Terminal
	}
	if about.Kick != nil {
		s.more().kick = about.Kick
	}
}

// AdmitAs is Admit of a session of which something is known already.
func (l *Listener) AdmitAs(conn transport.Conn, about About) (*Session, error) {
	err := l.enter()
	if err == nil {
		if err = l.takeSocket(); err != nil {
			l.leave()
		}
	}
	if err != nil {
		l.refuse(err)
		return nil, err
	}
	s, err := l.hub.openEntered(l, conn, owner, about)
	if err != nil {
		l.hub.sockets.release(conn)
		l.refuse(err)
	}
	return s, err
}

// TakeSocket takes a place for a connection that is no session itself, but carries some or goes where they go: release
// gives it back. An error says that there is none.
func (l *Listener) TakeSocket() (release func(), err error) {
	if err := l.takeSocket(); err != nil {
		return nil, err
	}
	return func() { l.hub.sockets.used.Add(-1) }, nil
}

// RefusalText is what an error of Admit may say to whoever was refused, who need not know where recordings lie.
func RefusalText(err error) string {
	for _, known := range []error{errTooMany, errNoSocket, errClosing} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "connections cannot be recorded now"
}

// Handle makes a session of a connection that was accepted elsewhere, and serves it as Serve does; or it refuses and
// closes it. It does not wait.
func (l *Listener) Handle(conn transport.Conn) {
	if l.Accept(func() (transport.Conn, error) { return conn, nil }) != nil {
		conn.Close()
	}
}

// Accept is Handle of a connection that has yet to be made: accept is called once there is a place for it, and not at all
// where a limit refuses it, which the error says. An error of accept comes back as it is.
func (l *Listener) Accept(accept func() (transport.Conn, error)) error {
	err := l.enter()
	if err == nil {
		if err = l.takeSocket(); err != nil {
			l.leave()
		}
	}
	if err != nil {
		l.refuse(err)
		return err
	}
	conn, err := accept()
	if err != nil {
		l.leave()
		l.hub.sockets.release(conn)
		return err
	}
	s, err := l.hub.openEntered(l, conn, attendant, About{})
	if err != nil {
		l.refuse(err)
		conn.Close()
		l.hub.sockets.release(conn)
		return nil
	}
	go s.attend(*l.svc.Load()) // hub.Shutdown waits for it
	return nil
}

// takeSocket takes a place for a connection that somebody else accepts.
func (l *Listener) takeSocket() error {
	if l.closed.Load() {
		return errClosing
	}
	if !l.hub.sockets.tryTake() {
		return errNoSocket
	}
	return nil
}

// RecordReceived records what the far end sent, as one event. It waits where the listener says record: strict, and
// while the recorder lags. An error is the session's end, behind which nobody is to act on what came.
func (s *Session) RecordReceived(p []byte) error {
	number, err := s.log.Append(session.Received, p)
	if err == nil {
		err = s.awaitStrict(number)
	}
	if err != nil {
		return s.ended(err)
	}
	if e := s.over.Load(); e != nil {
		return e
	}
	return nil
}

// RecordSent records what is sent to the far end, as one event. It does not hold that back, whatever the listener says.
func (s *Session) RecordSent(p []byte) error {
	if _, err := s.log.Append(session.Sent, p); err != nil {
		return s.ended(err)
	}
	return nil
}

// RecordUnsent records that the last n bytes that were recorded as sent never were; 0 does nothing.
func (s *Session) RecordUnsent(n int) { s.unsent(n) }

// RecordGap records that some of what passed is missing here.
func (s *Session) RecordGap(missing session.Missing) {
	s.log.Append(session.Gap, session.JSON(missing))
}

// RecordUpgraded records that the connection goes on over another transport.
func (s *Session) RecordUpgraded(transport string) { s.log.Append(session.Upgraded, []byte(transport)) }

// RecordDelivered is Deliver of messages that were sent already. follows says that since the delivery before, only the
// session's own messages were left out. It does nothing for a session that is no member.
func (s *Session) RecordDelivered(ref session.RoomRef, follows bool) {
	if !follows {
		s.flushDelivery()
	}
	if o := s.box.Load(); o != nil {
		s.delivers(o, ref, func() error { return nil })
	}
}

// Ended is how the session ended, nil if it has not.
func (s *Session) Ended() *session.End { return s.over.Load() }

// Speaker is a connection that makes packets of its own of what an operator sends, and has them recorded.
type Speaker interface {
	// Speak sends p. An error that wraps ErrCannotSend says that nothing can be said to the far end now, and nothing was.
	Speak(p []byte) error
}
