package hub

import (
	"context"
	"errors"
	"math"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/screen"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// ErrNoScreen says that nobody can tell what a session's terminal shows.
var ErrNoScreen = errors.New("the session is not recorded (record: off), so nobody knows its screen: watch it while it is live")

// Screen is what a session's terminal shows behind the event of a number, or behind its newest if there are fewer.
// ErrNoScreen if it is not recorded.
func (h *Hub) Screen(ctx context.Context, id session.ID, number uint64) (screen.Screen, error) {
	t, number, err := h.track(ctx, id, number)
	if err != nil {
		return screen.Screen{}, err
	}
	defer h.screens.release(t)
	return h.screens.cache.get(ctx, cachedKey{t.id, number}, func() (screen.Screen, error) {
		tracker, err := t.replay(ctx, number)
		if err != nil {
			return screen.Screen{}, err
		}
		return tracker.Screen(), nil
	})
}

// Terminal is Screen as a terminal of the caller's own; the Screen has no Data, and is always of the event that was asked for.
func (h *Hub) Terminal(ctx context.Context, id session.ID, number uint64) (*terminal.Terminal, screen.Screen, error) {
	t, number, err := h.track(ctx, id, number)
	if err != nil {
		return nil, screen.Screen{}, err
	}
	defer h.screens.release(t)
	tracker, err := t.replay(ctx, number)
	if err != nil {
		return nil, screen.Screen{}, err
	}
	p := tracker.Place()
	return tracker.Terminal(), screen.Screen{Number: p.Number, Time: p.Time, Size: p.Size}, nil
}

// Screens are the places of a session whose screens are kept, in order: from each of them on it can be shown at once. Where
// they are not kept yet, all that was sent is read.
func (h *Hub) Screens(ctx context.Context, id session.ID) (places []screen.Place, err error) {
	t, _, err := h.track(ctx, id, math.MaxUint64)
	if err != nil {
		return nil, err
	}
	defer h.screens.release(t)
	for range 2 { // the second time if the file turned out to be damaged
		release, err := t.approach(ctx, math.MaxUint64)
		if err != nil {
			return nil, err
		}
		release()
		if places, err = t.places(); err == nil {
			return places, nil
		}
	}
	return places, err
}

// places are those of the screens that are kept.
func (t *track) places() (list []screen.Place, err error) {
	last := uint64(0)
	add := func(s recording.Screen) {
		if s.Number > last {
			list = append(list, screen.Place{Number: s.Number, Time: s.Time, Size: s.Size})
			last = s.Number
		}
	}
	t.mu.Lock()
	pending := t.pending
	t.mu.Unlock()
	file := t.screens()
	err = file.Each(add)
	t.doubt(file)
	for _, s := range pending {
		add(s)
	}
	return list, err
}

// track is that of a session, held, and the number of an event of it that there is.
func (h *Hub) track(ctx context.Context, id session.ID, number uint64) (*track, uint64, error) {
	if s := h.live.get(id); s != nil {
		s.flushDelivery()
	}
	t, err := h.screens.hold(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	return t, min(number, t.newest()), nil
}
