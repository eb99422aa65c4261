package web

import (
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// SetBodyLimit changes how long a body may take, and returns what changes it back.
func SetBodyLimit(d time.Duration) (restore func()) {
	was := bodyLimit
	bodyLimit = d
	return func() { bodyLimit = was }
}

// Changed tells viewers of a change, as REST does.
func (h *Handler) Changed(id session.ID, what string) { h.server.changed(id, what) }
