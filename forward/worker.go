package forward

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// target is where a forward goes. Its batches are built by one worker each; it is asked to deliver them by as many at once as
// there are workers.
type target interface {
	// add puts a message, borrowed, into a batch.
	add(b *batch, m *message)
	// deliver returns nil once the target has the batch; what it never will take it counts in b.refused.
	deliver(ctx context.Context, b *batch) error
	// single says that a batch is of one stream alone.
	single() bool
	close()
}

// waiter is a target that knows when to try again.
type waiter interface {
	wait(ctx context.Context) error
}

// ender is a target that wants to know when all of a session was delivered.
type ender interface{ ended(id session.ID) }

// retryAfter is an error of a target that said when to try again.
type retryAfter struct {
	error
	after time.Duration
}

// refusedError says that the target will never take what it was given.
type refusedError struct{ error }

// message is one message on its way, borrowed.
type message struct {
	*frame.Message
	stream *stream
	person *person
	at     int64  // Unix µs
	from   int64  // of a single target: where its bytes begin, behind those of the message before
	raw    []byte // of it: all bytes from there to the message's end
}

// batch is messages as they will be sent.
type batch struct {
	data    []byte
	ends    []int   // in data, of each message, where the target needs it
	names   []byte  // of each message, what the target needs beside it
	nameEnd []int   // in names
	stream  *stream // of a single target
	start   int64   // of it: where the batch begins in all that was received
	count   int     // messages
	refused int     // of them, that the target never will take,
	why     error   // and why the newest
	online  int     // devices connected when the stream that is being read was
}

func (b *batch) reset() {
	if cap(b.data) > 4*batchBytes {
		b.data = nil
	}
	b.data, b.ends, b.names, b.nameEnd = b.data[:0], b.ends[:0], b.names[:0], b.nameEnd[:0]
	b.stream, b.count, b.refused, b.why = nil, 0, 0, nil
}

// visit is what a worker did with one feed.
type visit struct {
	feed  *feed
	to    place
	since int64 // time of the last message that is in the batch, Unix µs
	over  bool  // nothing is left, and nothing more will come
	more  bool  // the batch was full
	due   int64 // when silence ends a message, Unix µs
	rest  time.Duration
}

// worker fills batches and delivers them.
type worker struct {
	r      *runner
	conf   Config
	target target
	events *hub.Reader
	batch  batch
	visits []visit

	// of the visit
	cutter  frame.Reader
	feed    *feed
	visited visit
	message message
	after   int64
	number  uint64 // of the event that is being cut
	length  int    // of its data
	base    int64  // where its data begin in all that was received
	trail   []step // the events since the last message
	raw     []byte // of a single target: what was received since the last message
	took    func(*frame.Message) error
}

// step is an event, and where its bytes begin in all that was received.
type step struct {
	number uint64
	base   int64
}

func newWorker(r *runner, c Config, t target) *worker {
	w := &worker{r: r, conf: c, target: t, events: r.f.hub.NewReader()}
	w.took = w.take
	return w
}

func (w *worker) run(ctx context.Context) {
	defer w.events.Rest()
	for {
		if w.r.isIdle() {
			w.rest()
			if !w.r.await() {
				return
			}
		}
		w.fill(ctx)
		if w.batch.count == 0 {
			w.settle()
			continue
		}
		limited, cancel := context.WithTimeout(ctx, w.conf.Timeout)
		err := w.target.deliver(limited, &w.batch)
		cancel()
		var refused refusedError
		var lane laneError
		switch {
		case err == nil:
			w.settle()
		case errors.As(err, &refused):
			w.r.stopFor(w.conf, err) // before others could take it
			w.giveBack()
		case errors.As(err, &lane):
			w.putOff(err)
		default:
			var told retryAfter
			errors.As(err, &told)
			var wait func(context.Context) error
			if t, waits := w.target.(waiter); waits {
				wait = t.wait
			}
			if ctx.Err() == nil {
				if errors.Is(err, context.DeadlineExceeded) {
					err = w.tooLate()
				}
				w.failed(ctx, err, told.after, wait) // before others could take it
			}
			w.giveBack()
		}
	}
}

// restKeeps is how large a worker's memory for batches may be while it waits, bytes.
const restKeeps = 64 << 10

// rest lets go of what a worker that waits does not need.
func (w *worker) rest() {
	w.events.Rest()
	if cap(w.batch.data) > restKeeps {
		w.batch.data = nil
	}
	if cap(w.raw) > restKeeps {
		w.raw = nil
	}
	if cap(w.visits) > mostVisits {
		w.visits = nil
	}
}

// tooLate is what a target failed with that said nothing for as long as it has.
func (w *worker) tooLate() error {
	if w.conf.JetStream {
		return fmt.Errorf("no stream stored it within %v: is there one for %s?", w.conf.Timeout, w.conf.To)
	}
	return fmt.Errorf("it did not take it within %v", w.conf.Timeout)
}

func (w *worker) failed(ctx context.Context, err error, after time.Duration, wait func(context.Context) error) {
	w.r.mu.Lock()
	w.r.retried += uint64(w.batch.count)
	w.r.mu.Unlock()
	w.r.failed(ctx, w.conf, err, after, wait)
}

// mostVisits is how many feeds are read before their places move on, where none of their messages is for this forward.
const mostVisits = 256

// fill reads what is ready into the batch, until it is full or nothing more is.
func (w *worker) fill(ctx context.Context) {
	w.batch.reset()
	w.visits = w.visits[:0]
	var deadline time.Time
	for {
		fd := w.r.pop()
		if fd == nil {
			if w.conf.Linger <= 0 || w.batch.count == 0 || ctx.Err() != nil {
				return
			}
			if deadline.IsZero() {
				deadline = time.Now().Add(w.conf.Linger)
			}
			if !w.r.linger(deadline) {
				return
			}
			continue
		}
		if !w.isFree(fd) {
			continue
		}
		w.visits = append(w.visits, w.visit(fd))
		if w.isFull() || w.batch.count == 0 && len(w.visits) >= mostVisits || w.batch.count > 0 && w.target.single() {
			return
		}
	}
}

func (w *worker) isFull() bool {
	return w.batch.count >= w.conf.Batch || len(w.batch.data) >= batchBytes
}

// linger waits for something to be ready until a deadline, and reports whether it is.
func (r *runner) linger(deadline time.Time) bool {
	alarm := time.AfterFunc(time.Until(deadline), func() {
		r.mu.Lock()
		r.turn.Broadcast()
		r.mu.Unlock()
	})
	defer alarm.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.head == nil && !r.stands() && time.Now().Before(deadline) {
		r.turn.Wait()
	}
	return r.head != nil && !r.stands()
}

// besideAfter is how long a device's newer session waits for an older one that has not ended: by then the two go on beside
// each other, as a fleet may let them.
const besideAfter = time.Second

// isFree reports whether a feed may be read: a device's older sessions come first. If not it is given back.
func (w *worker) isFree(fd *feed) bool {
	if fd.free.Load() {
		return true
	}
	f, r := w.r.f, w.r
	f.mu.Lock()
	defer f.mu.Unlock()
	older := fd.stream.olderOf(r)
	wait := time.Duration(0)
	if older != nil && !older.isOver() {
		if wait = besideAfter - time.Since(time.UnixMicro(fd.stream.named.Load())); wait <= 0 {
			older = nil
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if older == nil {
		fd.free.Store(true)
		return fd.state.Load() != gone
	}
	fd.release(blocked)
	if wait > 0 {
		time.AfterFunc(wait, func() { r.unblock(fd) })
	}
	return false
}

// settle moves on the places of all that were read: what is in the batch was delivered.
func (w *worker) settle() {
	r := w.r
	over := false
	r.mu.Lock()
	if w.batch.count > 0 {
		r.took(w.conf, w.batch.count-w.batch.refused, w.batch.refused, w.batch.why)
	}
	for i := range w.visits {
		v := &w.visits[i]
		fd := v.feed
		if fd.state.Load() == gone {
			continue
		}
		if fd.offset != v.to.pos.Offset {
			r.note(fd)
		}
		fd.setPosition(v.to)
		if v.since != 0 {
			fd.since = v.since
		}
		switch {
		case v.over:
			over = true
			fd.release(gone)
			r.finish(fd.stream.id)
		case v.more:
			fd.release(queued)
		case v.rest > 0:
			fd.state.Store(busy)
			fd.release(blocked)
		default:
			fd.release(resting)
		}
	}
	r.mu.Unlock()
	for i := range w.visits {
		w.later(&w.visits[i])
	}
	if over {
		if t, wants := w.target.(ender); wants {
			for i := range w.visits {
				if w.visits[i].over {
					t.ended(w.visits[i].feed.stream.id)
				}
			}
		}
		r.f.mu.Lock()
		for i := range w.visits {
			if w.visits[i].over {
				r.f.unfeed(w.visits[i].feed)
			}
		}
		r.f.mu.Unlock()
	}
}

// later has a feed read again when silence has ended its message.
func (w *worker) later(v *visit) {
	r, fd := w.r, v.feed
	if v.rest > 0 && !v.over && !v.more {
		time.AfterFunc(v.rest, func() { r.unblock(fd) })
		return
	}
	if v.due == 0 || v.over || v.more {
		return
	}
	time.AfterFunc(time.Until(time.UnixMicro(v.due))+time.Millisecond, func() { r.news(fd) })
}

// giveBack puts all that were read where they were, before the others: nothing of the batch was delivered.
func (w *worker) giveBack() {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	for i := len(w.visits) - 1; i >= 0; i-- {
		if fd := w.visits[i].feed; fd.state.Load() != gone {
			w.r.pushFront(fd)
		}
	}
}

// putOff has what one device's connection did not take tried again later.
func (w *worker) putOff(err error) {
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retried += uint64(w.batch.count)
	r.err, r.errAt = err, time.Now().UnixMicro()
	for i := range w.visits {
		fd := w.visits[i].feed
		if fd.state.Load() == gone {
			continue
		}
		fd.state.Store(busy)
		fd.release(blocked)
		time.AfterFunc(w.conf.RetryMin, func() { r.unblock(fd) })
	}
}

// configText is a configuration in a form that can be compared.
func configText(c Config) string {
	text := fmt.Sprintf("%#v", c)
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		value, err := secret(c.Headers[name]) // a file may have another now
		text += fmt.Sprintf(" %q %v", value, err)
	}
	return text
}
