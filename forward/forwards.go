// Package forward takes what devices say to where it is wanted: the web server's link, webhooks, NATS, other TCP servers,
// rooms. It has no queue: a forward reads the recordings behind a place that it keeps, cuts them into messages again, and
// moves the place once its target has acknowledged. So each message is delivered at least once, those of a device in order,
// and a target that is away costs nothing but places.
package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

// Link is the connections of the web server of one fleet.
type Link interface {
	// Deliver writes lines to all that are connected, and returns when they have them; an error if there is none.
	Deliver(ctx context.Context, lines []byte) error
	// Wait waits until there is one.
	Wait(ctx context.Context) error
}

// Options are what Forwards are made of.
type Options struct {
	Hub    *hub.Hub
	Path   string                                                     // of the file in which places are kept
	Link   func(fleet string) Link                                    // of a fleet; nil if it has none, as nil Links does
	Online func(fleet string) int                                     // devices that are connected now
	NATS   func() (*nats.Conn, error)                                 // the bus; nil: there is none
	Room   func(ctx context.Context, name string) (*room.Room, error) // opened as it is configured; nil: there are none
	Logger *slog.Logger
}

// Forwards are all forwards of a node. It is safe for concurrent use.
type Forwards struct {
	began  int64 // Unix µs; fixed after New, as what follows
	opt    Options
	hub    *hub.Hub
	logger *slog.Logger
	ledger *ledger

	streams streams // of which anything is to be forwarded, or will be

	configuring sync.Mutex  // before mu: held while forwards come, change and go
	loaded      bool        // the ledger was read; guarded by configuring
	configured  atomic.Bool // all that an earlier process left is known, and forwards have begun

	mu       sync.Mutex         // before runner.mu
	runners  map[string]*runner // changed where configuring is held as well
	people   map[key]*person
	dialects map[string]*frame.Dialect // by their Spec as JSON
	closed   bool
	missed   map[string]bool // fleets of which it was said that they are not recorded

	saving sync.WaitGroup
	ctx    context.Context // ends with stop
	stop   context.CancelFunc
}

// mostDialects is how many ways to cut messages are kept ready.
const mostDialects = 1024

// New opens the file of places, or makes it. Configure begins.
func New(opt Options) (*Forwards, error) {
	opt.Logger = cmp.Or(opt.Logger, slog.Default())
	l, err := openLedger(opt.Path)
	if err != nil {
		return nil, fmt.Errorf("forwards: %w", err)
	}
	f := &Forwards{began: time.Now().UnixMicro(), opt: opt, hub: opt.Hub, logger: opt.Logger, ledger: l, runners: map[string]*runner{},
		people: map[key]*person{}, dialects: map[string]*frame.Dialect{}, missed: map[string]bool{}}
	f.streams.init()
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.saving.Go(func() { f.save(f.ctx) })
	return f, nil
}

// Configure has exactly these forwards. What stays keeps its places, whatever else of it changes; one that is new begins with
// what comes from now on, or with what is on record. The first call takes up what an earlier process left, and comes before
// devices do; forwards begin once the hub has listed all recordings. An error leaves everything as it was.
func (f *Forwards) Configure(confs []Config) error {
	targets := make([]target, len(confs))
	names := map[string]bool{}
	fail := func(err error) error {
		for _, t := range targets {
			if t != nil {
				t.close()
			}
		}
		return err
	}
	if len(confs) > MaxForwards {
		return fmt.Errorf("forwards: %d: there can be %d", len(confs), MaxForwards)
	}
	for i, c := range confs {
		if wrong := c.Check(); len(wrong) > 0 {
			return fail(fmt.Errorf("forward %q: %w", c.Name, wrong[0]))
		}
		if names[c.Name] {
			return fail(fmt.Errorf("two forwards are called %q", c.Name))
		}
		names[c.Name] = true
		var err error
		if targets[i], err = f.open(c.withDefaults()); err != nil {
			return fail(fmt.Errorf("forward %q: %w", c.Name, err))
		}
	}
	f.configuring.Lock()
	defer f.configuring.Unlock()
	f.mu.Lock()
	closed := f.closed
	f.mu.Unlock()
	if closed {
		return fail(errClosed)
	}
	if err := f.configure(confs, targets); err != nil {
		return fail(err)
	}
	return nil
}

var errClosed = errors.New("forwards are closed")

// configure is Configure of what was checked; f.configuring is held.
func (f *Forwards) configure(confs []Config, targets []target) error {
	left := map[string]leftover{}
	if !f.loaded {
		var err error
		if left, err = f.ledger.load(); err != nil {
			return err
		}
	}
	var known, fresh []*runner
	stays := map[string]bool{}
	for i, c := range confs {
		stays[c.Name] = true
		if f.runners[c.Name] != nil { // only changed where configuring is held
			continue
		}
		r := newRunner(f, c.withDefaults(), targets[i])
		if l, was := left[c.Name]; was {
			r.id, r.created, r.paused, r.done, r.searched = l.id, l.created, l.paused, l.done, l.searched
			known = append(known, r)
			continue
		}
		r.created = time.Now().UnixMicro()
		r.searched = !c.Beginning
		fresh = append(fresh, r)
	}
	var gone []int64
	for name, l := range left {
		if !stays[name] {
			gone = append(gone, l.id)
		}
	}
	var dropped []*runner
	for name, r := range f.runners {
		if !stays[name] {
			gone, dropped = append(gone, r.id), append(dropped, r)
		}
	}
	ids, err := f.ledger.exchange(gone, fresh)
	if err != nil {
		return err
	}
	for name := range left {
		if !stays[name] {
			f.logger.Info("a forward is gone, and where it was is forgotten", "forward", name)
		}
	}
	for i, r := range fresh {
		r.id = ids[i]
	}
	for _, r := range dropped {
		f.drop(r)
	}
	for i, c := range confs {
		if r := f.runners[c.Name]; r != nil {
			f.change(r, c.withDefaults(), targets[i])
		}
	}
	for _, r := range known {
		f.takeUp(r, left[r.conf.Name].rows)
	}
	f.mu.Lock()
	for _, r := range slices.Concat(known, fresh) {
		f.runners[r.conf.Name] = r
	}
	for _, r := range fresh {
		f.adopt(r, r.created)
	}
	f.mu.Unlock()
	first := !f.loaded
	f.loaded = true
	switch {
	case f.configured.Load():
		for _, r := range fresh {
			r.begin(r.conf, r.target)
		}
	case first && f.isListed():
		f.setOut()
	case first:
		f.saving.Go(func() { f.awaitListed(f.ctx) })
	}
	return nil
}

func (f *Forwards) isListed() bool {
	select {
	case <-f.hub.Listed():
		return true
	default:
		return false
	}
}

// adopt gives a forward the sessions that live now: what they say from a time on, or all of it; f.mu is held.
func (f *Forwards) adopt(r *runner, after int64) {
	if r.conf.Beginning {
		after = 0
	}
	f.hub.EachLive(func(s *hub.Session) bool {
		info := s.Info()
		if info.Fleet == "" || info.Name == "" || !r.conf.takes(info.Fleet) || info.Record == session.RecordOff {
			return true
		}
		st := f.streams.get(s.ID())
		if st == nil {
			live := s
			if s.Ended() != nil {
				live = nil // Gone may have been said already
			}
			st = f.stream(info, key{info.Fleet, info.Name}, time.Now().UnixMicro(), live)
		}
		if st.feedOf(r) == nil {
			f.feed(st, r, row{after: after})
		}
		return true
	})
}

// change exchanges a forward's configuration; f.configuring is held.
func (f *Forwards) change(r *runner, c Config, t target) {
	if sameConfig(r.conf, c) {
		t.close()
		return
	}
	r.halt()
	f.mu.Lock()
	r.conf, r.target = c, t
	f.streams.each(func(st *stream) {
		if fd := st.feedOf(r); fd != nil && !c.takes(st.person.Load().fleet) {
			r.mu.Lock()
			fd.release(gone)
			r.finish(st.id)
			r.mu.Unlock()
			f.unfeed(fd)
		}
	})
	f.adopt(r, time.Now().UnixMicro())
	f.mu.Unlock()
	if f.configured.Load() {
		r.begin(c, t)
	}
}

// drop ends a forward for good; f.configuring is held.
func (f *Forwards) drop(r *runner) {
	f.mu.Lock()
	delete(f.runners, r.conf.Name)
	f.mu.Unlock()
	r.halt()
	f.mu.Lock()
	f.streams.each(func(st *stream) {
		if fd := st.feedOf(r); fd != nil {
			r.mu.Lock()
			fd.release(gone)
			r.mu.Unlock()
			f.unfeed(fd)
		}
	})
	f.mu.Unlock()
}

// Close ends all forwards, and keeps where they are. What is under way may be delivered again.
func (f *Forwards) Close() error {
	if f == nil {
		return nil
	}
	f.configuring.Lock()
	f.mu.Lock()
	closed := f.closed
	f.closed = true
	f.mu.Unlock()
	if closed {
		f.configuring.Unlock()
		return nil
	}
	for _, r := range f.runners {
		r.cancel()
	}
	for _, r := range f.runners {
		r.halt()
	}
	f.configuring.Unlock()
	f.stop()
	f.saving.Wait()
	return errors.Join(f.commit(), f.ledger.close())
}

// Pause stops a forward until Resume, over restarts as well. False if there is none of the name.
func (f *Forwards) Pause(name string) (bool, error) { return f.setPaused(name, true) }

// Resume lets it go on.
func (f *Forwards) Resume(name string) (bool, error) { return f.setPaused(name, false) }

func (f *Forwards) setPaused(name string, paused bool) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.runners[name]
	if r == nil {
		return false, nil
	}
	r.setPaused(paused)
	return true, f.ledger.setPaused(r.id, paused)
}
