package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// List returns sessions, the newest start first: live ones, recorded ones, or with an empty state both.
func (h *Hub) List(ctx context.Context, state session.State, f index.Filter) ([]session.Summary, error) {
	var list []session.Summary
	seen := map[session.ID]bool{}
	add := func(sum session.Summary) {
		if seen[sum.ID] || !f.Match(&sum) {
			return
		}
		seen[sum.ID] = true
		list = append(list, sum)
	}
	if state != session.Recorded {
		h.live.each(func(s *Session) bool {
			add(s.Summary())
			return true
		})
		for _, sum := range h.rooms.summaries("") {
			add(sum)
		}
	}
	if state != session.Live {
		for _, sum := range h.unindexed() {
			add(sum)
		}
		recorded, err := h.index.List(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("list recorded sessions: %w", err)
		}
		for _, sum := range recorded {
			add(sum)
		}
	}
	slices.SortStableFunc(list, func(a, b session.Summary) int {
		switch {
		case a.Start != b.Start && a.Start > b.Start:
			return -1
		case a.Start != b.Start:
			return 1
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	if f.Limit > 0 && len(list) > f.Limit {
		list = list[:f.Limit]
	}
	return list, nil
}

// unindexed are ended sessions that are not in the index yet.
func (h *Hub) unindexed() []session.Summary {
	return append(h.store.Pending(), h.inbox.waiting()...)
}

// Find returns the one session whose id begins with prefix: ErrNotFound if there is none, an *AmbiguousError if there
// are more.
func (h *Hub) Find(ctx context.Context, prefix string) (session.Summary, error) {
	if prefix == "" || len(prefix) > session.MaxIDLen {
		return session.Summary{}, fmt.Errorf("%w: %q", ErrNotFound, prefix)
	}
	found := map[session.ID]session.Summary{}
	if s := h.live.get(session.ID(prefix)); s != nil {
		return s.Summary(), nil
	}
	h.live.each(func(s *Session) bool {
		if strings.HasPrefix(string(s.id), prefix) {
			found[s.id] = s.Summary()
		}
		return true
	})
	for _, sum := range append(h.rooms.summaries(prefix), h.unindexed()...) {
		if strings.HasPrefix(string(sum.ID), prefix) {
			found[sum.ID] = sum
		}
	}
	recorded, err := h.index.Find(ctx, prefix, 10)
	if err != nil {
		return session.Summary{}, fmt.Errorf("find session %q: %w", prefix, err)
	}
	for _, sum := range recorded {
		if _, live := found[sum.ID]; !live {
			found[sum.ID] = sum
		}
	}
	switch len(found) {
	case 0:
		return session.Summary{}, fmt.Errorf("%w: no id begins with %q", ErrNotFound, prefix)
	case 1:
		for _, sum := range found {
			return sum, nil
		}
	}
	ambiguous := &AmbiguousError{Prefix: prefix}
	for id := range found {
		ambiguous.IDs = append(ambiguous.IDs, id)
	}
	slices.Sort(ambiguous.IDs)
	ambiguous.IDs = ambiguous.IDs[:min(10, len(ambiguous.IDs))]
	return session.Summary{}, ambiguous
}

// Pin keeps a recorded session from retention, or gives it back. The pin lies beside the recording; the index follows.
func (h *Hub) Pin(ctx context.Context, id session.ID, pinned bool) error {
	sum, err := h.recorded(ctx, id)
	if err != nil {
		return err
	}
	if err := h.store.SetPinned(sum.ID, sum.Start, pinned); err != nil {
		return fmt.Errorf("pin recording %s: %w", sum.ID, err)
	}
	return h.index.SetPinned(ctx, pinned, sum.ID)
}

// Delete removes a recorded session that is not pinned.
func (h *Hub) Delete(ctx context.Context, id session.ID) error {
	sum, err := h.recorded(ctx, id)
	if err != nil {
		return err
	}
	if sum.Pinned {
		return ErrPinned
	}
	return h.remove(ctx, sum)
}

// recorded returns an ended session that is in the index, waiting for it to get there if it ended just now.
func (h *Hub) recorded(ctx context.Context, id session.ID) (session.Summary, error) {
	sum, err := h.Find(ctx, string(id))
	if err != nil {
		return sum, err
	}
	if sum.State == session.Live {
		return sum, ErrLive
	}
	return sum, h.awaitIndexed(ctx, id)
}

func (h *Hub) remove(ctx context.Context, sum session.Summary) error {
	err := h.store.Remove(sum.ID, sum.Start)
	if errors.Is(err, recording.ErrPinned) { // the index did not know
		if err := h.index.SetPinned(ctx, true, sum.ID); err != nil {
			return err
		}
		return ErrPinned
	}
	if err != nil {
		return fmt.Errorf("remove recording %s: %w", sum.ID, err)
	}
	h.screens.forget(sum.ID)
	return h.index.Delete(ctx, sum.ID)
}

// Send writes bytes to the far end of a live session, as somebody's deed: a note on the record says whose. The error is
// ErrNotLive if it is not live, and wraps ErrCannotSend if it takes no such bytes now.
func (h *Hub) Send(ctx context.Context, id session.ID, by string, data []byte) error {
	if id.Node() != h.node {
		return h.sendRemote(ctx, id, by, data)
	}
	s := h.live.get(id)
	if s == nil || s.over.Load() != nil {
		return ErrNotLive
	}
	if s.lossy() && len(data) > transport.MaxDatagram {
		return fmt.Errorf("%w: a datagram has at most %d bytes", ErrCannotSend, transport.MaxDatagram)
	}
	err := s.send(ctx, by, data)
	var end *session.End
	if errors.As(err, &end) {
		return ErrNotLive
	}
	return err
}
