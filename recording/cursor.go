package recording

import (
	"context"
	"errors"
	"io"
	"sort"

	"github.com/switchboard-relay/switchboard/session"
)

// Cursor reads a session's events in order, each exactly once: from disk, from memory, and then as they come. It pulls:
// one that reads slowly reads from disk, and one that does not read costs nothing. A cursor is for one goroutine.
type Cursor struct {
	log  *Log
	rec  *Recording
	own  bool // rec was opened by the cursor
	mute bool // it counts as no watcher
	next uint64

	held    *chunk // being read from memory
	heldOff int    // where its event number next begins
	buf     []byte
	raw     []byte
	events  []session.Event
	closed  bool
}

// Cursor reads the events from number from on: 1 is the first. It counts as a watcher until it is closed.
func (l *Log) Cursor(from uint64) *Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.recorded() && l.watchers.Load() == 0 {
		if c := l.open; c != nil {
			l.open = nil // what nobody watched is not kept
			c.release()
		}
	}
	l.watchers.Add(1)
	from = max(from, 1)
	if !l.recorded() && len(l.pending) == 0 && (l.open == nil || l.open.count == 0) {
		from = max(from, l.next)
	}
	return &Cursor{log: l, next: from}
}

// Reader is Cursor for the program's own needs, and counts as no watcher: of a session that is not recorded it sees nothing.
func (l *Log) Reader(from uint64) *Cursor { return &Cursor{log: l, next: max(from, 1), mute: true} }

// Close ends the reading. It may be called more than once.
func (c *Cursor) Close() {
	if c.closed {
		return
	}
	c.closed = true
	c.drop()
	if c.own {
		c.rec.Close()
	}
	l := c.log
	if l == nil || c.mute {
		return
	}
	if last := l.unwatch(); last != nil {
		last()
	}
}

// unwatch takes a watcher away, and returns what is to be called if it was the last.
func (l *Log) unwatch() func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watchers.Add(-1) > 0 {
		return nil
	}
	if !l.recorded() {
		for len(l.pending) > 0 {
			l.dropKept()
		}
		l.pending = nil
	}
	return l.seldom().unwatched
}

// Seek makes number the next event to be read.
func (c *Cursor) Seek(number uint64) {
	c.drop()
	c.next = max(number, 1)
}

// Position is the number of the event that is read next, or of the first one behind it that there is.
func (c *Cursor) Position() uint64 { return c.next }

func (c *Cursor) drop() {
	if c.held != nil {
		c.held.release()
		c.held = nil
	}
}

// Next returns the next events, at least one, valid until the next call. It waits for them while the session lives, and
// returns io.EOF after the last. What is damaged or was not kept shows as a Gap event in its place.
func (c *Cursor) Next(ctx context.Context) ([]session.Event, error) {
	for {
		events, err := c.TryNext()
		if len(events) > 0 || err != nil {
			return events, err
		}
		l := c.log
		l.mu.Lock()
		if l.next > c.next || l.seldom().end != nil {
			l.mu.Unlock()
			continue
		}
		if l.seldom().news == nil {
			l.needRare().news = make(chan struct{})
		}
		news := l.rare.news
		l.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// TryNext is Next for those who must not wait: nil, nil where Next would.
func (c *Cursor) TryNext() ([]session.Event, error) {
	if c.closed {
		return nil, io.ErrClosedPipe
	}
	for {
		if c.rec != nil {
			return c.fromFile()
		}
		events, err := c.fromLog()
		switch {
		case errors.Is(err, errMoved):
			continue
		case errors.Is(err, errSealed):
			if err := c.openSealed(); err != nil {
				return nil, err
			}
			continue
		}
		return events, err
	}
}

var errSealed = errors.New("the recording has a file of its own now")

// openSealed goes on in the file that the log became.
func (c *Cursor) openSealed() error {
	rec, err := c.log.file()
	if err != nil {
		return err
	}
	c.drop()
	c.rec, c.own = rec, true
	return nil
}

func (c *Cursor) fromFile() ([]session.Event, error) {
	entries := c.rec.entries
	i := sort.Search(len(entries), func(i int) bool { return entries[i].ref.last() >= c.next })
	if i == len(entries) {
		return nil, io.EOF
	}
	return c.fromDisk(&entries[i].ref)
}

// fromDisk returns the events of a chunk from c.next on; a hole before it, or damage in it, is a Gap.
func (c *Cursor) fromDisk(ref *chunkRef) ([]session.Event, error) {
	if ref.first > c.next {
		return c.gap(ref.first-c.next, ref.t0, "damaged"), nil
	}
	raw, buf, h, err := ref.seg.read(ref, c.buf, c.raw)
	c.buf = buf
	if errors.Is(err, errMoved) {
		return nil, err
	}
	if err == nil {
		if h.flags&flagZstd != 0 {
			c.raw = raw
		}
		c.events, err = parseEvents(c.events[:0], raw, h.first, h.t0)
	}
	if err != nil || uint64(len(c.events)) != uint64(ref.count) {
		return c.gap(ref.last()+1-c.next, ref.t0, "damaged"), nil
	}
	return c.give(c.events[c.next-ref.first:]), nil
}

func (c *Cursor) give(events []session.Event) []session.Event {
	c.next = events[len(events)-1].Number + 1
	return events
}

// gap is one event that stands for n that are missing.
func (c *Cursor) gap(n uint64, at int64, reason string) []session.Event {
	data := session.JSON(session.Missing{Events: n, Reason: reason})
	c.events = append(c.events[:0], session.Event{Number: c.next, Time: at, Kind: session.Gap, Data: data})
	c.next += n
	return c.events
}

func (c *Cursor) fromLog() ([]session.Event, error) {
	l := c.log
	l.mu.Lock()
	if l.seldom().sealed != "" {
		l.mu.Unlock()
		return nil, errSealed
	}
	if c.next <= l.durableTo() {
		i := sort.Search(len(l.durable), func(i int) bool { return l.durable[i].last() >= c.next })
		ref := l.durable[i]
		l.mu.Unlock()
		c.drop()
		return c.fromDisk(&ref)
	}
	for _, p := range l.pending {
		if last := p.first + uint64(p.count) - 1; c.next <= last {
			return c.fromMemory(p, p.n)
		}
	}
	if o := l.open; o != nil && o.count > 0 && c.next < o.first+uint64(o.count) {
		return c.fromMemory(o, o.n)
	}
	ended := l.seldom().end != nil && c.next >= l.next
	l.mu.Unlock()
	if ended {
		return nil, io.EOF
	}
	return nil, nil
}

// fromMemory returns the events of the first n bytes of a chunk from c.next on. The log's lock is held and given back.
func (c *Cursor) fromMemory(p *chunk, n int) ([]session.Event, error) {
	l := c.log
	first, t0, count := p.first, p.t0, p.count
	if first > c.next {
		l.mu.Unlock()
		return c.gap(first-c.next, t0, "lagged"), nil
	}
	same := c.held == p && c.next > first
	if !same {
		p.hold()
	}
	l.mu.Unlock()
	from, off := first, 0
	if same {
		from, off = c.next, c.heldOff
	} else {
		c.drop()
		c.held = p
	}
	events, err := parseEvents(c.events[:0], p.buf[off:n], from, t0)
	if err != nil || from+uint64(len(events)) != first+uint64(count) {
		return nil, errPayload
	}
	c.events, c.heldOff = events, n
	return c.give(events[c.next-from:]), nil
}

// NumberAt is the number of the first event at or after a Unix time in µs; one more than the last if there is none.
func (l *Log) NumberAt(us int64) (n uint64, err error) {
	err = l.settled(func() error { n, err = l.numberAt(us); return err },
		func(r *Recording) error { n, err = r.NumberAt(us); return err })
	return n, err
}

// file opens the file that the log became.
func (l *Log) file() (*Recording, error) {
	l.mu.Lock()
	path := l.seldom().sealed
	l.mu.Unlock()
	return openSealed(path)
}

// settled asks the log, again while its chunks move, and once it is sealed its file.
func (l *Log) settled(ask func() error, askFile func(*Recording) error) error {
	for {
		err := ask()
		switch {
		case errors.Is(err, errMoved):
			continue
		case errors.Is(err, errSealed):
			r, err := l.file()
			if err != nil {
				return err
			}
			defer r.Close()
			return askFile(r)
		}
		return err
	}
}

func (l *Log) numberAt(us int64) (uint64, error) {
	l.mu.Lock()
	if l.seldom().sealed != "" {
		l.mu.Unlock()
		return 0, errSealed
	}
	i := sort.Search(len(l.durable), func(i int) bool { return l.durable[i].t1() >= us })
	if i < len(l.durable) {
		ref := l.durable[i]
		l.mu.Unlock()
		return numberIn(&ref, us)
	}
	chunks := append([]*chunk(nil), l.pending...)
	if l.open != nil {
		chunks = append(chunks, l.open)
	}
	defer l.mu.Unlock()
	for _, c := range chunks {
		if c.count == 0 || c.t1 < us {
			continue
		}
		events, _ := parseEvents(nil, c.buf[:c.n], c.first, c.t0)
		for _, e := range events {
			if e.Time >= us {
				return e.Number, nil
			}
		}
	}
	return l.next, nil
}
