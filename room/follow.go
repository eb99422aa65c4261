package room

import (
	"slices"

	"github.com/switchboard-relay/switchboard/session"
)

// Follower is told all that is said in a room, once and in order.
type Follower interface {
	// Said is called for each message, and, where the room has Presence, for each member that comes or goes. The bytes
	// are borrowed. It may wait a little, which holds up the room.
	Said(m Message)
}

// Message is one message of a room, and where its recording keeps it.
type Message struct {
	session.RoomMessage        // Offset is that of the room's log
	Number              uint64 // of its event
	Recording           session.ID
}

type following struct{ Follower }

// Follow has f told what is said from now on: behind the offset that it returns. Unfollow ends that: f is not called
// any more when it returns.
func (r *Room) Follow(f Follower) (offset uint64, unfollow func(), err error) {
	r.stopped.Lock()
	defer r.stopped.Unlock()
	if r.closed.Load() {
		return 0, nil, ErrClosed
	}
	entry := &following{f}
	r.followers = append(r.followers, entry)
	return r.offset, func() {
		r.stopped.Lock()
		defer r.stopped.Unlock()
		r.followers = slices.DeleteFunc(r.followers, func(e *following) bool { return e == entry })
	}, nil
}

// Epoch tells this life of the room's log from others: offsets of another mean nothing here.
func (r *Room) Epoch() string { return r.epoch }

// Ref is where the room's recording is now, for the record of one who becomes a member.
func (r *Room) Ref(exclude bool) session.RoomRef {
	r.stopped.Lock()
	defer r.stopped.Unlock()
	return r.ref(exclude)
}

// Config is how the room was opened.
func (r *Room) Config() Config { return r.conf }

// Mapping is how bytes and events become each other here.
func (r *Room) Mapping() *session.Mapping { return &r.conf.Mapping }

// mapping is the room's for its recording; nil where it says nothing.
func (r *Room) mapping() *session.Mapping {
	if r.conf.Mapping == (session.Mapping{}) {
		return nil
	}
	m := r.conf.Mapping
	return &m
}
