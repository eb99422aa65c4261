package socketio

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// Target is sockets of a namespace to which something is sent. Its methods give narrower or wider ones; it is a value.
type Target struct {
	namespace *Namespace
	target    target
	volatile  bool
}

// target is who gets an entry.
type target struct {
	inRooms bool // only sockets in rooms
	rooms   []string
	except  []string // rooms
	not     *Socket
	notID   string // of a socket that may be another by now
	only    *Socket
}

// To is all sockets in any of the rooms, nobody if no room is given. A socket's id is a room with this socket alone.
func (n *Namespace) To(rooms ...string) Target {
	return Target{namespace: n, target: target{inRooms: true, rooms: rooms}}
}

// Except is all sockets that are in none of the rooms.
func (n *Namespace) Except(rooms ...string) Target {
	return Target{namespace: n, target: target{except: rooms}}
}

// Volatile is all sockets; an event for them is dropped for each client that is not ready for it.
func (n *Namespace) Volatile() Target { return Target{namespace: n, volatile: true} }

// All is all sockets of the namespace.
func (n *Namespace) All() Target { return Target{namespace: n} }

// Emit sends an event to all sockets of the namespace. It does not wait for the clients. The arguments become JSON as
// json.Marshal makes it; []byte and Binary travel as they are.
func (n *Namespace) Emit(event string, args ...any) error { return n.All().Emit(event, args...) }

// To is sockets in any of the rooms, these and those of t.
func (t Target) To(rooms ...string) Target {
	t.target.inRooms, t.target.rooms = true, slices.Concat(t.target.rooms, rooms)
	return t
}

// Except leaves out sockets that are in any of the rooms.
func (t Target) Except(rooms ...string) Target {
	t.target.except = slices.Concat(t.target.except, rooms)
	return t
}

// Volatile has events dropped for each client that is not ready for them.
func (t Target) Volatile() Target {
	t.volatile = true
	return t
}

// Emit sends an event to the sockets. It does not wait for the clients; see Namespace.Emit.
func (t Target) Emit(event string, args ...any) error {
	d, err := newDraft(event, args, t.namespace.server.opt.MaxAttachments)
	if err != nil {
		return err
	}
	return t.emit(d)
}

func (t Target) emit(d *draft) error {
	return t.namespace.publish(t.target, d, t.volatile)
}

// Sockets are the sockets that are meant now.
func (t Target) Sockets() []*Socket {
	return slices.DeleteFunc(t.namespace.Sockets(), func(s *Socket) bool {
		return !t.target.included(s.id, s.memberships(), offset{^uint64(0), 0})
	})
}

// Join makes the sockets members of rooms.
func (t Target) Join(rooms ...string) {
	for _, s := range t.Sockets() {
		s.Join(rooms...)
	}
}

// Leave ends the sockets' memberships.
func (t Target) Leave(rooms ...string) {
	for _, s := range t.Sockets() {
		s.Leave(rooms...)
	}
}

// Disconnect takes the sockets out of their namespace.
func (t Target) Disconnect() {
	for _, s := range t.Sockets() {
		s.Disconnect()
	}
}

// included reports whether a socket of that id and those memberships is meant by what stands at an offset.
func (t *target) included(id string, rooms []membership, at offset) bool {
	if t.only != nil {
		return t.only.id == id
	}
	if t.excludes() == id || in(t.except, id, rooms, at) {
		return false
	}
	return !t.inRooms || in(t.rooms, id, rooms, at)
}

// excludes is the id of the socket that is left out, empty if there is none.
func (t *target) excludes() string {
	if t.not != nil {
		return t.not.id
	}
	return t.notID
}

func in(any []string, id string, rooms []membership, at offset) bool {
	for _, room := range any {
		if room == id {
			return true
		}
		for _, m := range rooms {
			if m.room == room && m.since.before(at) && (!m.ended || !m.until.before(at)) {
				return true
			}
		}
	}
	return false
}

// sameAs reports whether two targets mean the same sockets, not counting not.
func (t *target) sameAs(u *target) bool {
	return t.only == u.only && t.inRooms == u.inRooms && slices.Equal(t.rooms, u.rooms) && slices.Equal(t.except, u.except)
}

// draft is an event that lacks only what its namespace adds.
type draft struct {
	payload []byte // a JSON array without its last bracket
	binary  [][]byte
	text    bool // the last argument is a string
}

func newDraft(event string, args []any, most int) (*draft, error) {
	if reserved(event) {
		return nil, fmt.Errorf("%w: %q", ErrReserved, event)
	}
	e := encoder{buf: make([]byte, 0, 128)}
	e.buf = append(e.buf, '[')
	e.buf = appendString(e.buf, event)
	if err := e.args(args); err != nil {
		return nil, fmt.Errorf("event %q: %w", event, err)
	}
	if len(e.binary) > most {
		return nil, fmt.Errorf("event %q: %w: %d, and %d at most", event, errAttachments, len(e.binary), most)
	}
	return &draft{payload: e.buf, binary: e.binary, text: len(args) > 0 && e.buf[len(e.buf)-1] == '"'}, nil
}

// seal completes the packet: with an acknowledgement's id, or with an offset, where there is one.
func (d *draft) seal(namespace string, id *uint64, at []byte) *outgoing {
	b := make([]byte, 0, len(d.payload)+len(namespace)+len(at)+32)
	b = appendHead(b, typeEvent, len(d.binary), namespace)
	if id != nil {
		b = appendUint(b, *id)
	}
	b = append(b, d.payload...)
	if at != nil {
		b = append(b, `,"`...)
		b = append(b, at...)
		b = append(b, '"')
	}
	m := newOutgoing(append(b, ']'), d.binary)
	if at != nil {
		m.mark = len(at) + len(`,""`)
	}
	return m
}

// publish puts an event into the namespace's log and hands it to those who deliver it.
func (n *Namespace) publish(t target, d *draft, volatile bool) error {
	n.server.awaitSpace()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.server.stopped() || t.only != nil && !n.has(t.only) {
		return ErrClosed
	}
	n.settle(&t)
	if volatile {
		n.hand(&entry{outgoing: n.volatile(d), target: t})
		return nil
	}
	e := &entry{offset: n.log.next(), target: t}
	n.enter(e, d)
	return nil
}

// has reports whether a socket, or what it has become, is there or may come back; n.mu is held.
func (n *Namespace) has(s *Socket) bool {
	now := n.sockets[s.id]
	return now == s || s.moved.Load() && (now != nil || n.saved[s.id] != nil) // ids of revision 3 come again
}

// settle has a target mean the sockets that are what those it names were before they were recovered; n.mu is held.
func (n *Namespace) settle(t *target) {
	if t.only != nil {
		if s := n.sockets[t.only.id]; s != nil {
			t.only = s
		}
	}
	if id := t.excludes(); id != "" && (t.not == nil || t.not.moved.Load()) {
		t.not, t.notID = n.sockets[id], id
	}
}

// volatile makes a packet that is not in the log. A client takes the last argument of any event for an offset if it is a
// string: it then gets the true one behind it.
func (n *Namespace) volatile(d *draft) *outgoing {
	var at []byte
	if d.text && n.log.keeps() {
		at = n.log.append(nil, n.log.head)
	}
	out := d.seal(n.name, nil, at)
	out.volatile = true
	return out
}

// enter seals the entry, adds it to the log, and hands it over; n.mu is held.
func (n *Namespace) enter(e *entry, d *draft) {
	var at []byte
	if n.log.keeps() {
		at = n.log.append(make([]byte, 0, 32), e.offset)
		e.at = time.Now().Unix()
	}
	e.outgoing = d.seal(n.name, nil, at)
	n.log.add(e)
	n.hand(e)
}

// hand gives an entry to the shards that hold its sockets; n.mu is held.
func (n *Namespace) hand(e *entry) {
	only := e.target.only
	switch {
	case only == nil:
		for _, sh := range n.server.shards {
			sh.add(op{kind: opDeliver, namespace: n, entry: e})
		}
	case n.sockets[only.id] != only: // it is gone; if it comes back, it finds the entry in the log
	case n.log.keeps(): // in the log's order, always
		only.client.shard.add(op{kind: opDeliver, namespace: n, entry: e})
	default:
		only.client.send(e.outgoing)
	}
}

// Broadcast is an event of a log that somebody else keeps; see Namespace.Follow.
type Broadcast struct {
	Offset  uint64 // larger than that of the one before
	Payload []byte // valid JSON: an array of the event's name and its arguments; for attachments see Args.AppendWhole
	Not     string // the id of a socket that does not get the event, whatever connection it is on
	Place   Place  // told to Observer.Delivered
}

// Follow makes the namespace deliver what a log of somebody else's gives, instead of keeping its own: offsets, and so
// recovery, are that log's. Epoch tells the log from others, and from its own earlier life; head is the offset behind which
// Deliver begins. It comes before any client. What is emitted here all the same reaches this server's clients alone.
func (n *Namespace) Follow(epoch string, head uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.log.epoch, n.log.followed = epoch, true
	n.log.head = offset{head, 0}
	n.log.gone = n.log.head
}

// Deliver sends a broadcast of the followed log to all sockets. Calls come one after the other, in the log's order.
func (n *Namespace) Deliver(b Broadcast) {
	n.server.awaitSpace()
	n.mu.Lock()
	defer n.mu.Unlock()
	e := &entry{offset: offset{b.Offset, 0}, place: b.Place, target: target{notID: b.Not}}
	n.settle(&e.target)
	payload, binary := detach(bytes.TrimSpace(b.Payload), n.server.opt.MaxAttachments)
	n.enter(e, &draft{payload: payload[:len(payload)-1], binary: binary})
}

// Missed says that broadcasts of the followed log, up to an offset, will never come: nobody is recovered across them.
func (n *Namespace) Missed(upTo uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.log.count > 0 {
		n.log.drop()
	}
	n.log.head = offset{upTo, 0}
	n.log.gone = n.log.head
}
