package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/announce"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// ListenerConfig is how a listener's sessions are treated. It can be exchanged while the listener runs; sessions that
// are open keep the recording policy that they began with.
type ListenerConfig struct {
	Name       string
	Address    string // as configured, for people
	Transport  string
	Service    string
	Record     session.Record
	OnFailure  session.OnFailure
	Yields     bool          // its sessions wait for the disk sooner than others: see recording.Policy
	Idle       time.Duration // silence in both directions that ends a session; 0: never
	Max        int           // sessions at once; 0: no limit of its own
	WriteLimit int           // bytes that may wait for a far end that reads slowly; 0: 1 MiB
	Terminal   string        // COLSxROWS, if what is sent is the screen of a terminal

	Fleet, Frame string // of devices: see session.Info

	Telnet bool // telnet's commands are in what passes, and in what is recorded

	// Announce is how who is at a terminal is told that somebody types along; default announce.Title. With AnnounceWatchers
	// they are told of those who only look on as well.
	Announce         announce.Way
	AnnounceWatchers bool

	// Usher looks at each connection before it is a session, or has shaken hands; nil: all stay here. It may send one to another
	// listener, whose rules and service it then has, or refuse it: the error's text is counted as the reason. It must not wait.
	Usher func(remote net.Addr) (to *Listener, err error)

	// Through is what stands between a connection and its session, as telnet does; nil: nothing.
	Through func(transport.Conn) transport.Conn
}

// DefaultWriteLimit is how many bytes may wait for a far end that reads slowly.
const DefaultWriteLimit = 1 << 20

// Listener is a name under which connections become sessions, with its rules and its counts.
type Listener struct {
	hub    *Hub
	since  int64
	conf   atomic.Pointer[ListenerConfig]
	svc    atomic.Pointer[Service]
	closed atomic.Bool
	done   chan struct{}

	live     atomic.Int64
	accepted atomic.Uint64
	refused  atomic.Uint64

	mu       sync.Mutex
	refusals map[string]uint64
	socket   interface{ Close() error }
}

// ListenerStatus is a listener as lists show it.
type ListenerStatus struct {
	Name      string            `json:"name"`
	Address   string            `json:"address"`
	Transport string            `json:"transport"`
	Service   string            `json:"service"`
	Fleet     string            `json:"fleet,omitempty"` // of devices
	Record    session.Record    `json:"record"`
	Since     int64             `json:"since"` // Unix µs
	Live      int               `json:"live"`
	Accepted  uint64            `json:"accepted"`
	Refused   uint64            `json:"refused"`
	Refusals  map[string]uint64 `json:"refusals"`
}

// Listener makes a listener of the name; two of one name cannot be.
func (h *Hub) Listener(conf ListenerConfig, svc Service) (*Listener, error) {
	l := &Listener{hub: h, since: now(), done: make(chan struct{}), refusals: map[string]uint64{}}
	if err := l.Configure(conf, svc); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return nil, errClosing
	}
	if h.listeners[conf.Name] != nil {
		return nil, fmt.Errorf("listener %q: there is one of that name already", conf.Name)
	}
	h.listeners[conf.Name] = l
	return l, nil
}

// Configure exchanges the rules and the service for sessions to come. svc is nil for a
// listener whose connections are only wrapped.
func (l *Listener) Configure(conf ListenerConfig, svc Service) error {
	switch svc.(type) {
	case nil, Server, Receiver, Runner:
	default:
		return fmt.Errorf("listener %q: %T is no service", conf.Name, svc)
	}
	if conf.WriteLimit == 0 {
		conf.WriteLimit = DefaultWriteLimit
	}
	l.conf.Store(&conf)
	l.svc.Store(&svc)
	return nil
}

func (l *Listener) config() *ListenerConfig { return l.conf.Load() }
func (l *Listener) idle() time.Duration     { return l.conf.Load().Idle }
func (l *Listener) writeLimit() int         { return l.conf.Load().WriteLimit }

// Status is the listener as lists show it.
func (l *Listener) Status() ListenerStatus {
	c := l.config()
	st := ListenerStatus{Name: c.Name, Address: c.Address, Transport: c.Transport, Service: c.Service, Fleet: c.Fleet, Record: c.Record,
		Since: l.since, Live: int(l.live.Load()), Accepted: l.accepted.Load(), Refused: l.refused.Load(),
		Refusals: map[string]uint64{}}
	l.mu.Lock()
	for reason, n := range l.refusals {
		st.Refusals[reason] = n
	}
	l.mu.Unlock()
	return st
}

// Serve accepts connections until the listener is closed.
func (l *Listener) Serve(ln *transport.Listener) error {
	return l.accept(ln, func(conn transport.Conn) {
		to := l.usher(conn)
		if to == nil {
			conn.Close()
			l.hub.sockets.release(conn)
			return
		}
		if transport.NeedsHandshake(conn) {
			go to.shakeHands(conn) // ends with the handshake's time limit, then is the session's goroutine
			return
		}
		if s := to.admit(conn); s != nil {
			go s.attend(*to.svc.Load()) // hub.Shutdown waits for it
		}
	})
}

// usher is the listener that a connection goes to, nil if it is refused, which is counted.
func (l *Listener) usher(conn transport.Conn) *Listener {
	usher := l.config().Usher
	if usher == nil {
		return l
	}
	to, err := usher(conn.RemoteAddr())
	if err != nil {
		l.Refused(err.Error())
		return nil
	}
	if to == nil {
		return l
	}
	return to
}

// ServeCarriers is Serve of connections that are no sessions themselves, but carry some, which take admits. It must not
// wait, and calls done when the connection is closed.
func (l *Listener) ServeCarriers(ln *transport.Listener, take func(conn transport.Conn, done func())) error {
	return l.accept(ln, func(conn transport.Conn) { take(conn, func() { l.hub.sockets.release(conn) }) })
}

func (l *Listener) accept(ln *transport.Listener, take func(transport.Conn)) error {
	var trouble acceptTrouble
	for {
		if !l.hub.sockets.wait(l.done) {
			return net.ErrClosed
		}
		conn, err := ln.Accept()
		if l.closed.Load() {
			if err == nil {
				conn.Close()
			}
			return net.ErrClosed
		}
		if err != nil {
			if !trouble.wait(l, err) {
				return net.ErrClosed
			}
			continue
		}
		trouble.over(l)
		l.hub.sockets.take()
		take(conn)
	}
}

func (l *Listener) shakeHands(conn transport.Conn) {
	if err := transport.Handshake(conn, handshakeLimit); err != nil {
		l.refuse(fmt.Errorf("tls handshake: %w", err))
		conn.Close()
		l.hub.sockets.release(conn)
		return
	}
	if s := l.admit(conn); s != nil {
		s.attend(*l.svc.Load())
	}
}

// admit opens a session, or refuses the connection.
func (l *Listener) admit(conn transport.Conn) *Session {
	s, err := l.hub.open(l, conn, attendant)
	if err != nil {
		l.refuse(err)
		conn.Close()
		l.hub.sockets.release(conn)
		return nil
	}
	return s
}

// ServePackets makes sessions of the socket's flows until the listener is closed.
func (l *Listener) ServePackets(p *transport.Packets) error {
	return p.Serve(l.openFlow)
}

// openFlow makes a session of a new flow. A Receiver's sessions live in the goroutine that reads the socket.
func (l *Listener) openFlow(f *transport.Flow) bool {
	if l = l.usher(f); l == nil {
		return false
	}
	svc := *l.svc.Load()
	r, reacts := svc.(Receiver)
	by := attendant
	if reacts {
		by = nobody
	}
	s, err := l.hub.open(l, f, by)
	if err != nil {
		l.refuse(err)
		return false
	}
	if !reacts {
		go s.attend(svc) // hub.Shutdown waits for it
		return true
	}
	f.OnDatagram = func(p []byte) { s.datagram(r, p) }
	s.guard(func() error {
		if err := r.Open(s); err != nil {
			return err
		}
		s.OnEnd(func() { r.Close(s) })
		return nil
	})
	return s.over.Load() == nil
}

func (s *Session) datagram(r Receiver, p []byte) {
	number, err := s.log.Append(session.Received, p)
	if err == nil {
		err = s.awaitStrict(number)
	}
	if err == nil {
		s.received(r, p)
		return
	}
	s.endWith(err)
}

func (s *Session) received(r Receiver, p []byte) {
	var err error
	defer func() {
		if err != nil {
			s.endWith(err)
		}
	}()
	defer s.contain(&err)
	err = r.Receive(s, p)
}

func (s *Session) guard(f func() error) {
	var err error
	func() {
		defer s.contain(&err)
		err = f()
	}()
	if err != nil {
		s.endWith(err)
	}
}

// Attach hands the listener its socket, which Close will close. It comes before Serve.
func (l *Listener) Attach(socket io.Closer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		socket.Close()
		return
	}
	l.socket = socket
}

func (l *Listener) enter() error {
	limit := l.config().Max
	if n := l.live.Add(1); limit > 0 && n > int64(limit) {
		l.live.Add(-1)
		return errTooMany
	}
	return nil
}

func (l *Listener) leave() { l.live.Add(-1) }

// refuse counts a connection that became no session, by reason.
func (l *Listener) refuse(err error) {
	reason := "recording failed"
	switch {
	case errors.Is(err, errTooMany), errors.Is(err, errNoSocket):
		reason = err.Error()
	case errors.Is(err, errClosing):
		reason = "shutdown"
	case transportHandshake(err):
		reason = "tls handshake"
	}
	l.refusedFor(reason, err)
}

// Refused counts a connection that whoever serves the listener's protocol refused, by reason.
func (l *Listener) Refused(reason string) { l.refusedFor(reason, reason) }

// Missed is Refused of a session that never came to be, which the caller logs.
func (l *Listener) Missed(reason string) { l.count(reason) }

// count reports whether it is the first of the reason.
func (l *Listener) count(reason string) (first bool) {
	l.refused.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusals[reason]++
	return l.refusals[reason] == 1
}

func (l *Listener) refusedFor(reason string, detail any) {
	if l.count(reason) {
		l.hub.logger.Warn("connections are refused; further ones are only counted",
			"listener", l.config().Name, "reason", detail)
	}
}

func transportHandshake(err error) bool {
	return len(err.Error()) > 13 && err.Error()[:13] == "tls handshake"
}

// Close stops listening. Open sessions go on: see EndAll.
func (l *Listener) Close() {
	l.mu.Lock()
	socket := l.socket
	first := !l.closed.Swap(true)
	l.mu.Unlock()
	if !first {
		return
	}
	close(l.done)
	if socket != nil {
		socket.Close()
	}
	l.hub.mu.Lock()
	if l.hub.listeners[l.config().Name] == l {
		delete(l.hub.listeners, l.config().Name)
	}
	l.hub.mu.Unlock()
}

// EndAll ends every session of the listener.
func (l *Listener) EndAll(cause session.Cause, detail string) {
	l.end(session.End{Cause: cause, Detail: detail})
}

func (l *Listener) end(e session.End) {
	l.hub.live.each(func(s *Session) bool {
		if s.listener == l {
			s.end(e)
		}
		return true
	})
}

// acceptTrouble is an accept loop's memory of errors: it says each trouble once, waits longer each time, and says when
// it is over.
type acceptTrouble struct {
	delay time.Duration
}

func (t *acceptTrouble) wait(l *Listener, err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	if t.delay == 0 {
		l.hub.logger.Warn("connections cannot be accepted; they wait", "listener", l.config().Name, "error", err)
		t.delay = 5 * time.Millisecond
	}
	select {
	case <-time.After(t.delay):
	case <-l.done:
		return false
	}
	t.delay = min(2*t.delay, time.Second)
	return true
}

func (t *acceptTrouble) over(l *Listener) {
	if t.delay > 0 {
		t.delay = 0
		l.hub.logger.Info("connections are accepted again", "listener", l.config().Name)
	}
}

// joinContext is the parent with a time limit, if there is one.
func joinContext(parent context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return context.WithCancel(parent)
	}
	return context.WithTimeout(parent, limit)
}
