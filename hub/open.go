package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"time"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Service is what a listener does with its sessions: a Server, a Receiver or a Runner.
type Service any

// Server serves a session in the session's own goroutine, as a handler of connections does anywhere.
type Server interface {
	// Serve runs the session until it is over. What it returns tells why: nil for done, a *session.End, or an error of
	// the connection.
	Serve(ctx context.Context, s *Session) error
}

// Receiver only reacts. Its sessions over UDP need no goroutine of their own, and those of sockets a small one.
type Receiver interface {
	Open(s *Session) error                 // the session begins
	Receive(s *Session, data []byte) error // one piece came; the bytes are borrowed
	Close(s *Session)                      // the session is over; called if Open returned nil
}

// Runner runs a session in goroutines of its own.
type Runner interface {
	// Start begins; it may return before the session is over. The service calls s.FinishWith once, when none of its
	// goroutines uses the session any more.
	Start(s *Session)
}

// Errors of opening a session: a limit said no.
var (
	errTooMany  = errors.New("too many sessions")
	errNoSocket = errors.New("too many connections")
	errClosing  = errors.New("switchboard is stopping")
)

// open makes a session of a connection. It runs in the goroutine that accepts, whose stack may grow; the session's own
// stays small.
func (h *Hub) open(l *Listener, conn transport.Conn, by keeper) (*Session, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	return h.openEntered(l, conn, by, About{})
}

// openEntered is open of a connection that the listener has a place for.
func (h *Hub) openEntered(l *Listener, conn transport.Conn, by keeper, about About) (*Session, error) {
	conf := l.config()
	if conf.Through != nil {
		conn = conf.Through(conn)
	}
	s := &Session{hub: h, listener: l, conf: conf, conn: conn, keeper: by,
		id: session.NewID(h.node), start: now()}
	s.introduce(about)
	log, err := h.store.Begin((*participant)(s), recording.Policy{Record: conf.Record, OnFailure: conf.OnFailure, Yields: conf.Yields})
	if err != nil {
		l.leave()
		return nil, fmt.Errorf("recording: %w", err)
	}
	s.log = log
	s.openVoice(s.Info().Terminal)
	h.mu.Lock()
	closing := h.closing
	if !closing {
		h.handlers.Add(1)
	}
	h.mu.Unlock()
	if closing {
		l.leave()
		log.End(session.End{Time: now(), Cause: session.Shutdown})
		return nil, errClosing
	}
	h.opened.Add(1)
	l.accepted.Add(1)
	h.live.add(s)
	h.screens.begin(s)
	log.Ready()
	if l.closed.Load() {
		s.end(session.End{Cause: session.Shutdown})
	}
	return s, nil
}

// participant is the session as its recording knows it.
type participant Session

func (p *participant) Describe() session.Info { return (*Session)(p).Info() }

func (p *participant) RecordingFailed(err error) {
	(*Session)(p).end(session.End{Cause: session.RecordingFailed, Detail: err.Error()})
}

func (p *participant) BeforeEvent() { (*Session)(p).flushDelivery() }

func localOf(c net.Conn) string {
	if a := c.LocalAddr(); a != nil {
		return a.String()
	}
	return ""
}

func remoteOf(c net.Conn) string {
	if a := c.RemoteAddr(); a != nil && a.String() != "" && a.String() != "@" {
		return a.String()
	}
	return "local"
}

// attend runs the service until the session is over, and has the session finished.
func (s *Session) attend(svc Service) {
	switch svc := svc.(type) {
	case Runner:
		svc.Start(s)
	case Receiver:
		s.begin(svc)
	case Server:
		s.FinishWith(s.guarded(func() error { return svc.Serve(s.Context(), s) }))
	}
}

// FinishWith ends the session, if it has not ended, for the reason that err gives, and completes its record. Services
// other than Runners do not call it.
func (s *Session) FinishWith(err error) {
	s.end(s.reason(err))
	s.finish()
}

// guarded runs f, and makes a panic an error.
func (s *Session) guarded(f func() error) (err error) {
	defer s.contain(&err)
	return f()
}

// contain turns a panic of a service into the end of its session alone.
func (s *Session) contain(err *error) {
	if p := recover(); p != nil {
		s.hub.logger.Error("a service panicked; its session ends", "session", s.id, "panic", p,
			"stack", string(debug.Stack()))
		*err = fmt.Errorf("the service panicked: %v", p)
	}
}

// handshakeLimit is how long a TLS client may take to shake hands.
const handshakeLimit = 10 * time.Second

// Wrap makes a session of a connection that the caller goes on to use: it ends when the caller closes it, or by a
// command. The listener is only its name and its rules.
func (h *Hub) Wrap(l *Listener, conn net.Conn) (*Session, error) {
	h.sockets.take()
	s, err := h.open(l, transport.From(conn), nobody)
	if err != nil {
		h.sockets.release(transport.From(conn))
		l.refuse(err)
		return nil, err
	}
	return s, nil
}

// Close ends the session: as "hung up" if the far end had finished, else as "done". For a session that a service runs
// it is the service's way to hang up.
func (s *Session) Close() error {
	s.end(s.reason(nil))
	return nil
}
