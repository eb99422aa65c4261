package room

import (
	"cmp"
	"maps"
	"slices"
)

// List is the rooms that are open, by name.
func (r *Rooms) List() []*Room {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.open), func(a, b *Room) int { return cmp.Compare(a.name, b.name) })
}
