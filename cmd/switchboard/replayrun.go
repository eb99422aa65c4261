package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// replay is one run: events are sent in their order, and what is answered is compared as it comes.
type replay struct {
	*ReplayCmd
	conn      net.Conn
	datagrams bool // each event is one, on both sides
	paced     bool // answers are waited for; until one did not come

	sent   tally
	broken error // of sending

	mu      sync.Mutex
	c       comparison
	ended   bool          // no more answers come
	refused bool          // nobody is there: over UDP that is known late
	changed chan struct{} // closed at each change, and made anew
}

const (
	surplusQuiet = 500 * time.Millisecond // how long one waits for more than was expected
	answerBuffer = 64 << 10               // bytes; a datagram fits
)

func newReplay(c *ReplayCmd, conn net.Conn, datagrams bool) *replay {
	return &replay{ReplayCmd: c, conn: conn, datagrams: datagrams, paced: c.Fast, c: comparison{datagrams: datagrams}, changed: make(chan struct{})}
}

// run returns once all is sent and answered, or what is missing does not come. It closes the connection.
func (r *replay) run(ctx context.Context, tape tape, start int64) (replayed, error) {
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer r.conn.Close()
	defer stop()
	context.AfterFunc(ctx, func() { r.conn.Close() })
	running.Go(func() { r.receive(ctx) })
	pages := make(chan page)
	running.Go(func() { tape.feed(ctx, place{}, pages) })
	began := time.Now()
	if err := r.play(ctx, pages, start); err != nil {
		return replayed{}, err
	}
	r.await(ctx, r.Timeout, func() bool { return !r.c.waiting() })
	r.await(ctx, min(surplusQuiet, r.Timeout), func() bool { return r.c.isAnswer && len(r.c.ahead) > 0 })
	if err := ctx.Err(); err != nil {
		return replayed{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.c.finish()
	if r.refused && r.broken == nil {
		r.broken = syscall.ECONNREFUSED
	}
	got := replayed{Same: r.c.differs == nil && r.broken == nil, Sent: r.sent.bytes, Pieces: r.sent.pieces, Expected: r.c.expected.bytes,
		Answered: r.c.answered.bytes, Compared: r.c.same, Took: time.Since(began).Seconds(), Differs: r.c.differs, Gap: r.c.stopped}
	if r.broken != nil {
		got.Broken = plainCause(r.broken).Error()
	}
	return got, nil
}

// play goes through all events.
func (r *replay) play(ctx context.Context, pages <-chan page, start int64) error {
	began, at, last := time.Now(), time.Duration(0), start
	for p := range pages {
		if p.err != nil {
			return p.err
		}
		for i := range p.events {
			e := &p.events[i]
			quiet := micros(e.Time - last)
			if r.MaxWait > 0 {
				quiet = min(quiet, r.MaxWait)
			}
			at, last = at+time.Duration(float64(quiet)/r.Speed), e.Time
			if err := r.event(ctx, e, began.Add(at)); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// event does one event's part, which is due at a time.
func (r *replay) event(ctx context.Context, e *session.Event, due time.Time) error {
	switch e.Kind {
	case session.Received, session.ReceivedEnd:
		if err := r.pace(ctx, due); err != nil {
			return err
		}
		r.send(e)
	case session.Sent, session.SentErr:
		r.expect(ctx, e.Data)
	case session.Unsent:
		n := 0
		for _, digit := range e.Data {
			n = min(n*10+int(digit-'0'), aheadLimit)
		}
		r.mu.Lock()
		r.c.unsend(n)
		r.mu.Unlock()
	case session.Gap:
		r.await(ctx, r.Timeout, func() bool { return !r.c.waiting() }) // what came before it is compared
		r.mu.Lock()
		if r.c.differs == nil && !r.c.waiting() {
			r.c.stop()
		}
		r.mu.Unlock()
	}
	return ctx.Err()
}

// pace waits until the next piece may go: for its time, or with Fast for the answers to those before it.
func (r *replay) pace(ctx context.Context, due time.Time) error {
	if r.Fast {
		r.paced = r.paced && r.await(ctx, r.Timeout, func() bool { return !r.c.waiting() })
		return ctx.Err()
	}
	wait := time.NewTimer(time.Until(due))
	defer wait.Stop()
	for {
		r.mu.Lock()
		ended, changed := r.ended, r.changed
		r.mu.Unlock()
		if ended {
			return nil // nobody is there any more to keep time for
		}
		select {
		case <-wait.C:
			return nil
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send sends a piece, or says that no more comes, unless that has failed before.
func (r *replay) send(e *session.Event) {
	if r.broken != nil {
		return
	}
	if e.Kind == session.ReceivedEnd {
		if half, ok := r.conn.(interface{ CloseWrite() error }); ok {
			half.CloseWrite() // one that is gone already is no failure
		}
		return
	}
	if len(e.Data) == 0 && !r.datagrams {
		return
	}
	r.conn.SetWriteDeadline(time.Now().Add(r.Timeout))
	n, err := r.conn.Write(e.Data)
	r.sent.bytes += uint64(n)
	r.sent.pieces++
	r.broken = err
}

// expect takes what the recording has as an answer. If answers are far behind, it waits for them.
func (r *replay) expect(ctx context.Context, data []byte) {
	r.mu.Lock()
	r.c.add(false, data)
	r.change()
	full := r.c.full(false)
	r.mu.Unlock()
	if full && !r.await(ctx, r.Timeout, func() bool { return !r.c.full(false) }) {
		r.mu.Lock()
		r.c.finish() // they do not come any more
		r.mu.Unlock()
	}
}

// receive takes answers as they come.
func (r *replay) receive(ctx context.Context) {
	buf := make([]byte, answerBuffer)
	for {
		n, err := r.conn.Read(buf)
		r.mu.Lock()
		if n > 0 || err == nil {
			r.c.add(true, buf[:n])
		}
		r.ended, r.refused = err != nil, errors.Is(err, syscall.ECONNREFUSED)
		r.change()
		full := r.c.full(true)
		r.mu.Unlock()
		if err != nil {
			return
		}
		for full && ctx.Err() == nil { // the recording has not come so far: what more is said waits in the socket
			full = !r.await(ctx, time.Hour, func() bool { return !r.c.full(true) })
		}
	}
}

// change wakes all who wait. The lock is held.
func (r *replay) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// await waits until something is so; false if nothing happens for so long, or no answer comes any more.
func (r *replay) await(ctx context.Context, silence time.Duration, is func() bool) bool {
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		r.mu.Lock()
		so, ended, changed := is(), r.ended, r.changed
		r.mu.Unlock()
		if so || ended {
			return so
		}
		select {
		case <-changed:
			quiet.Reset(silence)
		case <-quiet.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
