package web

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// stream sends a viewer the events of one session, in batches, in a goroutine of its own: what there is, then what
// comes. It sends no more than its window until the viewer says that it took some, and rests between batches; what it
// does not send waits in the recording.
type stream struct {
	viewer *viewer
	number int64
	id     session.ID
	events *hub.Events

	recorded bool // it reads a recording, and holds a file open
	ask      watchAsk
	window   int64
	pace     time.Duration
	cancel   context.CancelFunc
	done     chan struct{}

	taken atomic.Int64  // bytes
	news  chan struct{} // holds one value when some were taken

	// owned by run
	batch  batch
	sent   int64 // bytes
	resume time.Time
	skip   uint64
	follow bool
}

// How many bytes may wait for a viewer before its streams do, and how often they look whether it has read: ever less often,
// since 200 connections that do not read, of 64 streams each, would take two processors for it. It is less than what has the
// live list leave it out: streams leave room for that.
const (
	streamBehind = boardBehind / 2
	streamLook   = 20 * time.Millisecond // at first
	streamSeldom = 640 * time.Millisecond
)

// errStreamEnd says that all that was asked for has been read.
var errStreamEnd = errors.New("the stream has ended")

// run sends until there is no more, and then tells the viewer so, unless it has gone.
func (st *stream) run(ctx context.Context) {
	defer close(st.done)
	defer st.close()
	s := st.viewer.viewers.server
	if st.follow {
		s.pace.enter()
		defer s.pace.leave()
	}
	err := st.copy(ctx)
	if ctx.Err() != nil {
		return
	}
	var over any = struct{}{}
	if !errors.Is(err, errStreamEnd) && !errors.Is(err, io.EOF) {
		over = st.viewer.failure("events", err)
	}
	st.viewer.streams.finish(st, func() { st.viewer.socket.Emit("over", st.number, over) })
}

func (st *stream) close() {
	st.events.Close()
	if st.recorded {
		st.viewer.viewers.recordings.Add(-1)
	}
}

// copy returns why it ended: io.EOF or errStreamEnd where all was sent.
func (st *stream) copy(ctx context.Context) error {
	for {
		events, err := st.events.TryNext()
		if len(events) == 0 && err == nil {
			if len(st.batch.buf) > 0 {
				if waited, err := st.await(ctx); err != nil {
					return err
				} else if !waited { // else there may be more by now
					st.flush(ctx)
				}
				continue
			}
			if !st.follow {
				return errStreamEnd
			}
			st.batch.idle()
			events, err = st.events.Next(ctx)
		}
		if sendErr := st.add(ctx, events); sendErr != nil {
			return sendErr
		}
		if err != nil {
			return errors.Join(err, st.last(ctx))
		}
	}
}

// add puts events into the batch, and sends it each time that it is full.
func (st *stream) add(ctx context.Context, events []session.Event) error {
	for i := range events {
		e := &events[i]
		if st.ask.To != 0 && e.Number > st.ask.To {
			return errors.Join(errStreamEnd, st.last(ctx))
		}
		if st.skip > 0 {
			if e.Number == st.ask.From {
				st.skip--
				continue
			}
			st.skip = 0
		}
		if st.batch.full(e, int(min(batchBytes, st.window))) {
			if _, err := st.await(ctx); err != nil {
				return err
			}
			st.flush(ctx)
		}
		st.batch.add(e)
		if e.Number == st.ask.To {
			st.follow = false // more of that number may be there, but none will come
		}
	}
	return nil
}

// last sends what is left.
func (st *stream) last(ctx context.Context) error {
	if len(st.batch.buf) == 0 {
		return nil
	}
	_, err := st.await(ctx)
	if err == nil {
		st.flush(ctx)
	}
	return err
}

func (st *stream) flush(ctx context.Context) {
	if st.ask.Screen && st.batch.resized > 0 {
		st.addScreen(ctx)
	}
	st.viewer.socket.Emit("events", st.number, st.batch.buf) // an error means that the viewer is gone
	st.sent += int64(len(st.batch.buf))
	st.batch.sent()
	st.resume = time.Now().Add(max(st.pace, st.viewer.viewers.server.pace.apart()))
}

// await waits until the batch may be sent. It reports whether that took any time.
func (st *stream) await(ctx context.Context) (waited bool, err error) {
	look := streamLook
	for ctx.Err() == nil {
		var rest time.Duration
		underway := st.sent - st.taken.Load()
		switch {
		case underway > 0 && underway+int64(len(st.batch.buf)) > st.window:
			select {
			case <-st.news:
			case <-ctx.Done():
			}
			waited = true
			continue
		case st.viewer.socket.Client().Waiting() > streamBehind:
			rest, look = look, min(2*look, streamSeldom)
		default:
			if rest = time.Until(st.resume); rest <= 0 {
				return waited, nil
			}
		}
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		waited = true
	}
	return waited, ctx.Err()
}

// took gives room back in the window.
func (st *stream) took(bytes int64) {
	st.taken.Add(bytes)
	select {
	case st.news <- struct{}{}:
	default:
	}
}
