package hub

import (
	"strings"
	"sync"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// rooms are the recordings of open rooms, to which the records of their members refer.
type rooms struct {
	mu   sync.RWMutex
	logs map[session.ID]roomLog
}

type roomLog struct {
	info session.Info
	log  *recording.Log
}

// TrackRoom makes a room's recording known: it can be found, watched and played back by its id while the room is open.
func (h *Hub) TrackRoom(info session.Info, log *recording.Log) {
	h.rooms.mu.Lock()
	defer h.rooms.mu.Unlock()
	h.rooms.logs[info.ID] = roomLog{info, log}
}

// ForgetRoom is called when the room's recording has ended.
func (h *Hub) ForgetRoom(id session.ID) {
	h.rooms.mu.Lock()
	defer h.rooms.mu.Unlock()
	delete(h.rooms.logs, id)
}

func (r *rooms) get(id session.ID) (l roomLog, open bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	l, open = r.logs[id]
	return l, open
}

// summaries lists the open rooms whose id begins with prefix.
func (r *rooms) summaries(prefix string) []session.Summary {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []session.Summary
	for id, l := range r.logs {
		if strings.HasPrefix(string(id), prefix) {
			list = append(list, session.Summary{Info: l.info, State: session.Live, Totals: l.log.Totals(),
				Events: l.log.Events(), Watchers: l.log.Watchers()})
		}
	}
	return list
}
