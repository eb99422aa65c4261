package forward

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// runner is one forward: the feeds that have something for it, in the order in which they got it, and the workers that
// take them to the target.
type runner struct {
	f        *Forwards
	id       int64 // in the ledger; fixed once it is configured, as created
	created  int64 // Unix µs
	searched bool  // what was on record when it began is among its feeds; owned by who configures, and by the search

	conf   Config // guarded by Forwards.mu, as target; workers have their own
	target target

	ctx     context.Context // guarded by Forwards.mu: of the workers
	cancel  context.CancelFunc
	working sync.WaitGroup

	mu         sync.Mutex
	turn       sync.Cond // somebody may go on: something is ready, or what kept them from it is over
	head, tail *feed     // ready
	halted     bool
	paused     bool
	stopped    bool // the target refused, and the configuration says: stop
	away       bool // it is tried again later
	failures   int  // in a row
	behind     int  // feeds with something to deliver

	unwritten []*feed             // whose place is not in the ledger
	finished  []doneRow           // as well
	done      map[session.ID]bool // of what an earlier process left, what is delivered; nil once that does not matter

	state     string // as it was last seen, and since when, Unix µs
	since     int64
	delivered uint64
	retried   uint64
	refused   uint64
	err       error // the newest, nil once something was delivered again
	errAt     int64 // Unix µs
	warned    bool  // the log says that the target is away,
	warnedAt  int64 // and said so then, Unix µs
}

func newRunner(f *Forwards, c Config, t target) *runner {
	r := &runner{f: f, conf: c, target: t, halted: true, since: time.Now().UnixMicro(), cancel: func() {}}
	r.turn.L = &r.mu
	return r
}

// begin starts the workers, with all that is on record first where a forward is to begin there.
func (r *runner) begin(c Config, t target) {
	ctx, cancel := context.WithCancel(context.Background())
	r.ctx, r.cancel = ctx, cancel
	r.mu.Lock()
	r.halted, r.away, r.stopped, r.failures = false, false, false, 0
	r.mu.Unlock()
	start := func() {
		for range c.Parallel {
			w := newWorker(r, c, t)
			r.working.Go(func() { w.run(ctx) })
		}
	}
	if r.searched {
		start()
		return
	}
	r.working.Go(func() {
		if err := r.f.findAll(ctx, r, c); err != nil && ctx.Err() == nil {
			r.f.logger.Error("recordings cannot be listed: a forward begins with what comes from now on", "forward", c.Name, "error", err)
		}
		if ctx.Err() != nil {
			return // the next to begin searches again
		}
		if err := errors.Join(r.f.commit(), r.f.ledger.setSearched(r.id)); err != nil {
			r.f.logger.Error("places of forwards cannot be written; after a crash more is delivered again", "error", err)
		}
		r.searched = true
		start()
	})
}

// halt ends the workers, and waits for them. Feeds stay as they are.
func (r *runner) halt() {
	r.cancel()
	r.mu.Lock()
	r.halted = true
	r.turn.Broadcast()
	r.mu.Unlock()
	r.working.Wait()
	r.target.close()
}

// news has a feed read, now or once whoever reads it has done so.
func (r *runner) news(fd *feed) {
	r.mu.Lock()
	switch fd.state.Load() {
	case resting:
		r.push(fd)
	case busy:
		fd.state.Store(busyNews)
	}
	r.mu.Unlock()
}

// unblock is news of a feed that may go on.
func (r *runner) unblock(fd *feed) {
	r.mu.Lock()
	switch fd.state.Load() {
	case blocked:
		r.push(fd)
	case busy:
		fd.state.Store(busyNews)
	}
	r.mu.Unlock()
}

// push puts a feed behind the others; r.mu is held.
func (r *runner) push(fd *feed) {
	fd.state.Store(queued)
	fd.next = nil
	if r.tail == nil {
		r.head = fd
	} else {
		r.tail.next = fd
	}
	r.tail = fd
	r.count(fd, true)
	r.turn.Signal()
}

// pushFront puts a feed before the others; r.mu is held.
func (r *runner) pushFront(fd *feed) {
	fd.state.Store(queued)
	fd.next = r.head
	r.head = fd
	if r.tail == nil {
		r.tail = fd
	}
	r.count(fd, true)
	r.turn.Signal()
}

// count has the feed among those with something to deliver, or not; r.mu is held.
func (r *runner) count(fd *feed, on bool) {
	if fd.counted == on {
		return
	}
	fd.counted = on
	if !on {
		r.behind--
		fd.since = 0
		return
	}
	r.behind++
	if fd.since == 0 {
		fd.since = time.Now().UnixMicro()
	}
}

// pop takes the first that is ready, nil if there is none.
func (r *runner) pop() *feed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stands() {
		return nil
	}
	for {
		fd := r.head
		if fd == nil {
			return nil
		}
		if r.head = fd.next; r.head == nil {
			r.tail = nil
		}
		fd.next = nil
		if fd.state.Load() != gone {
			fd.state.Store(busy)
			return fd
		}
	}
}

// stands reports whether nothing is to be delivered now; r.mu is held.
func (r *runner) stands() bool { return r.halted || r.paused || r.stopped || r.away }

// await waits until something is ready and may be delivered, and reports whether the worker is to go on.
func (r *runner) await() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.halted && (r.stands() || r.head == nil) {
		r.turn.Wait()
	}
	return !r.halted
}

// isIdle reports whether a worker would wait.
func (r *runner) isIdle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stands() || r.head == nil
}

// note has a feed's place written; r.mu is held.
func (r *runner) note(fd *feed) {
	if !fd.unwritten {
		fd.unwritten = true
		r.unwritten = append(r.unwritten, fd)
	}
}

// finish has it written that nothing of a session is left for the forward; r.mu is held.
func (r *runner) finish(id session.ID) {
	r.finished = append(r.finished, doneRow{id, time.Now().UnixMicro()})
	if r.done != nil {
		r.done[id] = true
	}
}

// release gives a feed back in a state; runner.mu is held.
func (fd *feed) release(state uint32) {
	r := fd.runner
	was := fd.state.Load()
	switch {
	case was == gone:
	case state == gone:
		fd.state.Store(gone)
		r.count(fd, false)
	case was == busyNews || state == queued:
		r.push(fd)
	default:
		fd.state.Store(state)
		r.count(fd, state == blocked)
	}
}

// warnEvery is how often, at most, the log says of one target that it is away: some come and go.
const warnEvery = time.Minute

// failed has everybody wait, longer each time; with wait also until that returns.
func (r *runner) failed(ctx context.Context, c Config, err error, after time.Duration, wait func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err, r.errAt = err, time.Now().UnixMicro()
	if !r.warned && r.errAt-r.warnedAt > warnEvery.Microseconds() {
		r.warned, r.warnedAt = true, r.errAt
		r.f.logger.Warn("a forward's target does not take what it is given; it is tried again", "forward", c.Name, "error", err)
	}
	if r.away || r.halted {
		return
	}
	r.away = true
	delay := min(c.RetryMin<<min(r.failures, 10), c.RetryMax)
	if wait != nil && r.failures == 0 {
		delay = 0
	}
	if delay <= 0 && wait == nil {
		delay = c.RetryMax
	}
	delay = max(delay, after)
	r.failures++
	r.working.Go(func() {
		if wait != nil {
			wait(ctx)
		}
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		r.mu.Lock()
		r.away = false
		r.turn.Broadcast()
		r.mu.Unlock()
	})
}

// took says that the target took messages, or refused some and is rid of them; r.mu is held.
func (r *runner) took(c Config, delivered, refused int, why error) {
	r.delivered += uint64(delivered)
	r.refused += uint64(refused)
	r.failures = 0
	if refused > 0 {
		r.f.logger.Error("a forward's target refuses messages: they are passed over", "forward", c.Name, "messages", refused, "error", why)
		r.err, r.errAt = why, time.Now().UnixMicro()
		return
	}
	if r.err != nil && delivered > 0 {
		r.err, r.errAt = nil, 0
	}
	if r.warned && delivered > 0 {
		r.warned = false
		r.f.logger.Info("a forward's target takes what it is given again", "forward", c.Name)
	}
}

// stopFor stops the forward until somebody resumes it.
func (r *runner) stopFor(c Config, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	r.err, r.errAt = err, time.Now().UnixMicro()
	r.f.logger.Error("a forward's target refuses what it is given: it stands until it is resumed", "forward", c.Name, "error", err)
}

func (r *runner) setPaused(paused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = paused
	if !paused {
		r.stopped = false
	}
	r.turn.Broadcast()
}

// sameConfig reports whether nothing changes.
func sameConfig(a, b Config) bool { return configText(a) == configText(b) }
