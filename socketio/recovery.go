package socketio

import (
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
}

// lost is what a client says of the socket that it had.
type lost struct {
	id, secret string
	offset     string // of the last event that it got; empty if it got none
}

// maxSaved bounds the sockets that may come back to one namespace.
const maxSaved = 100_000

// recoverable reports whether a socket that ended so may come back: its connection was lost, and nobody wanted that.
func recoverable(r Reason) bool {
	switch r {
	case engine.TransportClose, engine.TransportError, engine.PingTimeout, engine.Slow, engine.ServerShutdown:
		return true
	}
	return false
}

// pid is the socket's private id: whoever knows it may recover the socket.
func (s *Socket) pid() string { return s.id + "." + s.secret }

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
	if s == nil || subtle.ConstantTimeCompare([]byte(s.secret), []byte(l.secret)) != 1 {
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
	delete(n.saved, l.id)
	after, known := old.begin, true
	if l.offset != "" {
		after, known = n.log.parse(l.offset)
	}
	missed, whole := n.log.after(after)
	if !known || !whole || after.before(old.begin) {
		if noticed {
			go n.left(old) // ends with its handlers
		}
		return nil, false
	}
	rooms := old.memberships()
	s.id, s.secret, s.begin, s.Data, s.rooms = old.id, old.secret, old.begin, old.Data, rooms
	old.moved.Store(true)
	return slices.DeleteFunc(missed, func(e *entry) bool { return !e.target.included(old.id, rooms, e.offset) }), true
}

// save keeps a socket that may come back; n.mu is held.
func (n *Namespace) save(s *Socket, now time.Time) {
	if len(n.saved) < maxSaved {
		s.moved.Store(true)
		n.saved[s.id] = &saved{socket: s, until: now.Add(n.server.opt.Recovery.Window)}
	}
}
