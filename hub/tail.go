package hub

import (
	"context"
	"errors"
	"io"

	"github.com/switchboard-relay/switchboard/session"
)

// Tail is the number of an event of a live session from which on at most so many bytes were received and sent, with the
// events between; number 1 if there were no more.
func (h *Hub) Tail(ctx context.Context, id session.ID, bytes int64) (from uint64, err error) {
	s := h.live.get(id)
	if s == nil {
		return 0, ErrNotLive
	}
	last := s.log.Events()
	if from, err = h.Before(ctx, id, last+1, bytes); err != nil {
		return 0, err
	}
	events, err := h.Events(ctx, id, from)
	if err != nil {
		return 0, err
	}
	defer events.Close()
	return events.tail(last, bytes)
}

// tail reads up to an event, and returns the number of the first behind which are no more bytes than that.
func (e *Events) tail(last uint64, bytes int64) (from uint64, err error) {
	type piece struct {
		number uint64
		size   int64
	}
	var kept []piece // the newest events that fit
	sum := int64(0)
	from = e.Position()
	for {
		batch, err := e.TryNext()
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for i := range batch {
			size := int64(len(batch[i].Data))
			kept, sum = append(kept, piece{batch[i].Number, size}), sum+size
			for sum > bytes {
				from, sum = kept[0].number+1, sum-kept[0].size
				kept = kept[1:]
			}
		}
		if len(batch) == 0 || err != nil || batch[len(batch)-1].Number >= last {
			return from, nil
		}
	}
}
