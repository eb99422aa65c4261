package hub

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// End ends the session with a cause and, for people, a detail. The first end wins. It does not wait.
func (s *Session) End(cause session.Cause, detail string) {
	s.end(session.End{Cause: cause, Detail: detail})
}

// end is the one road to a session's end: kicks, time-outs, shutdown and hang-ups all take it. Closing the connection
// is what wakes those who wait in it, so a kick never waits behind a stuck write.
func (s *Session) end(e session.End) {
	e.Time = now()
	if c, concludes := s.conn.(concluding); concludes {
		c.Conclude(&e)
	}
	if !s.over.CompareAndSwap(nil, &e) {
		return
	}
	s.log.Interrupt()
	s.hangUp(e.Cause)
	var closers []func()
	if x := s.extra.Load(); x != nil {
		x.mu.Lock()
		if x.cancel != nil {
			x.cancel(&e)
		}
		if x.dialing != nil {
			x.dialing()
		}
		if x.quiet != nil {
			x.quiet.Stop()
		}
		x.attention.stop()
		closers, x.closers = x.closers, nil
		x.mu.Unlock()
	}
	for _, f := range closers {
		f()
	}
	s.tellState()
	switch s.keeper {
	case nobody:
		s.finish()
	case owner:
		s.awaitOwner()
	}
}

// concluding is a connection that knows more of how its session ends than who ends it. It is asked before each end, of which
// the first wins.
type concluding interface{ Conclude(e *session.End) }

// ownerLimit is how long after its end the owner of a session may go on recording what it sent last.
const ownerLimit = 10 * time.Second

// awaitOwner has the session finished if its owner does not do it in time.
func (s *Session) awaitOwner() {
	x := s.more()
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.finished {
		x.lapse = time.AfterFunc(s.hub.ownerLimit, s.finishOwned)
	}
}

// Finish completes the record of a session that Admit made: its owner calls it once nothing more will be recorded, which
// may be up to 10 s after the end. It ends the session as "failed" if it has not ended. Only the first call counts.
func (s *Session) Finish() {
	s.end(session.End{Cause: session.Failed, Detail: "its connection was given up"})
	s.finishOwned()
}

func (s *Session) finishOwned() {
	x := s.more()
	x.mu.Lock()
	first := !x.finished
	x.finished = true
	if x.lapse != nil {
		x.lapse.Stop()
	}
	x.mu.Unlock()
	if first {
		s.finish()
	}
}

// parting is a connection that can say why it closes; see RFC 6455, section 7.4, for the codes.
type parting interface {
	// CloseWith says so, and closes the connection soon, whatever the far end does. It does not wait.
	CloseWith(code uint16, reason string) error
}

// queueing is a connection that takes bytes which it writes later.
type queueing interface {
	// Unsent is how many of them never were written. It waits until that is certain, soon after the connection's end.
	Unsent() int
}

// hangUp closes the connection: at once, where it can say nothing or nobody would hear it.
func (s *Session) hangUp(cause session.Cause) {
	c, can := s.conn.(parting)
	if !can {
		s.conn.Close()
		return
	}
	switch cause {
	case session.Slow, session.Reset:
		s.conn.Close()
	case session.HungUp, session.Done:
		c.CloseWith(transport.CloseNormal, "")
	case session.Shutdown:
		c.CloseWith(transport.CloseGoingAway, string(cause))
	case session.Failed, session.RecordingFailed:
		c.CloseWith(transport.CloseServerError, string(cause))
	default:
		c.CloseWith(transport.ClosePolicy, string(cause))
	}
}

// endWith ends the session for the reason that an error of its connection gives.
func (s *Session) endWith(err error) { s.end(s.reason(err)) }

func (s *Session) reason(err error) session.End {
	var end *session.End
	switch {
	case errors.As(err, &end):
		return *end
	case err == nil && s.hung.Load(), errors.Is(err, io.EOF):
		return session.End{Cause: session.HungUp}
	case err == nil:
		return session.End{Cause: session.Done}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ETIMEDOUT),
		errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return session.End{Cause: session.Reset, Detail: plain(err)}
	case errors.Is(err, syscall.ECONNREFUSED):
		return session.End{Cause: session.Refused, Detail: plain(err)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return session.End{Cause: session.Idle}
	case errors.Is(err, transport.ErrSlow):
		return session.End{Cause: session.Slow, Detail: err.Error()}
	}
	return session.End{Cause: session.Failed, Detail: err.Error()}
}

// plain is the innermost error: what happened, without the addresses that the session has already.
func plain(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	var upstream *UpstreamError
	if errors.As(err, &upstream) {
		return "upstream: " + errno.Error()
	}
	return errno.Error()
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// finish takes the session out of the live ones and completes its record. It runs once: after the service returned, at
// the end itself where nobody attends, or when the owner has done.
func (s *Session) finish() {
	h := s.hub
	e := s.over.Load()
	s.flushDelivery()
	if s.keeper == attendant {
		s.awaitWriters()
		s.held.Release()
	}
	if c, queues := s.conn.(queueing); queues {
		s.unsent(c.Unsent())
	}
	s.log.End(*e)             // before it leaves the live ones, so that it is always in one list or the other
	h.sockets.release(s.conn) // the places are free before anybody can know that they are
	s.listener.leave()
	h.live.remove(s)
	h.count(e, s.log.Totals())
	h.tellEnded(s)
	h.handlers.Done()
}

// UpstreamError is an error of a session's upstream, not of its far end.
type UpstreamError struct{ Err error }

func (e *UpstreamError) Error() string { return "upstream: " + e.Err.Error() }
func (e *UpstreamError) Unwrap() error { return e.Err }

// EndWith ends the session for the reason that an error gives; nil does nothing. The first end wins.
func (s *Session) EndWith(err error) {
	if err != nil {
		s.endWith(err)
	}
}
