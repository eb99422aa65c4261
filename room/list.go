package room

import (
	"cmp"
	"maps"
	"slices"

	"github.com/switchboard-relay/switchboard/session"
)

// Status is a room as lists show it.
type Status struct {
	Name    string          `json:"name"`
	Members int             `json:"members"` // of every transport
	Offset  uint64          `json:"offset"`  // of the newest message of its log; 0: none yet
	Epoch   string          `json:"epoch"`   // offsets of another mean nothing here
	Mapping session.Mapping `json:"mapping"` // as it works, defaults included
	Session session.ID      `json:"session"` // the room's own recording now
}

// List are the rooms that are open, by name.
func (r *Rooms) List() []*Room {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.open), func(a, b *Room) int { return cmp.Compare(a.name, b.name) })
}

// Find is the open room of a name, nil if there is none.
func (r *Rooms) Find(name string) *Room {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[name]
}

// Status tells of the room now.
func (r *Room) Status() Status {
	m := r.conf.Mapping
	m.Format, m.Event = cmp.Or(m.Format, session.FormatText), m.EventName()
	s := Status{Name: r.name, Members: r.countPresent(), Epoch: r.epoch, Mapping: m}
	r.stopped.Lock()
	defer r.stopped.Unlock()
	s.Offset, s.Session = r.offset, r.Info().ID
	return s
}

// countPresent is how many Present are.
func (r *Room) countPresent() int {
	r.presence.mu.Lock()
	defer r.presence.mu.Unlock()
	return len(r.presence.members)
}
