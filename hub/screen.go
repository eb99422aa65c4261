package hub

import (
	"context"
	"errors"
	"io"

	"github.com/switchboard-relay/switchboard/screen"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// ErrNoScreen says that nobody can tell what a session's terminal shows.
var ErrNoScreen = errors.New("the session is not recorded (record: off), so nobody knows its screen: watch it while it is live")

// Screen is what a session's terminal shows behind the event of a number, or behind its newest if there are fewer. In the
// midst of a very long sequence it is an earlier one. ErrNoScreen if it is not recorded.
func (h *Hub) Screen(ctx context.Context, id session.ID, number uint64) (screen.Screen, error) {
	t, err := h.screenAt(ctx, id, number)
	if err != nil {
		return screen.Screen{}, err
	}
	s, ok := t.Screen()
	if !ok {
		t = screen.New()
		s, _ = t.Screen()
	}
	return s, nil
}

// Terminal is Screen as a terminal of the caller's own; the Screen has no Data.
func (h *Hub) Terminal(ctx context.Context, id session.ID, number uint64) (*terminal.Terminal, screen.Screen, error) {
	t, err := h.screenAt(ctx, id, number)
	if err != nil {
		return nil, screen.Screen{}, err
	}
	p := t.Place()
	return t.Terminal(), screen.Screen{Number: p.Number, Time: p.Time, Size: p.Size}, nil
}

// Screens are the places of a session whose screens are kept, in order.
func (h *Hub) Screens(ctx context.Context, id session.ID) (places []screen.Place, err error) {
	err = h.follow(ctx, id, screen.New(), func(t *screen.Tracker, e session.Event) bool {
		if t.Due(e) {
			if s, ok := t.Screen(); ok {
				places = append(places, t.Place())
				t.Kept(len(s.Data))
			}
		}
		return true
	})
	return places, err
}

func (h *Hub) screenAt(ctx context.Context, id session.ID, number uint64) (*screen.Tracker, error) {
	t := screen.New()
	err := h.follow(ctx, id, t, func(_ *screen.Tracker, e session.Event) bool { return e.Number <= number })
	return t, err
}

// follow gives a tracker the events behind the one where it is, as far as they are there, until before says no.
func (h *Hub) follow(ctx context.Context, id session.ID, t *screen.Tracker,
	before func(*screen.Tracker, session.Event) bool) error {
	sum, err := h.Find(ctx, string(id))
	if err != nil {
		return err
	}
	if sum.Record == session.RecordOff {
		return ErrNoScreen
	}
	events, err := h.Events(ctx, sum.ID, t.Number()+1)
	if err != nil {
		return err
	}
	defer events.Close()
	for ctx.Err() == nil {
		batch, err := events.TryNext()
		for _, e := range batch {
			if !before(t, e) {
				return nil
			}
			t.Take(e)
		}
		if errors.Is(err, io.EOF) || len(batch) == 0 && err == nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}
