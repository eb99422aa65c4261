package hub

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// reindex brings the index up to date with the recordings on disk, which are the truth: those that it lacks are added,
// those that are gone are taken out, and pins are as the files say. It goes hour by hour and a batch at a time, since
// there may be many, and reads only recordings that the index lacks. Sessions may be sealed, pinned and removed
// meanwhile: whatever is written is held against the files once more.
type reindex struct {
	store          *recording.Store
	index          *index.Index
	unread         func(id session.ID, err error) // told of recordings that cannot be read
	added, removed int
}

const reindexBatch = 1000

// Listed is closed once the list of recordings has all of them: at once behind a stop, a while behind a crash. It is closed
// as well if it cannot be brought up to date; the log says so.
func (h *Hub) Listed() <-chan struct{} { return h.listed }

// IsComplete reports whether the list of recordings has all of them.
func (h *Hub) IsComplete() bool { return h.complete.Load() }

// updateIndex brings the index up to date with the recordings, where the last process that had it open could not.
func (h *Hub) updateIndex(ctx context.Context) {
	r := reindex{store: h.store, index: h.index, unread: func(id session.ID, err error) {
		h.logger.Warn("a recording cannot be read, and is not listed", "session", id, "error", err)
	}}
	err := r.run(ctx)
	switch {
	case ctx.Err() != nil:
		return // the next start begins again
	case err != nil:
		h.logger.Error("the index could not be brought up to date with the recordings; the next start tries again",
			"error", err)
	default:
		if r.added+r.removed > 0 {
			h.logger.Info("the index was brought up to date with the recordings", "added", r.added, "removed", r.removed)
		}
		h.complete.Store(true)
	}
	close(h.listed)
}

func (r *reindex) run(ctx context.Context) error {
	hours, err := r.store.Hours()
	if err != nil {
		return err
	}
	done := int64(math.MinInt64) // Unix µs: up to here the index is right
	for _, hour := range hours {
		from, to := hour.UnixMicro(), hour.Add(time.Hour).UnixMicro()
		if err := r.check(ctx, done, from, true); err != nil {
			return err
		}
		if err := r.hour(ctx, hour, from, to); err != nil {
			return err
		}
		done = to
	}
	return r.check(ctx, done, math.MaxInt64, true)
}

func (r *reindex) hour(ctx context.Context, hour time.Time, from, to int64) error {
	files := 0 // that the index has
	err := r.store.Hour(hour, func(recordings, pins []session.ID) error {
		lacking, err := r.index.Lacking(ctx, recordings)
		if err != nil {
			return err
		}
		added, err := r.add(ctx, lacking, from)
		if err != nil {
			return err
		}
		files += len(recordings) - len(lacking) + added
		return r.pin(ctx, pins, from)
	})
	if err != nil {
		return err
	}
	sessions, pinned, err := r.index.Began(ctx, from, to)
	if err != nil || sessions <= files && pinned == 0 {
		return err
	}
	return r.check(ctx, from, to, sessions > files)
}

// add reads recordings of an hour's folder and puts those that can be read into the index.
func (r *reindex) add(ctx context.Context, ids []session.ID, hour int64) (added int, err error) {
	var sums []session.Summary
	for _, id := range ids {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		sum, err := r.store.Summary(id, hour)
		switch {
		case errors.Is(err, recording.ErrNotFound): // removed meanwhile
		case err != nil:
			r.unread(id, err)
		default:
			sums = append(sums, sum)
		}
	}
	if len(sums) == 0 {
		return 0, nil
	}
	if err := r.index.Add(ctx, sums); err != nil {
		return 0, err
	}
	r.added += len(sums)
	var gone []session.ID
	for _, sum := range sums {
		if !r.store.Sealed(sum.ID, sum.Start) {
			gone = append(gone, sum.ID)
		}
	}
	return len(sums) - len(gone), r.index.Delete(ctx, gone...)
}

// pin has the index take for pinned what has a pin in an hour's folder.
func (r *reindex) pin(ctx context.Context, ids []session.ID, hour int64) error {
	if err := r.index.SetPinned(ctx, true, ids...); err != nil {
		return err
	}
	var free []session.ID
	for _, id := range ids {
		if !r.store.Pinned(id, hour) {
			free = append(free, id)
		}
	}
	return r.index.SetPinned(ctx, false, free...)
}

// check takes out of the index what began in a span of time and is not on disk, if files says so, and pins that are
// not.
func (r *reindex) check(ctx context.Context, from, to int64, files bool) error {
	last := index.Card{Start: to - 1}
	for {
		cards, err := r.index.Cards(ctx, from, last, reindexBatch)
		if err != nil || len(cards) == 0 {
			return err
		}
		var gone, free []session.ID
		for _, c := range cards {
			if files && !r.store.Sealed(c.ID, c.Start) {
				gone = append(gone, c.ID)
			} else if c.Pinned && !r.store.Pinned(c.ID, c.Start) {
				free = append(free, c.ID)
			}
		}
		if err := r.index.Delete(ctx, gone...); err != nil {
			return err
		}
		if err := r.index.SetPinned(ctx, false, free...); err != nil {
			return err
		}
		r.removed += len(gone)
		last = cards[len(cards)-1]
	}
}
