package hub

import (
	"errors"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// A goroutine's stack grows when it works and, parked, does not shrink again. A session that is quiet is therefore
// handed to a fresh goroutine, which does nothing but wait: 2 KiB instead of 4 or 8.

// ErrQuiet says that nothing came for a while: the goroutine is to hand over to another that begins with Park.
var ErrQuiet = errors.New("nothing came for a while")

const quietAfter = time.Second

// begin opens a Receiver's session and receives for it.
func (s *Session) begin(r Receiver) {
	if err := s.guarded(func() error { return r.Open(s) }); err != nil {
		s.Finish(err)
		return
	}
	s.react(r)
}

// react receives until the session is quiet or over.
func (s *Session) react(r Receiver) {
	err := s.guarded(func() error { return s.pieces(r) })
	if errors.Is(err, ErrQuiet) {
		go s.parkThenReact(r) // hub.Shutdown waits for the session
		return
	}
	s.guarded(func() error { r.Close(s); return nil }) // a panic is logged; the session ends anyway
	s.Finish(err)
}

func (s *Session) pieces(r Receiver) error {
	for {
		data, err := s.NextSoon()
		if err != nil {
			return err
		}
		if err := r.Receive(s, data); err != nil {
			return err
		}
	}
}

func (s *Session) parkThenReact(r Receiver) {
	s.Park()
	s.react(r)
}

// NextSoon is Next, but gives up with ErrQuiet when nothing came for a second, where parking saves anything.
func (s *Session) NextSoon() ([]byte, error) {
	_, waits := s.conn.(transport.Waiter)
	return s.next(waits, nil)
}

// Park waits until there is something for Next to say. It is the first thing that a fresh goroutine does.
func (s *Session) Park() { s.park(s.conn) }

func (s *Session) park(c transport.Conn) {
	w, waits := c.(transport.Waiter)
	if !waits {
		return
	}
	deadline := time.Time{}
	if limit := s.listener.idle(); limit > 0 {
		deadline = time.Now().Add(max(limit-s.quietFor(), time.Millisecond))
	}
	c.SetReadDeadline(deadline)
	w.Wait() // why it ended, the next read tells
}

// lull is what to do when a read deadline came: end the session as idle, tell the service that it is quiet, or go on.
func (s *Session) lull(soon bool, k session.Kind) error {
	quiet := s.quietFor()
	if limit := s.listener.idle(); limit > 0 && quiet >= limit {
		s.end(session.End{Cause: session.Idle})
		return s.over.Load()
	}
	last := max(s.start, s.log.LastActivity(k))
	if soon && time.Duration(now()-last)*time.Microsecond >= quietAfter-quietAfter/10 {
		return ErrQuiet
	}
	return nil
}

// arm sets the read deadline of a connection, unless one is set already: armed is when, in Unix µs, 0 for none.
func (s *Session) arm(c transport.Conn, armed *int64, soon bool) {
	if *armed != 0 {
		return
	}
	wait := time.Duration(0)
	if limit := s.listener.idle(); limit > 0 {
		wait = max(limit-s.quietFor(), time.Millisecond)
	}
	if soon && (wait == 0 || wait > quietAfter) {
		wait = quietAfter
	}
	if wait > 0 {
		at := time.Now().Add(wait)
		*armed = at.UnixMicro()
		c.SetReadDeadline(at)
	}
}
