package hub

import (
	"context"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// record is what was recorded of a session, which lives or has ended.
type record interface {
	NumberAt(us int64) (uint64, error)
	Activity(ctx context.Context, since, until int64, steps int) (*recording.Activity, error)
	Before(number uint64, bytes int64) (uint64, error)
}

// record is a session's. The caller calls done when it has been asked.
func (h *Hub) record(ctx context.Context, id session.ID) (_ record, done func(), err error) {
	if log := h.liveLog(id); log != nil {
		return log, func() {}, nil
	}
	if t := h.screens.take(id); t != nil { // its recording is open already
		if t.recording != nil {
			return t.recording, func() { h.screens.release(t) }, nil
		}
		h.screens.release(t)
	}
	sum, err := h.Find(ctx, string(id))
	if err != nil {
		return nil, nil, err
	}
	r, err := h.store.Recording(sum.ID, sum.Start)
	if err != nil {
		return nil, nil, err
	}
	return r, func() { r.Close() }, nil
}

// NumberAt is the number of the session's first event at or after a Unix time in µs.
func (h *Hub) NumberAt(ctx context.Context, id session.ID, us int64) (uint64, error) {
	r, done, err := h.record(ctx, id)
	if err != nil {
		return 0, err
	}
	defer done()
	return r.NumberAt(us)
}

// Activity is how many bytes passed in a session over time: see recording.Log.
func (h *Hub) Activity(ctx context.Context, id session.ID, since, until int64, steps int) (*recording.Activity, error) {
	r, done, err := h.record(ctx, id)
	if err != nil {
		return nil, err
	}
	defer done()
	return r.Activity(ctx, since, until, steps)
}

// Before is the number of an event that lies at least so many bytes before another of the session, or 1: see recording.Log.
func (h *Hub) Before(ctx context.Context, id session.ID, number uint64, bytes int64) (uint64, error) {
	r, done, err := h.record(ctx, id)
	if err != nil {
		return 0, err
	}
	defer done()
	return r.Before(number, bytes)
}
