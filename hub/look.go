package hub

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// Onlooker is to whom a Look shows a session's terminal. Its methods are called by Look.Run alone, one at a time.
type Onlooker interface {
	// Screen is the whole of what is shown at a time, Unix µs: nothing of before is there any more. Data brings any terminal of that
	// size to it; none is a blank one.
	Screen(size session.Size, at int64, data []byte)
	// Event is what happens then, of any kind, without telnet's commands; borrowed.
	Event(e session.Event)
	// Push sends what there is. It does not wait for the other side to take it.
	Push() error
	// Waiting is how many bytes the other side has not taken.
	Waiting() int
}

// Look shows somebody what a session's terminal shows: the screen, then what comes. Who does not take it is left alone until it has,
// and is shown the screen of then: what was between is passed over.
type Look struct {
	Hub     *Hub
	Session session.Summary
	To      Onlooker

	Behind int           // bytes that may wait before what comes is passed over
	Stuck  time.Duration // how long the other side may take nothing then; 0: for ever

	// Whole shows all from the first event on, and passes nothing over; Due is called before each event then.
	Whole bool
	Due   func(ctx context.Context, at int64) error

	Rest func(ctx context.Context) error // nil, or called between batches

	blank bool // nobody knows the screen
}

// ErrStuck says that the other side of a Look took nothing for too long.
var ErrStuck = errors.New("the viewer takes nothing")

const (
	lookScreen = 30 * time.Second // in which a screen must be found out
	lookAgain  = 20 * time.Millisecond
)

// Run returns io.EOF when the session has ended, of which Onlooker.Event was told and Push was called. Otherwise it ends with ctx,
// with its cause, or with the error of what failed.
func (l *Look) Run(ctx context.Context) error {
	shown, err := l.begin(ctx)
	for err == nil {
		shown, err = l.follow(ctx, shown)
	}
	return err
}

// begin shows the first screen, and returns the number of the last event that is in it.
func (l *Look) begin(ctx context.Context) (uint64, error) {
	if l.Whole {
		l.To.Screen(FirstSize(&l.Session), l.Session.Start, nil)
		return 0, l.To.Push()
	}
	return l.draw(ctx)
}

// FirstSize is that of a session's terminal at first, as an emulator has it.
func FirstSize(sum *session.Summary) session.Size {
	size, ok := session.ParseSize(sum.Terminal)
	if !ok {
		size = session.DefaultSize
	}
	size.Cols, size.Rows = terminal.New(size.Cols, size.Rows).Size()
	return size
}

// draw shows the screen of now. One that nobody knows begins blank.
func (l *Look) draw(ctx context.Context) (shown uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookScreen)
	defer cancel()
	now, err := l.Hub.Screen(ctx, l.Session.ID, math.MaxUint64)
	if errors.Is(err, ErrNoScreen) {
		l.blank = true
		l.To.Screen(FirstSize(&l.Session), time.Now().UnixMicro(), nil)
		return 0, l.To.Push()
	}
	if err != nil {
		return 0, err
	}
	at := now.Time
	if l.Session.State == session.Live {
		at = max(at, time.Now().UnixMicro()) // what comes is not to wait for as long as nothing came
	}
	l.To.Screen(now.Size, at, now.Data)
	return now.Number, l.To.Push()
}

// redraw shows the screen behind a resize: how lines break anew is not the same everywhere. If that cannot be told, the other side
// makes do with the size.
func (l *Look) redraw(ctx context.Context, e session.Event) {
	ctx, cancel := context.WithTimeout(ctx, lookScreen)
	defer cancel()
	shown, err := l.Hub.Screen(ctx, l.Session.ID, e.Number)
	if err != nil || shown.Number != e.Number {
		l.To.Event(e)
		return
	}
	l.To.Screen(shown.Size, e.Time, shown.Data)
}

// follow shows the events behind the screen that was shown until it must be shown anew, and returns the last event of that. It reads
// from the last that was shown: that is the session's end, if it ended meanwhile.
func (l *Look) follow(ctx context.Context, shown uint64) (uint64, error) {
	events, err := l.Hub.Events(ctx, l.Session.ID, shown)
	if err != nil {
		return 0, err
	}
	events.Bare()
	defer events.Close()
	for {
		batch, err := events.Next(ctx)
		if len(batch) > 0 {
			if err := l.showAll(ctx, batch, shown); err != nil {
				return 0, err
			}
		}
		if err != nil {
			return 0, err
		}
		if l.Rest != nil {
			if err := l.Rest(ctx); err != nil {
				return 0, err
			}
		}
		behind, err := l.catchUp(ctx)
		if err != nil {
			return 0, err
		}
		if behind && !l.Whole && !l.blank {
			return l.draw(ctx)
		}
	}
}

func (l *Look) showAll(ctx context.Context, batch []session.Event, shown uint64) error {
	for i, e := range batch {
		if e.Number <= shown && e.Kind != session.Closed {
			continue
		}
		if l.Whole && l.Due != nil {
			if err := l.Due(ctx, e.Time); err != nil {
				return err
			}
		}
		switch {
		case e.Kind != session.Resized:
			l.To.Event(e)
		case l.Whole || !hasResize(batch[i+1:]):
			l.redraw(ctx, e)
		}
	}
	return l.To.Push()
}

func hasResize(batch []session.Event) bool {
	return slices.ContainsFunc(batch, func(e session.Event) bool { return e.Kind == session.Resized })
}

// catchUp waits while much waits for the other side, and reports whether it had to.
func (l *Look) catchUp(ctx context.Context) (behind bool, err error) {
	if l.To.Waiting() <= l.Behind {
		return false, nil
	}
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	for least, since := l.To.Waiting(), time.Now(); least > 0; timer.Reset(lookAgain) {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return true, context.Cause(ctx)
		}
		switch waiting := l.To.Waiting(); {
		case waiting < least:
			least, since = waiting, time.Now()
		case l.Stuck > 0 && time.Since(since) > l.Stuck:
			return true, ErrStuck
		}
	}
	return true, nil
}
