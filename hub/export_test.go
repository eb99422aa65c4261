package hub

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// WaitIndexed waits until an ended session is in the index.
func (h *Hub) WaitIndexed(ctx context.Context, id session.ID) error { return h.awaitIndexed(ctx, id) }

// Retain applies a retention now.
func (h *Hub) Retain(ctx context.Context, r Retention) { h.retain(ctx, r) }

// LimitOwners sets how long the owner of a session may take to finish it.
func (h *Hub) LimitOwners(d time.Duration) { h.ownerLimit = d }

// later is how much later it is for those who keep screens.
var later atomic.Int64

// KeepScreens keeps the screens of what was sent by now, as happens every few seconds.
func (h *Hub) KeepScreens() { h.screensAfter(screensPeriod) }

// RestScreens is what happens when nothing is sent for a while.
func (h *Hub) RestScreens() { h.screensAfter(2 * screensIdle) }

func (h *Hub) screensAfter(d time.Duration) {
	h.screens.round(context.Background(), time.Now().Add(time.Duration(later.Add(int64(d)))))
}

// ScreenTerminals is how many terminals are in memory for keeping screens, and of how many sessions something is known.
func (h *Hub) ScreenTerminals() (terminals, sessions int) {
	for _, t := range h.screens.list() {
		if t.memory.Load() > 0 {
			terminals++
		}
		sessions++
		h.screens.release(t)
	}
	return terminals, sessions
}

// ScreensBehind is how many events of a session are not taken yet by who keeps its screens.
func (h *Hub) ScreensBehind(id session.ID) uint64 {
	t := h.screens.take(id)
	defer h.screens.release(t)
	return t.newest() - t.through.Load()
}

// Live is the recording of a live session.
func (h *Hub) Live(id session.ID) *recording.Log { return h.live.get(id).log }
