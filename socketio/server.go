package socketio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
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

	mu         sync.RWMutex
	namespaces map[string]*Namespace
	templates  []*template
	closed     bool

	waiting struct { // clients that owe something: to connect to a namespace, or attachments
		sync.Mutex
		since map[*Client]debt
	}
	turn uint32 // spreads clients over the shards; waiting guards it
}

// debt is since when a client owes something, and why it is closed if it does not give it.
type debt struct {
	since  time.Time
	reason Reason
}

// template makes namespaces of the names that it matches.
type template struct {
	match    func(name string) bool
	handlers *registry
}

// New makes a Server. The caller calls Close.
func New(opt Options) *Server {
	s := &Server{opt: opt.withDefaults(), namespaces: map[string]*Namespace{}, done: make(chan struct{})}
	s.waiting.since = map[*Client]debt{}
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

// Close ends every connection as ServerShutdown and waits until their handlers have returned, or until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	err := s.engine.Close(ctx)
	close(s.done)
	s.chores.Wait()
	return err
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
	late := map[*Client]Reason{}
	s.waiting.Lock()
	for c, d := range s.waiting.since {
		if now.Sub(d.since) >= s.opt.ConnectTimeout {
			late[c] = d.reason
			delete(s.waiting.since, c)
		}
	}
	s.waiting.Unlock()
	for c, reason := range late {
		c.conn.Close(reason)
	}
}

func (s *Server) sweepNamespaces(now time.Time) {
	s.mu.RLock()
	list := make([]*Namespace, 0, len(s.namespaces))
	for _, n := range s.namespaces {
		list = append(list, n)
	}
	s.mu.RUnlock()
	for _, n := range list {
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
func (s *Server) owes(c *Client, reason Reason) {
	s.waiting.Lock()
	s.waiting.since[c] = debt{time.Now(), reason}
	s.waiting.Unlock()
}

// gave ends what owes began.
func (s *Server) gave(c *Client) {
	s.waiting.Lock()
	delete(s.waiting.since, c)
	s.waiting.Unlock()
}

// engineHandler is the Server as the engine knows it.
type engineHandler Server

func (h *engineHandler) Open(conn *engine.Conn, r *http.Request) error {
	s := (*Server)(h)
	c := &Client{server: s, conn: conn, handshake: newHandshake(r)}
	if s.opt.Observe != nil {
		o, err := s.opt.Observe(c, r)
		if err != nil {
			return err
		}
		c.observer = o
	}
	conn.User = c
	s.opened(c)
	s.owes(c, engine.ForcedClose)
	if conn.Revision() == 3 { // the server connects such clients to the main namespace by itself
		c.enqueue(task{packet: packet{kind: typeConnect, namespace: "/"}})
	}
	return nil
}

func (h *engineHandler) Message(conn *engine.Conn, p []byte, binary bool) error {
	c := conn.User.(*Client)
	if c.observer != nil {
		if err := c.observer.Received(p, binary); err != nil {
			return err
		}
	}
	if binary {
		return c.attachment(p)
	}
	return c.text(p)
}

func (h *engineHandler) Upgraded(conn *engine.Conn) {
	if c := conn.User.(*Client); c.observer != nil {
		c.observer.Upgraded(conn.Transport())
	}
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
