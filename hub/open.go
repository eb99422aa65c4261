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

// Service is what a listener does with its sessions.
type Service interface {
	// Serve runs the session until it is over. What it returns tells why: nil for done, a *session.End, or an error of
	// the connection.
	Serve(ctx context.Context, s *Session) error
}

// Receiver is a Service that only reacts. Its sessions over UDP need no goroutine of their own.
type Receiver interface {
	Open(s *Session) error                 // the session begins
	Receive(s *Session, data []byte) error // one piece came; the bytes are borrowed
	Close(s *Session)                      // the session is over; called if Open returned nil
}

// Errors of opening a session: a limit said no.
var (
	errTooMany = errors.New("too many sessions")
	errClosing = errors.New("switchboard is stopping")
)

// open makes a session of a connection. It runs in the goroutine that accepts, whose stack may grow; the session's own
// stays small.
func (h *Hub) open(l *Listener, conn transport.Conn, unattended bool) (*Session, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	s := &Session{hub: h, listener: l, conn: conn, unattended: unattended}
	conf := l.config()
	s.info = session.Info{
		ID: session.NewID(h.node), Listener: conf.Name, Service: conf.Service, Transport: conf.Transport,
		Local: l.localOf(conn), Remote: remoteOf(conn), Start: now(), Record: conf.Record,
	}
	log, err := h.store.Begin(&s.info, recording.Policy{Record: conf.Record, OnFailure: conf.OnFailure, Failed: s.recordingFailed})
	if err != nil {
		l.leave()
		return nil, fmt.Errorf("recording: %w", err)
	}
	s.log = log
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
	h.live.add(s)
	if l.closed.Load() {
		s.end(session.End{Cause: session.Shutdown})
	}
	return s, nil
}

func (s *Session) recordingFailed(err error) {
	s.end(session.End{Cause: session.RecordingFailed, Detail: err.Error()})
}

func remoteOf(c net.Conn) string {
	if a := c.RemoteAddr(); a != nil && a.String() != "" && a.String() != "@" {
		return a.String()
	}
	return "local"
}

// attend runs the service in this goroutine until the session is over, and finishes the session.
func (s *Session) attend(svc any) {
	err := s.serve(svc)
	s.end(s.reason(err))
	s.finish()
}

func (s *Session) serve(svc any) (err error) {
	defer s.contain(&err)
	if r, ok := svc.(Receiver); ok {
		return s.react(r)
	}
	return svc.(Service).Serve(s.Context(), s)
}

// contain turns a panic of a service into the end of its session alone.
func (s *Session) contain(err *error) {
	if p := recover(); p != nil {
		s.hub.logger.Error("a service panicked; its session ends", "session", s.info.ID, "panic", p, "stack", string(debug.Stack()))
		*err = fmt.Errorf("the service panicked: %v", p)
	}
}

func (s *Session) react(r Receiver) error {
	if err := r.Open(s); err != nil {
		return err
	}
	defer r.Close(s)
	for {
		data, err := s.Next()
		if err != nil {
			return err
		}
		if err := r.Receive(s, data); err != nil {
			return err
		}
	}
}

// handshakeLimit is how long a TLS client may take to shake hands.
const handshakeLimit = 10 * time.Second

// Wrap makes a session of a connection that the caller goes on to use: it ends when the caller closes it, or by a
// command. The listener is only its name and its rules.
func (h *Hub) Wrap(l *Listener, conn net.Conn) (*Session, error) {
	s, err := h.open(l, transport.From(conn), true)
	if err != nil {
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
