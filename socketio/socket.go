package socketio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// Socket is one client in one namespace.
type Socket struct {
	// fixed after connecting
	client    *Client
	namespace *Namespace
	id        string
	secret    string // of pid; empty if there is no recovery
	auth      json.RawMessage
	recovered bool
	begin     offset // of the log when the socket first connected

	moved   atomic.Bool // it may come back, or has: it has not left for good
	leaving atomic.Bool // the client has said that it goes
	told    bool        // its handlers know that it is disconnected; owned by the client's goroutine
	after   func()      // see AfterReply; owned by the client's goroutine
	asked   asked       // owned by the client's goroutine

	// owned by the shard
	index    int    // in members.all; -1 when it is not there any more
	seen     uint64 // the last round in which it got its share, or was excluded
	excluded uint64 // the last round in which it was excluded
	sent     uint64 // the last round that has something of its own

	mu      sync.Mutex
	closed  bool
	data    *data        // nil until somebody asks
	rooms   []membership // few
	acks    map[uint64]func(Args, error)
	lastAck uint64
}

// membership is a room, and where its namespace's log was when the socket joined, and when it left: a membership that has
// ended is kept while the log has something from before.
type membership struct {
	room  string
	since offset
	until offset
	ended bool
}

// maxEnded bounds the memberships that have ended, of one socket.
const maxEnded = 64

// data is the program's own, shared by a socket and the one that it was before.
type data struct {
	sync.Mutex
	value any
}

// ID is the socket's: the client's socket.id. It is also a room with this socket alone.
func (s *Socket) ID() string { return s.id }

// Namespace is where the socket is.
func (s *Socket) Namespace() *Namespace { return s.namespace }

// Client is the connection under the socket.
func (s *Socket) Client() *Client { return s.client }

// Handshake is the request with which the connection began.
func (s *Socket) Handshake() *Handshake { return s.client.handshake }

// Auth is what the client gave as auth, a JSON object; nil if it gave none. Of a client of revision 3 it is the query.
func (s *Socket) Auth() json.RawMessage { return s.auth }

// Recovered reports whether the socket goes on where an earlier connection was lost.
func (s *Socket) Recovered() bool { return s.recovered }

// Connected reports whether the socket is in its namespace still.
func (s *Socket) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed
}

// Context is that of the socket's handlers: it ends soon after the connection did.
func (s *Socket) Context() context.Context { return s.client.context() }

// Data is the program's own, nil until SetData was called. A recovered socket has that of the one before.
func (s *Socket) Data() any {
	d := s.sharedData()
	d.Lock()
	defer d.Unlock()
	return d.value
}

// AfterReply has f called once the handler that is at work has returned, and its acknowledgement was sent: what f sends
// comes behind it. Only the socket's own handler may call it.
func (s *Socket) AfterReply(f func()) { s.after = f }

// asked is what is known of the event whose handler is at work.
type asked struct {
	id    uint64 // of its acknowledgement
	hasID bool
	later bool // see ReplyLater
}

// ReplyLater has the handler that is at work return without acknowledging its event, whatever it returns: that is for reply, to
// be called once, by any goroutine. The client's other events are handled meanwhile. Only the socket's own handler may call it.
func (s *Socket) ReplyLater() (reply func(args []any, err error)) {
	s.asked.later = true
	id, hasID := s.asked.id, s.asked.hasID
	return func(args []any, err error) {
		if hasID {
			s.reply(id, args, err)
		}
	}
}

// SetData keeps something with the socket.
func (s *Socket) SetData(value any) {
	d := s.sharedData()
	d.Lock()
	defer d.Unlock()
	d.value = value
}

func (s *Socket) sharedData() *data {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		s.data = &data{}
	}
	return s.data
}

// Rooms are the rooms that the socket is in.
func (s *Socket) Rooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]string, 0, len(s.rooms))
	for _, m := range s.rooms {
		if !m.ended {
			list = append(list, m.room)
		}
	}
	return list
}

func (s *Socket) memberships() []membership {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rooms)
}

// In reports whether the socket is in a room.
func (s *Socket) In(room string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.membership(room) >= 0
}

// membership is the index of the membership that goes on, -1 if there is none; mu is held.
func (s *Socket) membership(room string) int {
	return slices.IndexFunc(s.rooms, func(m membership) bool { return m.room == room && !m.ended })
}

// Join makes the socket a member of rooms: it gets what is sent to them from now on.
func (s *Socket) Join(rooms ...string) {
	n := s.namespace
	n.mu.Lock()
	defer n.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, room := range rooms {
		if !s.closed && s.membership(room) < 0 {
			s.rooms = append(s.rooms, membership{room: room, since: n.log.head})
			s.client.shard.add(op{kind: opJoin, socket: s, room: room})
		}
	}
}

// Leave ends memberships: what was sent to the rooms before still comes.
func (s *Socket) Leave(rooms ...string) {
	n := s.namespace
	n.mu.Lock()
	defer n.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, room := range rooms {
		if i := s.membership(room); i >= 0 && !s.closed {
			s.endMembership(i)
			s.client.shard.add(op{kind: opLeave, socket: s, room: room})
		}
	}
}

// endMembership keeps in mind what recovery has to know of it; the namespace's mu and mu are held.
func (s *Socket) endMembership(i int) {
	l := &s.namespace.log
	s.rooms[i].ended, s.rooms[i].until = true, l.head
	ended := 0
	s.rooms = slices.DeleteFunc(s.rooms, func(m membership) bool {
		needless := m.ended && (s.secret == "" || !m.since.before(m.until) || !l.gone.before(m.until))
		if m.ended && !needless {
			ended++
		}
		return needless
	})
	if ended <= maxEnded {
		return
	}
	oldest := slices.IndexFunc(s.rooms, func(m membership) bool { return m.ended })
	if until := s.rooms[oldest].until; s.begin.before(until) {
		s.begin = until // what is from before cannot be told any more: who asks for it is not recovered
	}
	s.rooms = slices.Delete(s.rooms, oldest, oldest+1)
}

// Emit sends an event to the client, and does not wait for it. A socket that was recovered meanwhile gets it on its new
// connection; one that is not connected, or has left for good, is ErrClosed. A client that reads too slowly is ended as engine.Slow.
func (s *Socket) Emit(event string, args ...any) error {
	return Target{namespace: s.namespace, target: target{only: s}}.Emit(event, args...)
}

// EmitJSON is Emit of an event that is JSON already: an array of its name and its arguments.
func (s *Socket) EmitJSON(event []byte) error {
	event = bytes.TrimSpace(event)
	k := packet{kind: typeEvent, data: event}
	if len(event) == 0 || !utf8.Valid(event) {
		return errPacket
	} else if err := k.check(); err != nil {
		return err
	}
	payload, binary := detach(event, s.client.server.opt.MaxAttachments)
	t := Target{namespace: s.namespace, target: target{only: s}}
	return t.emit(&draft{payload: payload[:len(payload)-1], binary: binary})
}

// To is sockets in any of the rooms, but not this one.
func (s *Socket) To(rooms ...string) Target {
	return Target{namespace: s.namespace, target: target{inRooms: true, rooms: rooms, not: s}}
}

// Broadcast is all sockets of the namespace, but not this one.
func (s *Socket) Broadcast() Target { return Target{namespace: s.namespace, target: target{not: s}} }

// Volatile is this socket; an event for it is dropped if the client is not ready for it.
func (s *Socket) Volatile() Target {
	return Target{namespace: s.namespace, target: target{only: s}, volatile: true}
}

// Disconnect takes the socket out of its namespace. The connection stays, for the client's other sockets; see Client.Close.
func (s *Socket) Disconnect() {
	if !s.namespace.remove(s, ServerDisconnect) {
		return
	}
	s.client.send(newOutgoing(appendHead(nil, typeDisconnect, 0, s.namespace.name), nil))
	s.client.detach(s)
	s.client.enqueue(task{left: s})
}

// leave is the client's own way out; it runs in the client's goroutine.
func (s *Socket) leave() {
	s.namespace.remove(s, ClientDisconnect)
	s.client.detach(s)
	s.disconnected(ClientDisconnect)
}

// disconnected tells the handlers, once; it runs in the client's goroutine.
func (s *Socket) disconnected(reason Reason) {
	if s.told {
		return
	}
	s.told = true
	if s.leaving.Load() {
		reason = ClientDisconnect
	}
	s.namespace.disconnected(s, reason)
	if !s.moved.Load() {
		s.namespace.left(s)
	}
}

// call sends an event and has f called with the acknowledgement, or with an error.
func (s *Socket) call(event string, args []any, f func(Args, error)) (id uint64, err error) {
	s.mu.Lock()
	switch {
	case s.closed:
		err = ErrClosed
	case len(s.acks) >= s.client.server.opt.MaxAcks:
		err = errTooManyAcks
	default:
		if s.acks == nil {
			s.acks = map[uint64]func(Args, error){}
		}
		id = s.lastAck
		s.lastAck++
		s.acks[id] = f
		s.client.awaited.Add(1)
	}
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	d, err := newDraft(event, args, s.client.server.opt.MaxAttachments)
	if err == nil {
		err = s.client.send(d.seal(s.namespace.name, &id, nil))
	}
	if err != nil {
		s.forget(id)
	}
	return id, err
}

var errTooManyAcks = errors.New("too many acknowledgements are awaited already")

func (s *Socket) forget(id uint64) func(Args, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.acks[id]
	if f != nil {
		s.client.awaited.Add(-1)
	}
	delete(s.acks, id)
	return f
}

// acknowledged runs in the connection's reader. An id that nobody waits for is no error: the wait may be over.
func (s *Socket) acknowledged(id uint64, args Args) {
	if f := s.forget(id); f != nil {
		f(args, nil)
	}
}

// fail closes the socket for all who would send, and ends what waits for it.
func (s *Socket) fail() {
	s.mu.Lock()
	s.closed = true
	acks := s.acks
	s.acks = nil
	s.mu.Unlock()
	s.client.awaited.Add(int32(-len(acks)))
	for _, f := range acks {
		f(Args{}, ErrClosed)
	}
}

// String names the socket in logs.
func (s *Socket) String() string {
	return fmt.Sprintf("%s %s of %s", s.namespace.name, s.id, s.client.Remote())
}
