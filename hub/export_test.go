package hub

import (
	"context"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// WaitIndexed waits until an ended session is in the index.
func (h *Hub) WaitIndexed(ctx context.Context, id session.ID) error { return h.awaitIndexed(ctx, id) }

// Retain applies a retention now.
func (h *Hub) Retain(ctx context.Context, r Retention) { h.keep = r; h.retain(ctx) }

// LimitOwners sets how long the owner of a session may take to finish it.
func (h *Hub) LimitOwners(d time.Duration) { h.ownerLimit = d }
