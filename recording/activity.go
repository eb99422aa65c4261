package recording

import (
	"context"
	"encoding/json"
	"errors"
	"math/bits"
	"sort"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// Activity is how many bytes passed over time, in steps of equal length. What is known of a chunk as a whole is spread
// evenly between its first event and its last.
type Activity struct {
	Start    int64    `json:"start"` // Unix µs
	End      int64    `json:"end"`   // Unix µs, inclusive
	Step     int64    `json:"step"`  // µs
	Received []uint64 `json:"received"`
	Sent     []uint64 `json:"sent"`
	Watched  []Looked `json:"watched,omitempty"` // who looked on, and typed along; the newest 1,000 comings and goings

	start int64 // of the session
}

// Looked is a Watched event: somebody came to look on, or left.
type Looked struct {
	Number uint64 `json:"number"`
	At     int64  `json:"at"` // µs since the session's start
	session.Watch
}

const mostLooked = 1000

// newActivity is that of a session that began at start, as far as end, within since and until; 0 means no limit.
func newActivity(start, end, since, until int64, steps int) *Activity {
	a := &Activity{Start: max(start, since), End: end, start: start}
	if until != 0 {
		a.End = min(end, until)
	}
	length := a.End - a.Start
	if length < 0 { // nothing is there, or a damaged file says times that cannot be
		a.End, length = a.Start, 0
	}
	a.Step = length/int64(steps) + 1
	n := length/a.Step + 1
	a.Received, a.Sent = make([]uint64, n), make([]uint64, n)
	return a
}

// at is the step of a time that is not before the start.
func (a *Activity) at(us int64) int { return int((min(us, a.End) - a.Start) / a.Step) }

// add spreads what passed from one time to another, inclusive.
func (a *Activity) add(t0, t1, received, sent int64) {
	if t1 < a.Start || t0 > a.End {
		return
	}
	a.spread(a.Received, t0, t1, received)
	a.spread(a.Sent, t0, t1, sent)
	for i := a.at(t1); i >= 0 && sent < 0; i-- { // what was never sent after all was the last that was
		back := min(uint64(-sent), a.Sent[i])
		a.Sent[i] -= back
		sent += int64(back)
	}
}

func (a *Activity) spread(steps []uint64, t0, t1, n int64) {
	if n <= 0 {
		return
	}
	first, last := a.at(max(t0, a.Start)), a.at(t1)
	if first == last && t0 >= a.Start && t1 <= a.End {
		steps[first] += uint64(n)
		return
	}
	span := uint64(t1-t0) + 1
	before := func(us int64) uint64 { // how much of it had passed
		hi, lo := bits.Mul64(uint64(n), min(uint64(max(us-t0, 0)), span))
		part, _ := bits.Div64(hi, lo, span)
		return part
	}
	for i := first; i <= last; i++ {
		begin := a.Start + int64(i)*a.Step
		steps[i] += before(min(begin+a.Step, a.End+1)) - before(begin)
	}
}

// chunkReader reads chunks of which it is not known what passed, and those in which somebody came to look on.
type chunkReader struct{ buf, raw []byte }

// addChunk adds a chunk on disk, nothing if it is damaged. It is read where it does not say what passed, and where it lasted
// longer than a step, unless it is large: then much passed all the time.
func (a *Activity) addChunk(ctx context.Context, ref *chunkRef, r *chunkReader) error {
	if ref.t1() < a.Start || ref.t0 > a.End {
		return nil
	}
	even := int64(ref.span) <= a.Step || ref.length > joinSmall
	known := ref.flags&flagPassed != 0 && even
	if known {
		a.add(ref.t0, ref.t1(), int64(ref.passed.received), int64(ref.passed.sent))
		if ref.flags&flagWatched == 0 {
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	raw, buf, h, err := ref.seg.read(ref, r.buf, r.raw)
	r.buf = buf
	if errors.Is(err, errMoved) {
		return err
	}
	if err != nil {
		return nil
	}
	if h.flags&flagZstd != 0 {
		r.raw = raw
	}
	events, _ := parseEvents(nil, raw, h.first, h.t0)
	a.look(events)
	switch {
	case known:
	case even:
		received, sent := countPassed(events)
		a.add(ref.t0, ref.t1(), received, sent)
	default:
		for i := range events {
			received, sent := countPassed(events[i : i+1])
			a.add(events[i].Time, events[i].Time, received, sent)
		}
	}
	return nil
}

// addOpen adds a chunk in memory, which nobody changes meanwhile.
func (a *Activity) addOpen(c *chunk) {
	a.add(c.t0, c.t1, c.received, c.sent)
	if c.flags&flagWatched != 0 {
		events, _ := parseEvents(nil, c.buf[:c.n], c.first, c.t0)
		a.look(events)
	}
}

// look takes note of who looked on.
func (a *Activity) look(events []session.Event) {
	for i := range events {
		e := &events[i]
		l := Looked{Number: e.Number, At: e.Time - a.start}
		if e.Kind != session.Watched || e.Time < a.Start || e.Time > a.End || json.Unmarshal(e.Data, &l.Watch) != nil {
			continue
		}
		if len(a.Watched) == mostLooked {
			a.Watched = a.Watched[:copy(a.Watched, a.Watched[1:])]
		}
		a.Watched = append(a.Watched, l)
	}
}

// Activity is how many bytes passed, in at most so many steps, from the session's start to its last event, or to now
// while it lives; and within since and until, Unix µs, if they are not 0.
func (l *Log) Activity(ctx context.Context, since, until int64, steps int) (a *Activity, err error) {
	err = l.settled(func() error { a, err = l.activity(ctx, since, until, steps); return err },
		func(r *Recording) error { a, err = r.Activity(ctx, since, until, steps); return err })
	return a, err
}

// activityBatch is how many chunks are taken from a log at once, which cannot go on meanwhile.
const activityBatch = 1024

func (l *Log) activity(ctx context.Context, since, until int64, steps int) (*Activity, error) {
	start := l.about.Describe().Start
	l.mu.Lock()
	end := l.last
	if l.seldom().end == nil {
		end = max(end, time.Now().UnixMicro())
	}
	next := uint64(1) // the number of an event: the places of chunks change when some are joined
	if i := sort.Search(len(l.durable), func(i int) bool { return l.durable[i].t1() >= since }); i < len(l.durable) {
		next = l.durable[i].first
	} else if i > 0 {
		next = l.durable[i-1].last() + 1
	}
	l.mu.Unlock()
	a := newActivity(start, end, since, until, steps)
	batch := make([]chunkRef, activityBatch)
	var r chunkReader
	for {
		l.mu.Lock()
		if l.seldom().sealed != "" {
			l.mu.Unlock()
			return nil, errSealed
		}
		n := copy(batch, l.durable[sort.Search(len(l.durable), func(i int) bool { return l.durable[i].first >= next }):])
		if n == 0 {
			for _, c := range l.pending {
				a.addOpen(c)
			}
			if c := l.open; c != nil && c.count > 0 {
				a.addOpen(c)
			}
			l.mu.Unlock()
			return a, nil
		}
		l.mu.Unlock()
		next = batch[n-1].last() + 1
		for i := range batch[:n] {
			if err := a.addChunk(ctx, &batch[i], &r); err != nil {
				return nil, err
			}
		}
	}
}

// Activity is that of Log.
func (r *Recording) Activity(ctx context.Context, since, until int64, steps int) (*Activity, error) {
	if r.log != nil {
		return r.log.Activity(ctx, since, until, steps)
	}
	end := r.sum.Start
	if n := len(r.entries); n > 0 {
		end = r.entries[n-1].ref.t1()
	}
	a := newActivity(r.sum.Start, end, since, until, steps)
	var reader chunkReader
	for i := range r.entries {
		if err := a.addChunk(ctx, &r.entries[i].ref, &reader); err != nil {
			return nil, err
		}
	}
	return a, nil
}
