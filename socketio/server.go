package socketio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

// Server is a Socket.IO server. It is an http.Handler for the path where clients look for it, /socket.io/ by default.
type Server struct {
	opt    Options
	engine *engine.Server
	shards []*shard
	done   chan struct{} // closed by Close
	chores sync.WaitGroup

	handlers  busy
	savedSize atomic.Int64 // bytes of the sockets that may come back

	mu         sync.RWMutex
	namespaces map[string]*Namespace
	templates  []*template
	closed     bool
	over       chan struct{} // closed when Close has done all, but perhaps not waited for all

	waiting struct { // clients that owe something
		sync.Mutex
		since map[owed]time.Time
	}
	turn uint32 // spreads clients over the shards; waiting guards it
}

// debt is what a client owes.
type debt uint8

const (
	debtConnect     debt = iota // a CONNECT
	debtAttachments             // those that were announced
)

// reason is why a client that does not give it is closed.
func (d debt) reason() Reason {
	if d == debtConnect {
		return engine.ForcedClose
	}
	return engine.ParseError
}

type owed struct {
	client *Client
	debt   debt
}

// busy counts what is under way.
type busy struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when there is nothing; nil while nobody waits
}

func (b *busy) enter() {
	b.mu.Lock()
	b.n++
	b.mu.Unlock()
}

func (b *busy) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n--; b.n == 0 && b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
}

// wait waits until there is nothing, or until ctx ends.
func (b *busy) wait(ctx context.Context) error {
	b.mu.Lock()
	if b.n == 0 {
		b.mu.Unlock()
		return nil
	}
	if b.idle == nil {
		b.idle = make(chan struct{})
	}
	idle := b.idle
	b.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// template makes namespaces of the names that it matches.
type template struct {
	match    func(name string) bool
	handlers *registry
}

// New makes a Server. The caller calls Close.
func New(opt Options) *Server {
	s := &Server{opt: opt.withDefaults(), namespaces: map[string]*Namespace{}, done: make(chan struct{}),
		over: make(chan struct{})}
	s.waiting.since = map[owed]time.Time{}
	for range (runtime.GOMAXPROCS(0) + 1) / 2 { // the other processors read what clients say
		sh := newShard(s)
		s.shards = append(s.shards, sh)
		s.chores.Go(sh.run)
	}
	s.engine = engine.New(s.opt.Options, (*engineHandler)(s))
	s.chores.Go(s.sweep)
	s.Of("/")
	return s
}

// ServeHTTP serves any path: who mounts it chooses.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// Of is the namespace of a name, which begins with a slash; it is made if there is none. "" is the main namespace, "/".
func (s *Server) Of(name string) *Namespace {
	if name == "" || name[0] != '/' {
		name = "/" + name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.namespaces[name]; n != nil {
		n.dynamic = false
		return n
	}
	n := newNamespace(s, name, &registry{})
	s.namespaces[name] = n
	return n
}

// OfFunc makes namespaces as clients ask for them: each name for which match says yes. Handlers are registered on what it
// returns, and hold for all of them; Socket.Namespace tells which one it is. Such a namespace goes when it is empty.
func (s *Server) OfFunc(match func(name string) bool) *Template {
	t := &template{match: match, handlers: &registry{}}
	s.mu.Lock()
	s.templates = append(s.templates, t)
	s.mu.Unlock()
	return &Template{t.handlers}
}

// Template is where the handlers of the namespaces of Server.OfFunc are registered.
type Template struct{ *registry }

// maxDynamic bounds the namespaces that clients have made at once.
const maxDynamic = 10_000

// namespace finds a namespace, or makes it if a template matches.
func (s *Server) namespace(name string) *Namespace {
	s.mu.RLock()
	n, templates, count := s.namespaces[name], s.templates, len(s.namespaces)
	s.mu.RUnlock()
	if n != nil || count >= maxDynamic {
		return n
	}
	for _, t := range templates {
		if !t.match(name) {
			continue
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := s.namespaces[name]; n != nil {
			return n
		}
		n := newNamespace(s, name, t.handlers)
		n.dynamic = true
		s.namespaces[name] = n
		return n
	}
	return nil
}

// Emit sends an event to all sockets of the main namespace, as Namespace.Emit does.
func (s *Server) Emit(event string, args ...any) error { return s.Of("/").Emit(event, args...) }

// Clients is how many connections there are.
func (s *Server) Clients() int { return s.engine.Len() }

// Close ends every connection as ServerShutdown, behind what was sent before, and waits until their handlers have returned,
// or until ctx ends: called by one of them, it would wait for itself.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		select {
		case <-s.over:
			return s.handlers.wait(ctx)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	s.flush(ctx)
	err := s.engine.Close(ctx)
	for _, n := range s.all() {
		n.forgetSaved()
	}
	close(s.done)
	s.chores.Wait()
	close(s.over)
	return errors.Join(err, s.handlers.wait(ctx))
}

// flush waits until the shards have sent what they were given, or until ctx ends.
func (s *Server) flush(ctx context.Context) {
	for _, sh := range s.shards {
		passed := make(chan struct{})
		sh.add(op{kind: opPass, passed: passed})
		select {
		case <-passed:
		case <-ctx.Done():
			return
		}
	}
}

// sweep does what is due once a second.
func (s *Server) sweep() {
	ticker := time.NewTicker(min(time.Second, max(s.opt.ConnectTimeout/4, time.Millisecond)))
	defer ticker.Stop()
	for {
		select {
		case <-s.done:
			return
		case now := <-ticker.C:
			s.sweepWaiting(now)
			s.sweepNamespaces(now)
		}
	}
}

// sweepWaiting closes connections whose client never connected to a namespace, or never sent what it announced.
func (s *Server) sweepWaiting(now time.Time) {
	var late []owed
	s.waiting.Lock()
	for o, since := range s.waiting.since {
		if now.Sub(since) >= s.opt.ConnectTimeout {
			late = append(late, o)
			delete(s.waiting.since, o)
		}
	}
	s.waiting.Unlock()
	for _, o := range late {
		o.client.conn.Close(o.debt.reason())
	}
}

// all is every namespace.
func (s *Server) all() []*Namespace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]*Namespace, 0, len(s.namespaces))
	for _, n := range s.namespaces {
		list = append(list, n)
	}
	return list
}

func (s *Server) sweepNamespaces(now time.Time) {
	for _, n := range s.all() {
		if empty := n.sweep(now); empty {
			s.drop(n)
		}
	}
}

// drop takes an empty dynamic namespace out.
func (s *Server) drop(n *Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.dynamic && n.retire() {
		delete(s.namespaces, n.name)
	}
}

// opened chooses the client's shard.
func (s *Server) opened(c *Client) {
	s.waiting.Lock()
	c.shard = s.shards[s.turn%uint32(len(s.shards))]
	s.turn++
	s.waiting.Unlock()
}

// owes has the client closed if it does not give something in time.
func (s *Server) owes(c *Client, d debt) {
	s.waiting.Lock()
	s.waiting.since[owed{c, d}] = time.Now()
	s.waiting.Unlock()
}

// gave ends what owes began.
func (s *Server) gave(c *Client, debts ...debt) {
	s.waiting.Lock()
	for _, d := range debts {
		delete(s.waiting.since, owed{c, d})
	}
	s.waiting.Unlock()
}

// engineHandler is the Server as the engine knows it.
type engineHandler Server

func (h *engineHandler) Open(conn *engine.Conn, r *http.Request) error {
	s := (*Server)(h)
	handshake, err := newHandshake(r)
	if err != nil {
		return err
	}
	c := &Client{server: s, conn: conn, handshake: handshake}
	s.opened(c)
	if s.opt.Observe != nil {
		o, err := s.opt.Observe(c, r)
		if err != nil {
			return err
		}
		c.observer = o
	}
	conn.User = c
	s.owes(c, debtConnect)
	if conn.Revision() == 3 { // the server connects such clients to the main namespace by itself
		c.enqueue(task{packet: packet{kind: typeConnect, namespace: "/"}})
	}
	return nil
}

func (h *engineHandler) Message(conn *engine.Conn, p []byte, binary bool) error {
	c := conn.User.(*Client)
	if c.observer != nil {
		c.awaitTold()
		told := p
		if !binary && len(p) > 0 && packetType(p[0]) == typeConnect {
			told = masked(p)
		}
		if err := c.observer.Received(told, binary); err != nil {
			return err
		}
	}
	if binary {
		return c.attachment(p)
	}
	return c.text(p)
}

func (h *engineHandler) Upgraded(conn *engine.Conn) {
	conn.User.(*Client).observe(func(o Observer) { o.Upgraded(conn.Transport()) })
}

func (h *engineHandler) Closed(conn *engine.Conn, reason Reason, err error) {
	c, opened := conn.User.(*Client)
	if !opened {
		return
	}
	c.closedBy(reason, err)
}

// errUnknownNamespace is the answer of the reference implementation.
//
//lint:ignore ST1005 clients get these words
var errUnknownNamespace = errors.New("Invalid namespace")

// guarded runs a handler; a panic ends only what it was about.
func (s *Server) guarded(what string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(what, p)
		}
	}()
	f()
}

func (s *Server) panicked(what string, p any) {
	buf := make([]byte, 16<<10)
	s.opt.Logger.Error("a handler panicked", "handler", what, "panic", fmt.Sprint(p),
		"stack", string(buf[:runtime.Stack(buf, false)]))
}
