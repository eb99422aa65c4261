package hub

import (
	"cmp"
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// Retention says how long recordings are kept. Pinned ones are always kept. Zero means no limit.
type Retention struct {
	MaxAge  time.Duration // since the session ended
	MaxSize int64         // of all recordings together, bytes
	Every   time.Duration // how often it is seen to, in whole seconds; 0: each half minute
}

const (
	sweepEvery  = time.Second
	retainEvery = 30 * time.Second
	flushAfter  = 10 * time.Second // how late a room's deliveries may be referred to on a member's record
)

// sweep does what has to be done now and then, until the context ends.
func (h *Hub) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	retain := max(1, int(cmp.Or(h.keep.Every, retainEvery)/sweepEvery))
	for round := 0; ; round++ {
		if round%retain == 0 {
			h.retain(ctx, h.keep)
		}
		if round > 0 && round%int(flushAfter/sweepEvery) == 0 {
			h.live.each(func(s *Session) bool { s.flushDelivery(); return true })
		}
		h.endIdle()
		h.trimMemory()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

const (
	trimAfter = 2000 // sessions that came or went
	trimCalm  = 100  // a second with less is calm
	trimAgain = 4    // calm seconds later, when what is written behind was written
)

// trimMemory gives memory back to the system in the first calm second after many sessions came or went: what they
// needed to begin and to end is several times what they need to live. It does so once more a little later, since others
// write behind what came and went.
func (h *Hub) trimMemory() {
	changes := h.opened.Load()*2 - uint64(h.live.len())
	calm := changes-h.lastChanges < trimCalm
	h.lastChanges = changes
	if calm && changes-h.lastTrim >= trimAfter {
		h.lastTrim, h.trimLeft = changes, trimAgain
		debug.FreeOSMemory()
		return
	}
	if calm && h.trimLeft > 0 {
		if h.trimLeft--; h.trimLeft == 0 {
			debug.FreeOSMemory()
		}
	}
}

// endIdle ends sessions that no goroutine of the hub waits in, which have no read deadline to do it.
func (h *Hub) endIdle() {
	h.live.each(func(s *Session) bool {
		if limit := s.listener.idle(); limit > 0 && s.keeper != attendant && s.quietFor() >= limit {
			s.end(session.End{Cause: session.Idle})
		}
		return true
	})
}

const (
	retainAtOnce = 200    // recordings that are looked at together
	mostHeld     = 20_000 // that are passed over in one round; behind them, older ones wait
)

// retain removes recordings that are too old or too many, the oldest first. Those that are held are passed over.
func (h *Hub) retain(ctx context.Context, keep Retention) {
	for held, more := 0, true; more && held <= mostHeld; {
		held, more = h.retainBatch(ctx, keep, held)
	}
}

// retainBatch removes some, behind those of which so many are held, and reports how many are now.
func (h *Hub) retainBatch(ctx context.Context, keep Retention, passed int) (held int, more bool) {
	if keep.MaxAge <= 0 && keep.MaxSize <= 0 {
		return 0, false
	}
	_, size, err := h.index.Count(ctx)
	if err != nil {
		h.logger.Error("retention: the index cannot be read", "error", err)
		return 0, false
	}
	oldest, err := h.index.Oldest(ctx, retainAtOnce+passed)
	if err != nil || len(oldest) <= passed {
		return 0, false
	}
	before := int64(0)
	if keep.MaxAge > 0 {
		before = time.Now().Add(-keep.MaxAge).UnixMicro()
	}
	for _, sum := range oldest {
		tooOld := sum.End < before
		tooMuch := keep.MaxSize > 0 && size > keep.MaxSize
		if !tooOld && !tooMuch || ctx.Err() != nil {
			return held, false
		}
		if h.holds != nil && h.holds(sum.ID) {
			held++
			continue
		}
		err := h.remove(ctx, sum)
		if errors.Is(err, ErrPinned) {
			continue
		}
		if err != nil {
			h.logger.Error("retention: a recording cannot be removed", "session", sum.ID, "error", err)
			return held, false
		}
		size -= sum.Size
		h.removed.Add(1)
	}
	return held, true
}
