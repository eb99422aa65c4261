package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// causeSlots gives each cause a counter.
var causeSlots = func() (slots [14]session.Cause) {
	copy(slots[:], session.Causes)
	return slots
}()

// Stats are this node's counts since it started.
type Stats struct {
	Live          int                      `json:"live"`
	Watchers      int                      `json:"watchers"`
	Opened        uint64                   `json:"opened"`
	Ended         map[session.Cause]uint64 `json:"ended"`
	ReceivedBytes uint64                   `json:"received_bytes"`
	SentBytes     uint64                   `json:"sent_bytes"`
	Recorded      int                      `json:"recorded"`       // recordings kept
	RecordedBytes int64                    `json:"recorded_bytes"` // their size on disk
	Removed       uint64                   `json:"removed"`        // by retention
	Sockets       int64                    `json:"sockets"`        // that sessions hold
	SocketLimit   int64                    `json:"socket_limit"`
	Recording     recording.Stats          `json:"recording"`
	RecordingErr  string                   `json:"recording_error,omitempty"` // why recordings cannot be written now
}

func (h *Hub) count(e *session.End, t session.Totals) {
	for i, cause := range causeSlots {
		if cause == e.Cause {
			h.ended[i].Add(1)
		}
	}
	h.received.Add(t.ReceivedBytes)
	h.sent.Add(t.SentBytes)
}

// Stats counts what this node did and does.
func (h *Hub) Stats(ctx context.Context) (Stats, error) {
	st := Stats{Opened: h.opened.Load(), Ended: map[session.Cause]uint64{}, ReceivedBytes: h.received.Load(),
		SentBytes: h.sent.Load(), Removed: h.removed.Load(), Sockets: h.sockets.used.Load(), SocketLimit: h.sockets.limit,
		Recording: h.store.Stats()}
	for i, cause := range causeSlots {
		st.Ended[cause] = h.ended[i].Load()
	}
	h.live.each(func(s *Session) bool {
		sum := s.Summary()
		st.Live++
		st.Watchers += sum.Watchers
		st.ReceivedBytes += sum.ReceivedBytes
		st.SentBytes += sum.SentBytes
		return true
	})
	if err := h.store.Err(); err != nil {
		st.RecordingErr = err.Error()
	}
	var err error
	st.Recorded, st.RecordedBytes, err = h.index.Count(ctx)
	return st, err
}

// Listeners lists what listens, by name.
func (h *Hub) Listeners() []ListenerStatus {
	h.mu.Lock()
	list := make([]ListenerStatus, 0, len(h.listeners))
	for _, l := range h.listeners {
		list = append(list, l.Status())
	}
	h.mu.Unlock()
	slices.SortFunc(list, func(a, b ListenerStatus) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// RecordingErr is why recordings cannot be written now, nil if they can.
func (h *Hub) RecordingErr() error { return h.store.Err() }
