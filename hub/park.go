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

const (
	quietAfter  = time.Second
	lookAgainIn = 200 * time.Millisecond // at a Repeater, which may not have been told of a reset
)

// begin opens a Receiver's session and receives for it.
func (s *Session) begin(r Receiver) {
	if err := s.guarded(func() error { return r.Open(s) }); err != nil {
		s.FinishWith(err)
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
	s.FinishWith(err)
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
	return s.next(soonFor(s.conn, nil), nil)
}

// soonFor is how long to wait for a piece before it is looked whether the session is quiet; 0 is until it comes.
func soonFor(c transport.Conn, more func() bool) time.Duration {
	if _, waits := c.(transport.Waiter); !waits {
		return 0
	}
	if _, repeats := c.(transport.Repeater); repeats && more != nil {
		return lookAgainIn
	}
	return quietAfter
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
func (s *Session) lull(soon time.Duration, k session.Kind) error {
	quiet := s.quietFor()
	if limit := s.listener.idle(); limit > 0 && quiet >= limit {
		s.end(session.End{Cause: session.Idle})
		return s.over.Load()
	}
	last := max(s.start, s.log.LastActivity(k))
	if soon > 0 && time.Duration(now()-last)*time.Microsecond >= quietAfter-quietAfter/10 {
		return ErrQuiet
	}
	return nil
}

// arm sets the read deadline of a connection, unless one is set already: armed is when, in Unix µs, 0 for none. It
// comes at the idle limit, or, where soon is not 0, that soon.
func (s *Session) arm(c transport.Conn, armed *int64, soon time.Duration) {
	if *armed != 0 {
		return
	}
	wait := time.Duration(0)
	if limit := s.listener.idle(); limit > 0 {
		wait = max(limit-s.quietFor(), time.Millisecond)
	}
	if soon > 0 && (wait == 0 || wait > soon) {
		wait = soon
	}
	if wait > 0 {
		at := time.Now().Add(wait)
		*armed = at.UnixMicro()
		c.SetReadDeadline(at)
	}
}
