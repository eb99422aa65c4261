package hub

import (
	"context"
	"errors"
	"io"
	"math"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/screen"
	"github.com/switchboard-relay/switchboard/session"
)

// track is one session whose screens are kept, or asked for.
type track struct {
	// fixed once it is among the tracks
	hub       *Hub
	id        session.ID
	start     int64
	log       *recording.Log       // of a session that was live then
	recording *recording.Recording // else
	total     uint64               // events, else
	telnet    bool                 // its commands are in what passed

	// guarded by screens.mu
	users int
	used  time.Time
	gone  bool
	waits bool // in the queue

	// guarded by screens.rounds
	seen   uint64
	sent   uint64
	looked time.Time

	turn chan struct{} // who has put a value in owns these:

	tracker *screen.Tracker // nil: at rest
	events  *Events
	bare    *bare           // of what the tracker takes
	batch   []session.Event // read, not yet taken

	through atomic.Uint64 // number of the newest event taken
	memory  atomic.Int64  // bytes of the tracker's terminal
	done    atomic.Bool   // the session has ended, and all was taken
	failed  atomic.Bool   // reading did, and is not tried again

	mu      sync.Mutex
	file    *recording.Screens
	pending []recording.Screen // kept, and not in the file yet
	bytes   int                // of them
}

func newTrack(h *Hub, id session.ID, start int64) *track {
	now := time.Now()
	return &track{hub: h, id: id, start: start, turn: make(chan struct{}, 1), used: now, looked: now}
}

// close lets go of the files. Nobody uses the track.
func (t *track) close() {
	if t.events != nil {
		t.events.Close()
	}
	if t.recording != nil {
		t.recording.Close()
	}
}

// isOver reports whether nothing comes any more.
func (t *track) isOver() bool { return t.done.Load() || t.failed.Load() }

// screens is the file of what was kept.
func (t *track) screens() *recording.Screens {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.file != nil:
	case t.log != nil:
		t.file = t.log.Screens(screen.Version)
	default:
		t.file = t.hub.store.Screens(t.id, t.start, screen.Version, t.total)
		if t.file.Complete() {
			t.done.Store(true)
		}
	}
	return t.file
}

// nearest is the newest screen that is kept at or before an event of a number; that of number 0 is none.
func (t *track) nearest(number uint64) screen.Screen {
	file := t.screens()
	t.mu.Lock()
	i := sort.Search(len(t.pending), func(i int) bool { return t.pending[i].Number > number })
	if i > 0 {
		s := t.pending[i-1]
		t.mu.Unlock()
		return screen.Screen(s)
	}
	t.mu.Unlock()
	s, _ := file.At(number)
	t.doubt(file)
	return screen.Screen(s)
}

// doubt has screens kept again that the file has lost: it is damaged, or gone.
func (t *track) doubt(file *recording.Screens) {
	if t.log == nil && t.done.Load() && !file.Complete() {
		t.through.Store(0)
		t.done.Store(false)
	}
}

// resume is a tracker behind a screen.
func resume(s screen.Screen) *screen.Tracker {
	if s.Number == 0 {
		return screen.New()
	}
	return screen.Resume(s)
}

// open reads the session's events from a number on.
func (t *track) open(from uint64) *Events {
	e := &Events{hub: t.hub, id: t.id, close: func() {}, telnet: t.telnet}
	if t.log != nil {
		e.again = t.log.Reader
	} else {
		e.again = t.recording.Cursor
	}
	e.cursor = e.again(from)
	return e
}

// newest is the number of the newest event.
func (t *track) newest() uint64 {
	if t.log != nil {
		return t.log.Events()
	}
	return t.total
}

// farEvents is how many events are a long way, however few bytes passed: they may be resizes.
const farEvents = 4096

// far reports whether it is a long way from a screen to an event of a number, and one that can be made shorter.
func (t *track) far(from, number uint64) bool {
	from = max(from, t.through.Load())
	if t.done.Load() || number <= from {
		return false
	}
	if number-from > farEvents {
		return true
	}
	var r record = t.log
	if t.log == nil {
		r = t.recording
	}
	before, err := r.Before(number, 2*screensOutput)
	return err == nil && before > from+1
}

// replay is what is shown behind an event of a number.
func (t *track) replay(ctx context.Context, number uint64) (*screen.Tracker, error) {
	from := t.nearest(number)
	if t.far(from.Number, number) {
		release, err := t.approach(ctx, number)
		if err != nil {
			return nil, err
		}
		defer release()
		from = t.nearest(number)
	}
	tracker := resume(from)
	events := t.open(from.Number + 1).Bare()
	defer events.Close()
	for ctx.Err() == nil {
		batch, err := events.TryNext()
		for _, e := range batch {
			if e.Number > number {
				return tracker, nil
			}
			tracker.Take(e)
		}
		if len(batch) == 0 && err == nil || errors.Is(err, io.EOF) {
			return tracker, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, context.Cause(ctx)
}

// approach keeps screens up to an event of a number, and has the rest of them kept later. Few do so at once: until release is
// called.
func (t *track) approach(ctx context.Context, number uint64) (release func(), err error) {
	k := &t.hub.screens
	select {
	case k.builds <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	release = func() { <-k.builds }
	for more := true; more && err == nil; {
		select {
		case t.turn <- struct{}{}:
			more, err = t.advance(number)
			<-t.turn
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	if t.log == nil && !t.isOver() {
		k.complete(t)
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// catchUp takes the events that there are, in so many turns at most, and reports whether there are more. It rests as long as it
// works, so that much output costs half a processor.
func (t *track) catchUp(ctx context.Context, turns int) (more bool) {
	for more = true; more && turns > 0 && ctx.Err() == nil; turns-- {
		began := time.Now()
		t.turn <- struct{}{}
		var err error
		more, err = t.advance(math.MaxUint64)
		<-t.turn
		if err != nil {
			t.failed.Store(true)
			t.hub.logger.Warn("screens of a session cannot be kept", "session", t.id, "error", err)
			return false
		}
		if more {
			select {
			case <-time.After(time.Since(began)):
			case <-ctx.Done():
			}
		}
	}
	return more
}

// advance takes some events, as far as one of a number, and keeps screens. It reports whether there are more. The caller has
// the turn.
func (t *track) advance(number uint64) (more bool, err error) {
	t.screens()
	if t.done.Load() || t.through.Load() > number {
		return false, nil
	}
	if t.tracker == nil {
		t.tracker, t.bare = resume(t.nearest(math.MaxUint64)), nil
	}
	if t.events == nil {
		t.events = t.open(t.tracker.Number() + 1).Bare()
		if t.bare == nil {
			t.bare = t.events.bare
		}
		t.events.bare = t.bare
	}
	defer t.account()
	for read := 0; read < screensSlice; {
		if len(t.batch) == 0 {
			if t.batch, err = t.events.TryNext(); len(t.batch) == 0 {
				return false, t.pause(err)
			}
		}
		e := t.batch[0]
		if e.Number > number {
			return false, nil
		}
		t.keep(e)
		t.tracker.Take(e)
		read += len(e.Data) + 16
		if e.Kind == session.Resized {
			cols, rows := t.tracker.Terminal().Size()
			read += cols * rows / 4 // which is about as much work
		}
		t.batch = t.batch[1:]
	}
	return true, nil
}

// pause is for when there are no more events: for now, or as err says.
func (t *track) pause(err error) error {
	switch {
	case err == nil:
		t.events.Close() // a terminal that waits for more holds no chunk of the recording
		t.events = nil
	case errors.Is(err, io.EOF):
		t.finish()
	default:
		t.rest()
		return err
	}
	return nil
}

// account tells others how far the tracker is, and how large.
func (t *track) account() {
	if t.tracker != nil {
		t.through.Store(t.tracker.Number())
		t.memory.Store(int64(t.tracker.Terminal().Bytes()))
	} else {
		t.memory.Store(0)
	}
}

// keep keeps the screen before an event, if it is due.
func (t *track) keep(e session.Event) {
	if !t.tracker.Due(e) {
		return
	}
	s := t.tracker.Screen()
	t.tracker.Kept(&s)
	if len(s.Data) > recording.MaxScreen {
		return
	}
	t.mu.Lock()
	t.pending = append(t.pending, recording.Screen(s))
	t.bytes += len(s.Data)
	full := len(t.pending) >= recording.ScreensTogether || t.bytes >= recording.ScreenBytesTogether
	t.mu.Unlock()
	if full {
		t.flush(0)
	}
}

// flush puts what is kept into the file, but for what a crash could make untrue: events that are not on disk yet would be others
// then.
func (t *track) flush(events uint64) {
	durable := uint64(math.MaxUint64)
	if t.log != nil && events == 0 {
		durable = t.log.Durable()
	}
	t.mu.Lock()
	n := sort.Search(len(t.pending), func(i int) bool { return t.pending[i].Number > durable })
	list := t.pending[:n:n]
	t.mu.Unlock()
	if n == 0 && events == 0 {
		return
	}
	if err := t.file.Append(list, events); err != nil {
		t.hub.logger.Warn("screens cannot be written; they will be made again when they are needed", "session", t.id, "error", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = append([]recording.Screen(nil), t.pending[n:]...)
	t.bytes = 0
	for _, s := range t.pending {
		t.bytes += len(s.Data)
	}
	if t.bytes > mostPending {
		t.pending, t.bytes = nil, 0
	}
}

// mostPending is how many bytes of screens wait for the disk at most.
const mostPending = 4 * recording.MaxScreen

// finish completes the file of a session that has ended.
func (t *track) finish() {
	t.flush(t.newest())
	t.done.Store(true)
	t.through.Store(t.newest())
	t.stop()
	t.hub.screens.kept(t)
}

// rest lets go of the terminal, until there is something for it. The caller has the turn.
func (t *track) rest() {
	if t.tracker == nil {
		return
	}
	t.flush(0)
	t.stop()
}

func (t *track) stop() {
	if t.events != nil {
		t.events.Close()
	}
	t.tracker, t.events, t.batch = nil, nil, nil
	t.memory.Store(0)
}

// tryRest is rest, unless somebody has the turn.
func (t *track) tryRest() {
	select {
	case t.turn <- struct{}{}:
		t.rest()
		<-t.turn
	default:
	}
}
