package room

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// presence is who is in the room.
type presence struct {
	mu      sync.Mutex
	members map[string]session.Present
}

// Present are the room's members, those who have been here longest first.
func (r *Room) Present() []session.Present {
	r.presence.mu.Lock()
	defer r.presence.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.presence.members), func(a, b session.Present) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.ID, b.ID))
	})
}

// Enter counts a member in, once, and has the others told. One that comes back under the same id, with another session, has
// never left. Members by Join need not call it.
func (r *Room) Enter(p session.Present) error {
	p.Since = cmp.Or(p.Since, time.Now().UnixMicro())
	r.presence.mu.Lock()
	old, known := r.presence.members[p.ID]
	if known {
		p.Since = old.Since
	}
	r.presence.put(p)
	r.presence.mu.Unlock()
	if known {
		return nil
	}
	return r.tell(p, session.SaidJoined, r.conf.Announce)
}

// Exit is the end of Enter.
func (r *Room) Exit(id string) error {
	r.presence.mu.Lock()
	p, known := r.presence.members[id]
	delete(r.presence.members, id)
	r.presence.mu.Unlock()
	if !known {
		return nil
	}
	return r.tell(p, session.SaidLeft, r.conf.Farewell)
}

// tell says to the room that somebody came or went.
func (r *Room) tell(p session.Present, kind session.Said, text string) error {
	if r.conf.Presence {
		if err := r.say(session.RoomMessage{From: p.Session, Kind: kind, Bytes: session.JSON(p)}); err != nil {
			return err
		}
	}
	if text == "" {
		return nil
	}
	return r.say(session.RoomMessage{From: p.Session, Others: true, Kind: session.SaidEvent,
		Bytes: r.conf.Mapping.AppendEvent(nil, []byte(text))})
}

// note keeps the members that other nodes hold, as they say it.
func (r *Room) note(m *session.RoomMessage) {
	var who session.Present
	if m.Kind != session.SaidJoined && m.Kind != session.SaidLeft || m.From.Node() == r.rooms.opt.Node ||
		json.Unmarshal(m.Bytes, &who) != nil {
		return
	}
	r.presence.mu.Lock()
	defer r.presence.mu.Unlock()
	if m.Kind == session.SaidLeft {
		delete(r.presence.members, who.ID)
		return
	}
	r.presence.put(who)
}

func (p *presence) put(who session.Present) {
	if p.members == nil {
		p.members = map[string]session.Present{}
	}
	p.members[who.ID] = who
}
