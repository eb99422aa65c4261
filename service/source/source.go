// Package source is the client of three-end sources: it asks a source for a session when somebody wants to see it, and makes what
// the source streams a session like any other. All who view it share one connection.
package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/announce"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// Config is one source. The zero value of a field means no such limit, or none of it: defaults are the configuration's.
type Config struct {
	Name          string
	Kinds         map[string]string // of operation, to the HOST:PORT of each
	AnswerTimeout time.Duration     // for connecting and the first frame or control, together
	Linger        time.Duration     // how long a connection outlives its last viewer
	Retry         time.Duration     // the most between attempts to reach an address that was not; 0: none
	MaxSessions   int               // open at once, and kicks under way
	MaxDials      int               // under way at once, and as many kicks
	Record        session.Record
	OnFailure     session.OnFailure
	Terminal      string // COLSxROWS until a source says otherwise
}

// Service is what the sessions of sources have as their service.
const Service = "source"

// hubConfig is the part of it that the hub acts on. What the hub may say to a terminal has nowhere to go here.
func (c *Config) hubConfig() hub.ListenerConfig {
	var addresses []string
	for _, kind := range slices.Sorted(maps.Keys(c.Kinds)) {
		addresses = append(addresses, kind+"="+c.Kinds[kind])
	}
	return hub.ListenerConfig{Name: c.Name, Address: strings.Join(addresses, " "), Transport: "tcp", Service: Service,
		Record: c.Record, OnFailure: c.OnFailure, Terminal: c.Terminal, Announce: announce.Off, Yields: true}
}

// Sources are the sources of a node.
type Sources struct {
	hub    *hub.Hub
	logger *slog.Logger
	grace  time.Duration // fixed before anything is opened

	mu     sync.RWMutex
	byName map[string]*source
	closed bool
}

// New makes no source yet: see Configure. The caller closes it, before the hub.
func New(h *hub.Hub, logger *slog.Logger) *Sources {
	return &Sources{hub: h, logger: logger, grace: kickGrace, byName: map[string]*source{}}
}

// Configure makes the sources those of confs. Sessions of sources that are gone end as "shutdown"; what changed of others holds
// for sessions to come. An error says which could not be made; the others are.
func (x *Sources) Configure(confs []Config) error {
	gone, fresh := x.sort(confs)
	x.endAll(gone, "its source was taken out of the configuration")
	var errs []error
	for _, conf := range fresh {
		src, err := x.open(conf)
		if err != nil {
			errs = append(errs, fmt.Errorf("source %q: %w", conf.Name, err))
			continue
		}
		x.mu.Lock()
		x.byName[conf.Name] = src
		x.mu.Unlock()
	}
	return errors.Join(errs...)
}

// sort takes out the sources that are in confs no more, has those that stay take their settings, and returns the new ones.
func (x *Sources) sort(confs []Config) (gone []*source, fresh []Config) {
	x.mu.Lock()
	defer x.mu.Unlock()
	stay := map[string]bool{}
	for _, conf := range confs {
		stay[conf.Name] = true
		if src := x.byName[conf.Name]; src != nil {
			src.configure(conf)
		} else if !x.closed {
			fresh = append(fresh, conf)
		}
	}
	for name, src := range x.byName {
		if !stay[name] {
			delete(x.byName, name)
			gone = append(gone, src)
		}
	}
	return gone, fresh
}

// Close ends every source's sessions as "shutdown", and returns when nothing of any source is under way.
func (x *Sources) Close() {
	x.mu.Lock()
	x.closed = true
	all := slices.Collect(maps.Values(x.byName))
	clear(x.byName)
	x.mu.Unlock()
	x.endAll(all, "")
}

func (x *Sources) endAll(list []*source, detail string) {
	var ending sync.WaitGroup
	for _, src := range list {
		ending.Go(func() { src.close(detail) })
	}
	ending.Wait()
}

// find is the source that a reference means, and the reference with its name.
func (x *Sources) find(ref threeend.Ref) (*source, threeend.Ref, error) {
	if err := ref.Check(); err != nil {
		return nil, ref, err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if ref.Source != "" {
		src := x.byName[ref.Source]
		if src == nil {
			return nil, ref, fmt.Errorf("%w: none is called %q; %s", threeend.ErrNoSource, ref.Source, x.offer())
		}
		if !src.has(ref.Kind) {
			return nil, ref, fmt.Errorf("%w: %s has no kind %q; %s", threeend.ErrNoSource, ref.Source, ref.Kind, x.offer())
		}
		return src, ref, nil
	}
	var names []string
	for name, src := range x.byName {
		if src.has(ref.Kind) {
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return nil, ref, fmt.Errorf("%w: none has the kind %q; %s", threeend.ErrNoSource, ref.Kind, x.offer())
	case 1:
		ref.Source = names[0]
		return x.byName[names[0]], ref, nil
	}
	slices.Sort(names)
	return nil, ref, &threeend.AmbiguousError{Ref: ref, Sources: names}
}

// offer says which kinds there are; x.mu is held.
func (x *Sources) offer() string {
	if len(x.byName) == 0 {
		return "no source is configured"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(x.byName)) {
		all = append(all, fmt.Sprintf("%s has %s", name, strings.Join(x.byName[name].kinds(), ", ")))
	}
	return strings.Join(all, "; ")
}

// Status is what is known of each source, by name.
func (x *Sources) Status() []threeend.SourceStatus {
	x.mu.RLock()
	all := slices.Collect(maps.Values(x.byName))
	x.mu.RUnlock()
	list := make([]threeend.SourceStatus, 0, len(all))
	for _, src := range all {
		list = append(list, src.status())
	}
	slices.SortFunc(list, func(a, b threeend.SourceStatus) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// source is one of them.
type source struct {
	// fixed after open
	name     string
	hub      *hub.Hub
	logger   *slog.Logger
	grace    time.Duration
	listener *hub.Listener
	life     context.Context
	stop     context.CancelFunc
	work     sync.WaitGroup // views, kicks and probes

	mu        sync.Mutex
	conf      Config // its maps are not changed
	addresses map[string]*address
	dials     turns
	asks      turns // of kicks
	views     map[string]*view
	kicks     map[string]*kick // under way
	closed    bool

	opened, failed, kicked uint64
}

func (x *Sources) open(conf Config) (*source, error) {
	l, err := x.hub.Listener(conf.hubConfig(), nil)
	if err != nil {
		return nil, err
	}
	src := &source{name: conf.Name, hub: x.hub, logger: x.logger.With("source", conf.Name), grace: x.grace, listener: l,
		addresses: map[string]*address{}, views: map[string]*view{}, kicks: map[string]*kick{}}
	src.life, src.stop = context.WithCancel(context.Background())
	src.configure(conf)
	return src, nil
}

// configure takes settings for what is to come.
func (src *source) configure(conf Config) {
	src.listener.Configure(conf.hubConfig(), nil) // nil is a service, so there is no error
	src.mu.Lock()
	defer src.mu.Unlock()
	if src.dials == nil || src.conf.MaxDials != conf.MaxDials {
		src.dials, src.asks = make(turns, conf.MaxDials), make(turns, conf.MaxDials)
	}
	src.conf = conf
	for kind, a := range src.addresses {
		if conf.Kinds[kind] != a.host {
			a.retire()
			delete(src.addresses, kind)
		}
	}
	for kind, host := range conf.Kinds {
		if src.addresses[kind] == nil {
			src.addresses[kind] = newAddress(src, kind, host)
		}
	}
}

// close ends all that the source has, and waits for it.
func (src *source) close(detail string) {
	src.mu.Lock()
	src.closed = true
	for _, v := range src.views {
		v.abandon()
	}
	src.mu.Unlock()
	src.stop()
	src.listener.Close()
	src.listener.EndAll(session.Shutdown, detail)
	src.work.Wait()
}

func (src *source) has(kind string) bool {
	src.mu.Lock()
	defer src.mu.Unlock()
	return src.addresses[kind] != nil
}

func (src *source) kinds() []string {
	src.mu.Lock()
	defer src.mu.Unlock()
	return slices.Sorted(maps.Keys(src.addresses))
}

func (src *source) status() threeend.SourceStatus {
	src.mu.Lock()
	defer src.mu.Unlock()
	sessions := map[*address]int{}
	for _, v := range src.views {
		if v.state == open {
			sessions[v.address]++
		}
	}
	st := threeend.SourceStatus{Name: src.name, Max: src.conf.MaxSessions, Opened: src.opened, Failed: src.failed, Kicks: src.kicked,
		Kinds: make([]threeend.KindStatus, 0, len(src.addresses))}
	for _, n := range sessions {
		st.Sessions += n
	}
	for _, kind := range slices.Sorted(maps.Keys(src.addresses)) {
		a := src.addresses[kind]
		k := a.status
		k.Sessions = sessions[a]
		st.Kinds = append(st.Kinds, k)
	}
	return st
}

// turns are places for what is under way at once.
type turns chan struct{}

// take waits for a place until the context ends.
func (t turns) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t turns) give() { <-t }
