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

// presence is who is in the room, and what has yet to be said of that.
type presence struct {
	mu      sync.Mutex
	members map[string]session.Present
	notices []notice // in order
	telling bool     // somebody says them
}

// notice is what is said of one who comes or goes.
type notice struct {
	messages []session.RoomMessage
	said     chan error // gets one value
}

// Present are the room's members, those who have been here longest first.
func (r *Room) Present() []session.Present {
	r.presence.mu.Lock()
	defer r.presence.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.presence.members), func(a, b session.Present) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.ID, b.ID))
	})
}

// Enter counts a member in, once, and has the others told: it returns when that is on its way. One that comes back
// under the same id, with another session, has never left.
func (r *Room) Enter(p session.Present) error {
	p.Since = cmp.Or(p.Since, time.Now().UnixMicro())
	r.presence.mu.Lock()
	old, known := r.presence.members[p.ID]
	if known {
		p.Since = old.Since
	}
	r.presence.put(p)
	var said chan error
	if !known {
		said = r.tell(p, session.SaidJoined, r.conf.Announce)
	}
	r.presence.mu.Unlock()
	if said == nil {
		return nil
	}
	return <-said
}

// Exit is the end of Enter. It does not wait.
func (r *Room) Exit(id string) {
	r.presence.mu.Lock()
	defer r.presence.mu.Unlock()
	if p, known := r.presence.members[id]; known {
		delete(r.presence.members, id)
		r.tell(p, session.SaidLeft, r.conf.Farewell)
	}
}

// tell has it said to the room that somebody came or went, behind what was to be said before. It returns nil if there
// is nothing to say; presence.mu is held.
func (r *Room) tell(p session.Present, kind session.Said, text string) (said chan error) {
	n := notice{said: make(chan error, 1)}
	if r.conf.Presence {
		n.messages = append(n.messages, session.RoomMessage{From: p.Session, Kind: kind, Bytes: session.JSON(p)})
	}
	if text != "" {
		n.messages = append(n.messages, session.RoomMessage{From: p.Session, Others: true, Kind: session.SaidEvent,
			Bytes: r.conf.Mapping.AppendEvent(nil, []byte(text))})
	}
	if len(n.messages) == 0 {
		return nil
	}
	r.presence.notices = append(r.presence.notices, n)
	if !r.presence.telling {
		r.presence.telling = true
		go r.sayNotices() // ends when all is said, at the latest when the room is closed
	}
	return n.said
}

func (r *Room) sayNotices() {
	p := &r.presence
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.notices) > 0 {
		n := p.notices[0]
		p.notices = p.notices[1:]
		p.mu.Unlock()
		n.said <- r.sayAll(n.messages)
		p.mu.Lock()
	}
	p.notices, p.telling = nil, false
}

func (r *Room) sayAll(messages []session.RoomMessage) error {
	for _, m := range messages {
		if err := r.say(m); err != nil {
			return err
		}
	}
	return nil
}

// note keeps the members that other nodes hold, as they say it.
func (r *Room) note(m session.RoomMessage) {
	var who session.Present
	if m.From.Node() == r.rooms.opt.Node || json.Unmarshal(m.Bytes, &who) != nil {
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
