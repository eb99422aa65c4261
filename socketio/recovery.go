package socketio

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"slices"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

// saved is a socket whose connection was lost, and may come back.
type saved struct {
	socket *Socket
	until  time.Time
	size   int64 // bytes
}

// lost is what a client says of the socket that it had.
type lost struct {
	id, secret string
	offset     string // of the last event that it got; empty if it got none
}

// Limits of the sockets of a server that may come back.
const (
	maxSaved     = 128 << 20 // bytes that they take
	perSaved     = 1 << 10   // bytes that one takes besides what its client said
	perPacket    = 64        // bytes that a packet takes while it waits, besides its own
	recoverParts = 2         // what one missed may fill a half of what may wait for it: more follows at once
)

// recoverable reports whether a socket that ended so may come back: its connection was lost, and nobody wanted that.
func recoverable(r Reason) bool {
	switch r {
	case engine.TransportClose, engine.TransportError, engine.PingTimeout, engine.Slow:
		return true
	}
	return false
}

// pid is the socket's private id: whoever knows it may recover the socket.
func (s *Socket) pid() string { return s.id + "." + s.secret }

// masked is a packet in which asterisks stand for the secret of a private id, if there is one: what an observer is told is for
// those who may look on, not for those who may take over.
func masked(p []byte) []byte {
	for i := 0; i+2*idLength+3 <= len(p); i++ {
		q := p[i : i+2*idLength+3]
		if q[0] != '"' || q[idLength+1] != '.' || q[len(q)-1] != '"' || !isID(q[1:idLength+1]) || !isID(q[idLength+2:len(q)-1]) {
			continue
		}
		out := bytes.Clone(p)
		for at := i + idLength + 2; at < i+len(q)-1; at++ {
			out[at] = '*'
		}
		return out
	}
	return p
}

func isID(p []byte) bool {
	for _, c := range p {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// lost reads what a CONNECT says of an earlier socket; nil if it says nothing of one, or there is no recovery.
func (n *Namespace) lost(payload []byte) *lost {
	if n.server.opt.Recovery.Window <= 0 || len(payload) == 0 {
		return nil
	}
	var said struct{ PID, Offset any }
	if json.Unmarshal(payload, &said) != nil {
		return nil
	}
	pid, _ := said.PID.(string)
	if len(pid) != 2*idLength+1 || pid[idLength] != '.' {
		return nil
	}
	l := &lost{id: pid[:idLength], secret: pid[idLength+1:]}
	switch o := said.Offset.(type) {
	case nil:
	case string:
		l.offset = o
	default:
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.former(l) == nil {
		return nil
	}
	return l
}

const idLength = 20

// former is the socket that the client had, whether its end was noticed or not; n.mu is held.
func (n *Namespace) former(l *lost) *Socket {
	s := n.sockets[l.id]
	if v := n.saved[l.id]; v != nil && time.Now().Before(v.until) { // what is past its time, sweep lets go of
		s = v.socket
	}
	if s == nil || s.leaving.Load() || subtle.ConstantTimeCompare([]byte(s.secret), []byte(l.secret)) != 1 {
		return nil
	}
	return s
}

// recover makes s what the client's former socket was, and gives what it missed, in order. It is all or nothing: if the log
// lacks anything, s is a new socket. n.mu is held.
func (n *Namespace) recover(s *Socket, l *lost) ([]*entry, bool) {
	old := n.former(l)
	if old == nil {
		return nil, false
	}
	_, noticed := n.saved[l.id]
	if n.sockets[l.id] == old { // its connection broke, and nobody has noticed yet
		delete(n.sockets, l.id)
		old.client.shard.add(op{kind: opRemove, socket: old})
		old.fail()
		old.client.conn.Close(engine.TransportError)
	}
	n.unsave(l.id)
	after, known := old.begin, true
	if l.offset != "" {
		after, known = n.log.parse(l.offset)
	}
	missed, whole := n.log.after(after)
	rooms := old.memberships()
	missed = slices.DeleteFunc(missed, func(e *entry) bool { return !e.target.included(old.id, rooms, e.offset) })
	size := 0
	for _, e := range missed {
		size += e.size() + perPacket
	}
	if !known || !whole || after.before(old.begin) || size > n.server.opt.WriteLimit/recoverParts {
		if noticed {
			n.leaves(old)
		}
		return nil, false
	}
	old.moved.Store(true)
	s.id, s.secret, s.begin = old.id, old.secret, old.begin
	s.mu.Lock()
	for _, m := range s.rooms { // of middleware
		if !slices.ContainsFunc(rooms, func(r membership) bool { return r.room == m.room && !r.ended }) {
			rooms = append(rooms, m)
		}
	}
	s.rooms, s.data = rooms, old.sharedData()
	s.mu.Unlock()
	return missed, true
}

// save keeps a socket that may come back, and reports whether it has place for it; n.mu is held.
func (n *Namespace) save(s *Socket, now time.Time) bool {
	v := &saved{socket: s, until: now.Add(n.server.opt.Recovery.Window), size: s.size()}
	if n.server.savedSize.Add(v.size) > maxSaved {
		n.server.savedSize.Add(-v.size)
		return false
	}
	s.moved.Store(true)
	n.saved[s.id] = v
	return true
}

// unsave is the end of save; n.mu is held.
func (n *Namespace) unsave(id string) {
	if v := n.saved[id]; v != nil {
		n.server.savedSize.Add(-v.size)
		delete(n.saved, id)
	}
}

func (s *Socket) size() int64 { return int64(perSaved + len(s.auth) + s.client.handshake.size()) }

// forgetSaved lets go of the sockets that may come back, for good.
func (n *Namespace) forgetSaved() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, v := range n.saved {
		n.unsave(id)
		n.leaves(v.socket)
	}
}
