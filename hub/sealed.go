package hub

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// Inbox takes the summaries of sealed recordings from the store, which begins before the hub does.
type Inbox struct {
	mu      sync.Mutex
	list    []session.Summary
	arrived chan struct{} // holds one value when the list may be filled
}

// NewInbox makes an inbox; its Add is the store's OnSealed.
func NewInbox() *Inbox { return &Inbox{arrived: make(chan struct{}, 1)} }

// Add takes a summary.
func (b *Inbox) Add(sum session.Summary) {
	b.mu.Lock()
	b.list = append(b.list, sum)
	b.mu.Unlock()
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

func (b *Inbox) waiting() []session.Summary {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]session.Summary(nil), b.list...)
}

// done forgets the first n, which are in the index now.
func (b *Inbox) done(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append([]session.Summary(nil), b.list[n:]...)
}

const indexBatch = 1000 // rows in one transaction

// indexSealed writes sealed sessions into the index, many in one transaction, until the context ends.
func (h *Hub) indexSealed(ctx context.Context) {
	for {
		batch := h.inbox.waiting()
		batch = batch[:min(len(batch), indexBatch)]
		if len(batch) == 0 {
			select {
			case <-h.inbox.arrived:
				continue
			case <-ctx.Done():
				return
			}
		}
		if err := h.addSealed(context.WithoutCancel(ctx), batch); err != nil {
			h.logger.Error("the index cannot be written; it will be tried again", "error", err)
			select {
			case <-time.After(time.Second):
				continue
			case <-ctx.Done():
				return
			}
		}
		h.inbox.done(len(batch))
		h.indexed.broadcast()
	}
}

// addSealed writes summaries into the index, with what their screens take.
func (h *Hub) addSealed(ctx context.Context, batch []session.Summary) error {
	h.sizes.Lock()
	defer h.sizes.Unlock()
	batch = slices.Clone(batch)
	for i := range batch {
		if sum := &batch[i]; sum.Terminal != "" {
			sum.Size += h.store.ScreensSize(sum.ID, sum.Start)
		}
	}
	return h.index.Add(ctx, batch)
}

// indexed wakes those who wait until a session is in the index.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) broadcast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// awaitIndexed waits until an ended session is in the index. The store may hold it a moment longer than that.
func (h *Hub) awaitIndexed(ctx context.Context, id session.ID) error {
	is := func(sum session.Summary) bool { return sum.ID == id }
	for {
		next := h.indexed.wait()
		if !slices.ContainsFunc(h.unindexed(), is) {
			return nil
		}
		if rows, err := h.index.Find(ctx, string(id), 1); err != nil || slices.ContainsFunc(rows, is) {
			return err
		}
		select {
		case <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// AwaitRecovered waits until what a crash left has files of its own, and is listed with its name and its counts; behind
// Listed.
func (h *Hub) AwaitRecovered(ctx context.Context) error {
	for {
		next := h.indexed.wait()
		var left []session.ID
		for _, sum := range h.unindexed() { // which may have one for a moment more than the index lacks it
			if h.recovered[sum.ID] {
				left = append(left, sum.ID)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if lacking, err := h.index.Lacking(ctx, left); err != nil || len(lacking) == 0 {
			return err
		}
		select {
		case <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
