package hub

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/announce"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Session is a connection that remembers: a net.Conn whose Read and Write are recorded as Received and Sent, that can
// be watched, and that others can end. There are many, most of them idle: what only some need is made when it is.
type Session struct {
	// fixed after open
	hub      *Hub
	listener *Listener
	conf     *ListenerConfig // of the listener when the session began
	log      *recording.Log
	conn     transport.Conn
	id       session.ID
	start    int64 // Unix µs
	keeper   keeper
	hung     atomic.Bool // the far end sends no more

	name atomic.Pointer[string]
	over atomic.Pointer[session.End] // set once: the session is ending

	// owned by whoever receives
	armed  int64 // when the read deadline that Next set comes, Unix µs; 0: none is set
	held   recording.Held
	unread int // bytes at the end of held that Read has not returned yet

	sendMu sync.Mutex // orders recording and writing of Sent

	state atomic.Value // of the service: see SetState

	box   atomic.Pointer[outbox] // made when something is to be pushed
	extra atomic.Pointer[extra]
}

// keeper is who runs a session, and so who finishes it.
type keeper uint8

const (
	attendant keeper = iota // a goroutine of the hub, or a Runner's
	nobody                  // its end finishes it: a flow of a Receiver, or a wrapped connection
	owner                   // whoever admitted it: see Finish
)

// extra is what few sessions need.
type extra struct {
	mu      sync.Mutex
	ctx     context.Context
	cancel  context.CancelCauseFunc
	closers []func() // run once when the session ends
	dialing func()   // gives up what Dial waits for; a context of the session's own would stay with it, and is large

	lapse    *time.Timer // until the hub finishes what its owner did not; set at the end
	finished bool        // by the owner, or by lapse

	scratch []byte // a copy of what a transport only lent; owned by whoever receives

	terminal string      // of this session alone; fixed after open
	quiet    *time.Timer // looks whether the session is idle, where its owner moves the bytes

	keyboard *keyboard           // nil: nobody can type along
	guests   guests              // with a mutex of its own
	voice    *announce.Announcer // fixed after open; nil: nothing is announced

	attention attention // with a mutex of its own
	kick      KickFunc  // fixed before the session is seen; nil: a kick ends it at once
}

func (s *Session) more() *extra {
	if x := s.extra.Load(); x != nil {
		return x
	}
	x := &extra{}
	if s.extra.CompareAndSwap(nil, x) {
		return x
	}
	return s.extra.Load()
}

// whileDialing has cancel called if the session ends, until it is called with nil.
func (s *Session) whileDialing(cancel func()) {
	x := s.more()
	x.mu.Lock()
	x.dialing = cancel
	x.mu.Unlock()
	if cancel != nil && s.over.Load() != nil {
		cancel()
	}
}

// ID is the session's name for ever.
func (s *Session) ID() session.ID { return s.id }

// Info is what is known of the session; Name is the newest.
func (s *Session) Info() session.Info {
	info := session.Info{ID: s.id, Listener: s.conf.Name, Service: s.conf.Service, Transport: s.conf.Transport,
		Local: localOf(s.conn), Remote: remoteOf(s.conn), Start: s.start, Record: s.conf.Record,
		Terminal: s.conf.Terminal, Telnet: s.conf.Telnet, Fleet: s.conf.Fleet, Frame: s.conf.Frame}
	if name := s.name.Load(); name != nil {
		info.Name = *name
	}
	if d, describes := s.conn.(describing); describes {
		d.Describe(&info)
	}
	if x := s.extra.Load(); x != nil && x.terminal != "" {
		info.Terminal = x.terminal
	}
	return info
}

// describing is a connection that knows more of its session than the listener does. It must be safe to ask at any time, and
// says the same each time.
type describing interface{ Describe(info *session.Info) }

// Under is the connection that the session sits on, for a service that knows more of it. What is read or written there is
// not on the record.
func (s *Session) Under() transport.Conn { return s.conn }

// SetName gives the session its name and records that.
func (s *Session) SetName(name string) {
	s.name.Store(&name)
	s.log.Append(session.Named, []byte(name))
}

// SetState keeps what the service knows of the session with it. It is the service's own, and always of one type. If it is an Ending,
// it is told of the session's end, at once if that was.
func (s *Session) SetState(state any) {
	s.state.Store(state)
	if s.over.Load() != nil {
		s.tellState()
	}
}

// Ending is a state that is told of its session's end, as OnEnd does, but costs nothing: Ends must not block, and may be called
// twice.
type Ending interface{ Ends() }

func (s *Session) tellState() {
	if state, ok := s.state.Load().(Ending); ok {
		state.Ends()
	}
}

// State is what SetState was given, nil if it was not called.
func (s *Session) State() any { return s.state.Load() }

// Listener is the one whose rules the session began with.
func (s *Session) Listener() *Listener { return s.listener }

// Note records a text about the session.
func (s *Session) Note(text string) { s.log.Append(session.Noted, []byte(text)) }

// Resize records that the terminal which is shown has another size.
func (s *Session) Resize(cols, rows int) {
	s.log.Append(session.Resized, fmt.Appendf(nil, "%dx%d", cols, rows))
}

// Context ends when the session does; its cause is the *session.End.
func (s *Session) Context() context.Context {
	x := s.more()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ctx == nil {
		x.ctx, x.cancel = context.WithCancelCause(context.Background())
		if e := s.over.Load(); e != nil {
			x.cancel(e)
		}
	}
	return x.ctx
}

// OnEnd has f called once when the session ends, at once if it has ended. f must not block.
func (s *Session) OnEnd(f func()) {
	x := s.more()
	x.mu.Lock()
	if s.over.Load() == nil {
		x.closers = append(x.closers, f)
		f = nil
	}
	x.mu.Unlock()
	if f != nil {
		f()
	}
}

// Summary is the session as lists show it.
func (s *Session) Summary() session.Summary {
	sum := session.Summary{Info: s.Info(), State: session.Live, Totals: s.log.Totals(), Events: s.log.Events(),
		Watchers: s.log.Watchers()}
	pending := s.delivered().pending
	sum.SentBytes += pending.Bytes
	sum.SentEvents += pending.Messages
	if e := s.over.Load(); e != nil {
		sum.Cause, sum.By, sum.Reason, sum.Detail, sum.Code = e.Cause, e.By, e.Reason, e.Detail, e.Code
	}
	return sum
}

// Transport is the name of what the session's bytes come over.
func (s *Session) Transport() string { return s.conf.Transport }

// Datagrams reports whether each Write is a message of its own.
func (s *Session) Datagrams() bool { return s.conn.Datagrams() }

// LocalAddr is this side's address.
func (s *Session) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// RemoteAddr is the far end's address.
func (s *Session) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

// SetDeadline sets both deadlines.
func (s *Session) SetDeadline(t time.Time) error { return s.conn.SetDeadline(t) }

// SetReadDeadline ends a waiting Read at t with os.ErrDeadlineExceeded. A listener with an idle limit sets its own
// before each read.
func (s *Session) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// SetWriteDeadline ends a waiting Write at t with os.ErrDeadlineExceeded.
func (s *Session) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }

var _ net.Conn = (*Session)(nil)
