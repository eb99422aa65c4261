// Package hub holds the live sessions of this node: it opens them on connections, records what passes, shows them to
// watchers, carries commands to them and ends them.
package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/bus"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// Options are what a Hub is made of. Store and Index are closed by their owner, after the hub.
type Options struct {
	Node      string
	Store     *recording.Store
	Index     *index.Index
	Inbox     *Inbox   // filled by the store
	Bus       *bus.Bus // nil: commands reach this node's sessions only
	Retention Retention
	// MaxConnections bounds the sockets that sessions hold, upstreams included; 0 means the limit of open files less
	// a reserve for the recordings and the API.
	MaxConnections int
	// Holds reports whether a recording is needed, and retention is to leave it for now; nil: none is. It must not wait.
	Holds  func(session.ID) bool
	Logger *slog.Logger
}

// Hub is this node's live sessions, and the way to the recorded ones.
type Hub struct {
	node    string
	store   *recording.Store
	index   *index.Index
	bus     *bus.Bus
	logger  *slog.Logger
	keep    Retention
	holds   func(session.ID) bool
	sockets sockets

	ownerLimit time.Duration

	live registry

	mu        sync.Mutex
	listeners map[string]*Listener
	closing   bool

	opened   atomic.Uint64
	ended    [len(causeSlots)]atomic.Uint64
	received atomic.Uint64 // of ended sessions; Stats adds the live ones
	sent     atomic.Uint64

	followers atomic.Pointer[[]*Endings] // exchanged under mu; nil until there is one

	lastChanges, lastTrim uint64 // owned by sweep
	trimLeft              int    // calm seconds until memory is given back once more; owned by sweep

	stop     context.CancelFunc
	handlers sync.WaitGroup // one for each session that is not finished
	chores   sync.WaitGroup
	inbox    *Inbox
	indexed  signal
	listed   chan struct{} // see Listed

	recovered map[session.ID]bool // what the store found that has no file of its own; fixed after New

	complete atomic.Bool
	stopList context.CancelFunc
	listing  sync.WaitGroup
	removed  atomic.Uint64
	rooms    rooms
	screens  screens
	sizes    sync.Mutex // held while the index is told how large recordings are
}

// New makes a hub. Sessions that the store found interrupted are listed at once; what else a crash kept from the index is
// listed behind: see Listed. The caller calls Shutdown.
func New(opt Options) (*Hub, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	h := &Hub{
		node: opt.Node, store: opt.Store, index: opt.Index, bus: opt.Bus, logger: opt.Logger,
		keep: opt.Retention, holds: opt.Holds, inbox: opt.Inbox, ownerLimit: ownerLimit,
		listeners: map[string]*Listener{}, rooms: rooms{logs: map[session.ID]roomLog{}}, listed: make(chan struct{}),
	}
	h.sockets.init(opt.MaxConnections, opt.Logger)
	h.live.init()
	h.screens.init(h)
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	ofList, stopList := context.WithCancel(ctx)
	h.stopList = stopList
	if err := h.handleCommands(); err != nil {
		stop()
		return nil, err
	}
	h.recovered = map[session.ID]bool{}
	for _, sum := range h.unindexed() {
		h.recovered[sum.ID] = true
	}
	if h.index.Complete() {
		h.complete.Store(true)
		close(h.listed)
	} else {
		h.listing.Go(func() { h.updateIndex(ofList) })
	}
	h.chores.Go(func() { h.indexSealed(ctx) })
	h.chores.Go(func() { h.sweep(ctx) })
	h.chores.Go(func() { h.screens.keep(ctx) })
	h.chores.Go(func() { h.screens.build(ctx) })
	return h, nil
}

// Node is the name of this node, which every session id carries.
func (h *Hub) Node() string { return h.node }

// Shutdown closes every listener, ends every session as "shutdown" and waits until each has finished, or until the
// context ends. The store can be closed after it, and then FinishIndex called.
func (h *Hub) Shutdown(ctx context.Context) error {
	h.stopList()
	defer h.listing.Wait() // it reads the store
	h.mu.Lock()
	h.closing = true
	listeners := make([]*Listener, 0, len(h.listeners))
	for _, l := range h.listeners {
		listeners = append(listeners, l)
	}
	h.mu.Unlock()
	var closing sync.WaitGroup // a listener may wait until its clients have been told: others need not
	for _, l := range listeners {
		closing.Go(func() {
			l.Close()
			l.end(session.End{Cause: session.Shutdown})
		})
	}
	closing.Wait()
	h.live.each(func(s *Session) bool {
		s.end(session.End{Cause: session.Shutdown})
		return true
	})
	finished := make(chan struct{})
	go func() { h.handlers.Wait(); close(finished) }() // ends with the last handler, at the latest when the process does
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d sessions have not ended: %w", h.live.len(), context.Cause(ctx))
	}
}

// FinishIndex writes the last sealed sessions into the index, within ctx, and ends the hub's own work. An error says that
// the index lacks some.
func (h *Hub) FinishIndex(ctx context.Context) (err error) {
	for err == nil {
		next := h.indexed.wait()
		if len(h.inbox.waiting()) == 0 {
			break
		}
		select {
		case <-next:
		case <-ctx.Done():
			err = fmt.Errorf("the index lacks %d sessions: %w", len(h.inbox.waiting()), context.Cause(ctx))
		}
	}
	h.stop()
	h.chores.Wait()
	return err
}

// Errors of commands.
var (
	ErrNotFound = errors.New("no such session")
	ErrNotLive  = errors.New("the session is not live: it has ended")
	ErrPinned   = errors.New("the recording is pinned: unpin it first")
	// ErrCannotSend says that what was to be sent to a session cannot be: errors wrap it, and say why.
	ErrCannotSend = errors.New("it cannot be sent")
	ErrLive       = errors.New("the session is still live: kick it first, or wait until it ends")
)

// AmbiguousError says that a prefix names more than one session.
type AmbiguousError struct {
	Prefix string
	IDs    []session.ID // some of them
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("id %q is ambiguous: it begins %v; give more characters", e.Prefix, e.IDs)
}

// registry is the live sessions by id, in parts so that many can come and go at once.
type registry struct {
	parts [64]registryPart
	count atomic.Int64
}

type registryPart struct {
	mu sync.RWMutex
	m  map[session.ID]*Session
}

func (r *registry) init() {
	for i := range r.parts {
		r.parts[i].m = map[session.ID]*Session{}
	}
}

func (r *registry) part(id session.ID) *registryPart {
	var n byte
	if len(id) > 1 {
		n = id[0]*31 + id[1]
	}
	return &r.parts[n%64]
}

func (r *registry) add(s *Session) {
	p := r.part(s.id)
	p.mu.Lock()
	p.m[s.id] = s
	p.mu.Unlock()
	r.count.Add(1)
}

func (r *registry) remove(s *Session) {
	p := r.part(s.id)
	p.mu.Lock()
	delete(p.m, s.id)
	p.mu.Unlock()
	r.count.Add(-1)
}

func (r *registry) get(id session.ID) *Session {
	p := r.part(id)
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.m[id]
}

func (r *registry) len() int { return int(r.count.Load()) }

// each calls f for every live session until it returns false, holding no lock meanwhile.
func (r *registry) each(f func(*Session) bool) {
	for i := range r.parts {
		p := &r.parts[i]
		p.mu.RLock()
		list := make([]*Session, 0, len(p.m))
		for _, s := range p.m {
			list = append(list, s)
		}
		p.mu.RUnlock()
		for _, s := range list {
			if !f(s) {
				return
			}
		}
	}
}

// now is the wall clock in Unix µs.
func now() int64 { return time.Now().UnixMicro() }
