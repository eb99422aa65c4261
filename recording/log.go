package recording

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// Policy is how one session is recorded.
type Policy struct {
	Record    session.Record
	OnFailure session.OnFailure
	// Yields has little of the session wait for the disk while much waits in all. It is for sessions of programs that may
	// send without end: they wait sooner than others, and leave the queue's memory to those.
	Yields bool
}

// Describer tells what is known of a session; *session.Info is one. It must be safe to ask at any time.
type Describer interface{ Describe() session.Info }

// Participant is a Describer that takes part in its recording.
type Participant interface {
	Describer
	// RecordingFailed is called once if the recording fails and OnFailure is end, under no lock of the Log; see Ready.
	RecordingFailed(err error)
	// BeforeEvent is called under no lock of the Log right before another event than Delivered is recorded, or the
	// recording ends; see SetBefore. It is for references that are recorded late.
	BeforeEvent()
}

// Errors of a Log.
var (
	ErrInterrupted = errors.New("the session is ending")
	ErrEnded       = errors.New("the recording has ended")
)

// Log is the recording of one live session: it takes events, numbers and times them, and shows them to cursors. It is
// safe for concurrent use. It lives on after End until its file is sealed.
type Log struct {
	store *Store
	id    session.ID
	about Describer

	mu       sync.Mutex
	open     *chunk
	pending  []*chunk   // submitted, not durable yet; or, if not recorded, kept for watchers
	durable  []chunkRef // on disk, in order
	next     uint64     // number of the next event
	last     int64      // time of the newest event, Unix µs
	totals   session.Totals
	received int64 // time of the newest Received
	sent     int64 // time of the newest Sent
	rare     *rare // nil until something in it is needed
	watchers atomic.Int32
	off      bool  // policy: not recorded
	strict   bool  // policy: each event at once
	endFails bool  // policy: the session ends if the recording fails
	yields   bool  // policy: see Policy.Yields
	told     bool  // see Ready
	precedes bool  // see SetBefore
	class    uint8 // of the next chunk
	stopped  bool  // Interrupt was called
	dirty    bool  // in the sweeper's list
	heralded bool  // in the herald's list
	recount  bool  // totals are not known: found after a crash

	// owned by the journal's encoder
	stubborn uint8
	skip     uint8
}

// rare is what few logs need, and idle ones do not. Log.mu guards it.
type rare struct {
	name      string           // the newest
	news      chan struct{}    // closed when there is something new; nil while nobody waits
	end       *session.End     // set once
	kept      int              // bytes in pending, if not recorded
	committed chan struct{}    // closed at a commit, or when waiting is over; nil while nobody waits
	sealed    string           // the file, once it is complete
	lost      session.Missing  // not recorded since the recording failed
	dead      error            // why nothing is recorded any more; OnFailure is end
	part      *segment         // the session's own file while it lives, if the journal was shortened
	stale     bool             // it has records that are no longer needed: joined with others, or not whole
	whole     uint64           // the event up to which it was found whole; of recovery
	done      *session.Summary // the file is complete, but perhaps not durable; owned by the sealer
	unwatched func()           // see OnUnwatched
}

var nothingRare rare

// seldom is l.rare for reading.
func (l *Log) seldom() *rare {
	if l.rare == nil {
		return &nothingRare
	}
	return l.rare
}

// needRare is l.rare for writing.
func (l *Log) needRare() *rare {
	if l.rare == nil {
		l.rare = &rare{}
	}
	return l.rare
}

// ID is the session's.
func (l *Log) ID() session.ID { return l.id }

func (l *Log) recorded() bool { return !l.off }

// Append records an event with a copy of data, which may be of any length: what exceeds an event's limit becomes more
// than one. It waits while too much waits for the disk, and returns the number of the (last) event.
func (l *Log) Append(k session.Kind, data []byte) (uint64, error) {
	l.lock(k)
	defer l.mu.Unlock()
	for len(data) > maxEventData {
		if _, err := l.append(k, data[:maxEventData]); err != nil {
			return 0, err
		}
		data = data[maxEventData:]
	}
	return l.append(k, data)
}

// append is Append of what one event holds; l.mu is held.
func (l *Log) append(k session.Kind, data []byte) (uint64, error) {
	c, err := l.room(eventHeader + len(data))
	if err != nil {
		return 0, err
	}
	if c == nil {
		return l.miss(k, data), nil
	}
	copy(c.buf[c.n+eventHeader:], data)
	number := l.commitEvent(c, k, len(data), time.Now())
	if k == session.Named {
		l.needRare().name = string(data)
	}
	if k == session.Opened || l.strict {
		l.submit()
	}
	return number, nil
}

// Fill lets read put bytes straight into the recording: it is called once, with l's lock held, must not wait, and what
// it returns is recorded as one event. If it returns no bytes, nothing is recorded and its error comes back unchanged.
func (l *Log) Fill(k session.Kind, read func(p []byte) (int, error)) (Held, error) {
	l.lock(k)
	defer l.mu.Unlock()
	c, err := l.room(0)
	if err != nil {
		return Held{}, err
	}
	unrecorded := c == nil
	if unrecorded {
		c = newChunk(max(l.class, 1), 0)
		defer c.release()
	}
	n, err := read(c.buf[c.n+eventHeader : min(len(c.buf), c.n+eventHeader+maxEventData)])
	if n <= 0 {
		if c.count == 0 && !unrecorded {
			l.open = nil
			c.release()
		}
		return Held{}, err
	}
	data := c.buf[c.n+eventHeader : c.n+eventHeader+n : c.n+eventHeader+n]
	if unrecorded {
		return Held{Data: data, Number: l.miss(k, data), chunk: c.hold()}, nil
	}
	h := Held{Data: data, chunk: c.hold()}
	h.Number = l.commitEvent(c, k, n, time.Now())
	if l.strict {
		l.submit()
	}
	return h, nil
}

// room returns the open chunk with place for need bytes, or, if need is 0, for a read of some size. It returns nil
// where the event can only be counted. l.mu is held, and given back while it waits for the disk.
func (l *Log) room(need int) (*chunk, error) {
	for {
		if l.seldom().end != nil {
			return nil, ErrEnded
		}
		if l.stopped && need == 0 {
			return nil, ErrInterrupted
		}
		if l.seldom().dead != nil {
			return nil, l.seldom().dead
		}
		failing := l.recorded() && l.store.failing.Load()
		if failing && !l.endFails {
			l.submit()
			return nil, nil
		}
		if l.seldom().lost.Events > 0 && !failing {
			l.submit()
			l.recordGap()
		}
		if c := l.open; c != nil {
			free := len(c.buf) - c.n
			enough := need > 0 && free >= need || need == 0 && free >= len(c.buf)/4
			if enough && (c.count == 0 || l.last-c.t0 < maxChunkSpan.Microseconds()) {
				return c, nil
			}
			l.grow(c)
			if l.reuse(c, need) {
				return c, nil
			}
			l.submit()
		}
		if !l.recorded() {
			return l.fresh(need), nil
		}
		if l.stopped || !l.waits() {
			return l.fresh(need), nil
		}
		l.mu.Unlock()
		l.store.awaitSpace(l)
		l.mu.Lock()
	}
}

// What may wait for the disk of a log that yields.
const (
	yieldsAt = 16 // of the queue's limit a part, from which on
	yieldsTo = 4  // chunks are enough
)

// waits reports whether too much waits for the disk for more of l; l.mu is held.
func (l *Log) waits() bool {
	queued, limit := l.store.queued.Load(), l.store.opt.QueueLimit
	return queued >= limit || l.yields && queued >= limit/yieldsAt && len(l.pending) >= yieldsTo
}

// maxChunkSpan keeps the offsets within a chunk far below 2^32 µs; the sweeper closes chunks long before.
const maxChunkSpan = 10 * time.Minute

// fresh opens a chunk; l.mu is held.
func (l *Log) fresh(need int) *chunk {
	c := newChunk(max(l.class, classFor(need)), need)
	c.log = l
	l.open = c
	return c
}

// reuse empties the chunk of a session that is neither recorded nor watched, if nobody else holds it.
func (l *Log) reuse(c *chunk, need int) bool {
	if l.recorded() || l.watchers.Load() > 0 || c.refs.Load() > 1 || need > len(c.buf) || l.class > c.class {
		return false
	}
	c.n, c.count, c.first, c.received, c.sent = 0, 0, 0, 0, 0
	return true
}

// grow chooses the next chunk's size: larger while chunks fill quickly.
func (l *Log) grow(c *chunk) {
	if time.Since(c.since) < 50*time.Millisecond && c.n > len(c.buf)/2 {
		l.class = min(max(l.class, c.class+1), ownClass-1)
	}
}

// commitEvent completes the event whose data lies behind the chunk's filled part; l.mu is held.
func (l *Log) commitEvent(c *chunk, k session.Kind, n int, at time.Time) uint64 {
	us := max(at.UnixMicro(), l.last)
	if c.count > 0 {
		us = min(us, c.t0+math.MaxUint32) // where the clock was set forward, the next chunk has its time
	} else {
		c.first, c.t0, c.since = l.next, us, at
		if !l.dirty {
			l.dirty = true
			l.store.addDirty(l)
		}
	}
	putEventHeader(c.buf[c.n:], k, n, uint32(us-c.t0))
	data := c.buf[c.n+eventHeader:][:n]
	c.n += eventHeader + n
	c.count++
	c.t1 = us
	switch k {
	case session.Opened:
		c.flags |= flagOpens
	case session.Closed:
		c.flags |= flagCloses
	case session.Watched:
		c.flags |= flagWatched
	}
	number := l.next
	l.next++
	l.last = us
	before := l.totals
	l.tally(k, data, us)
	c.tally(k, n, &before, &l.totals)
	l.wake()
	if c.n >= l.store.opt.ChunkSize {
		l.grow(c)
		l.submit()
	}
	return number
}

func (l *Log) tally(k session.Kind, data []byte, us int64) {
	l.totals.CountEvent(k, data)
	switch k {
	case session.Received, session.Typed:
		l.received = us
	case session.Sent, session.SentErr:
		l.sent = us
	}
}

// miss counts an event that cannot be recorded now; l.mu is held. It takes no number: the gap will.
func (l *Log) miss(k session.Kind, data []byte) uint64 {
	l.tally(k, data, time.Now().UnixMicro())
	l.needRare().lost.Events++
	l.needRare().lost.Bytes += uint64(len(data))
	l.store.unrecorded.Add(1)
	return 0
}

// recordGap puts what was missed on the record; l.mu is held.
func (l *Log) recordGap() {
	missing := l.seldom().lost
	missing.Reason = "recording failed"
	l.needRare().lost = session.Missing{}
	data := session.JSON(missing)
	c := l.fresh(eventHeader + len(data))
	copy(c.buf[eventHeader:], data)
	l.commitEvent(c, session.Gap, len(data), time.Now())
}

// submit hands the open chunk to the journal; l.mu is held.
func (l *Log) submit() {
	c := l.open
	if c == nil {
		return
	}
	l.open = nil
	if c.count == 0 {
		c.release()
		return
	}
	c.sum()
	if l.recorded() {
		l.pending = append(l.pending, c)
		l.store.enqueue(c)
		return
	}
	if l.watchers.Load() == 0 {
		c.release()
		return
	}
	l.keepForWatchers(c)
}

// Flush closes the open chunk now.
func (l *Log) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.submit()
}

// Interrupt ends every wait in l with ErrInterrupted, now and from now on. Events can still be appended until End.
func (l *Log) Interrupt() {
	l.mu.Lock()
	l.stopped = true
	l.wakeCommitted()
	l.mu.Unlock()
	l.store.wakeSpace()
}

func (l *Log) wakeCommitted() {
	if l.seldom().committed != nil {
		close(l.seldom().committed)
		l.needRare().committed = nil
	}
}

// End records how the session ended and hands the recording over to be sealed. It does not wait. The first end wins.
func (l *Log) End(e session.End) {
	l.lock(session.Closed)
	defer l.mu.Unlock()
	if l.seldom().end != nil {
		return
	}
	l.stopped = true
	if !l.recorded() {
		l.needRare().end = &e
		if l.watchers.Load() > 0 {
			l.closeOff(&e)
		}
		l.wake()
		return
	}
	if l.seldom().lost.Events > 0 {
		l.submit()
		l.recordGap()
	}
	l.closeOff(&e)
	l.needRare().end = &e
	l.store.ended(l)
	l.submit()
	l.precedes = false
}

// SetBefore has the Participant's BeforeEvent called before each event from now on, or no more.
func (l *Log) SetBefore(on bool) {
	l.mu.Lock()
	l.precedes = on
	l.mu.Unlock()
}

// lock takes l.mu for an event of kind k, behind what the Participant records before it.
func (l *Log) lock(k session.Kind) {
	l.mu.Lock()
	if l.precedes && k != session.Delivered {
		l.mu.Unlock()
		l.about.(Participant).BeforeEvent()
		l.mu.Lock()
	}
}

// Ready says that the Participant can be told of a failure from now on; it is told at once if there was one.
func (l *Log) Ready() {
	l.mu.Lock()
	dead := l.seldom().dead
	l.told = dead == nil
	l.mu.Unlock()
	if dead != nil {
		l.about.(Participant).RecordingFailed(dead)
	}
}

// Totals counts what passed.
func (l *Log) Totals() session.Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.totals
}

// Events is how many events there are.
func (l *Log) Events() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next - 1
}

// LastActivity is when the newest Received or Sent event came, Unix µs; 0 if there was none. What somebody typed along is
// activity as what was received is.
func (l *Log) LastActivity(k session.Kind) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k == session.Sent {
		return l.sent
	}
	return l.received
}

// OnUnwatched has f called each time that the last of the cursors which count as watchers is closed, under no lock of l. f must
// not wait; nil ends that.
func (l *Log) OnUnwatched(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.needRare().unwatched = f
}

// Watchers is how many cursors are open.
func (l *Log) Watchers() int { return int(l.watchers.Load()) }

// summary is the session as lists show it; l.mu is held.
func (l *Log) summary() session.Summary {
	sum := session.Summary{Info: l.about.Describe(), State: session.Live, Totals: l.totals, Events: l.next - 1,
		Watchers: int(l.watchers.Load())}
	if l.seldom().name != "" {
		sum.Name = l.seldom().name
	}
	if end := l.seldom().end; end != nil {
		sum.SetEnd(*end)
	}
	return sum
}
