package socketio

import (
	"runtime"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

// shard delivers to some of the server's clients, in one goroutine. What has come while it delivered is joined, so that a
// client gets it with one write: the busier the server, the larger the writes. Everything that must keep its order with
// broadcasts goes through the inbox.
type shard struct {
	server *Server
	wake   chan struct{}

	mu    sync.Mutex
	space sync.Cond // signalled when the inbox has been taken
	inbox []op
	bytes int
	busy  bool // the goroutine is at work on what it took

	// owned by run
	members map[*Namespace]*members
	round   uint64       // of delivering
	batch   engine.Batch // what most sockets get
	size    int          // its bytes
	others  engine.Batch // what one socket gets
}

type opKind uint8

const (
	opDeliver opKind = iota // an entry to whom it is for
	opSend                  // a message to one client
	opConnect               // a socket is a member from here on
	opRemove
	opJoin
	opLeave
	opClose // a client's connection, behind what was sent before
	opPass  // says that all before was done
)

// op is one thing for a shard to do.
type op struct {
	kind      opKind
	namespace *Namespace
	entry     *entry
	message   *outgoing
	client    *Client
	socket    *Socket
	room      string
	rooms     []string // of a socket that connects
	missed    []*entry
	passed    chan<- struct{}
}

// members are a shard's sockets in one namespace.
type members struct {
	all   []*Socket
	rooms map[string]map[*Socket]struct{}
}

const (
	inboxLimit = 4 << 20  // bytes that may wait for a shard; those who send wait beyond, and then add one each
	perOp      = 128      // bytes that an op takes besides its own
	joinLimit  = 64 << 10 // bytes that are joined for one write
)

func newShard(s *Server) *shard {
	sh := &shard{server: s, wake: make(chan struct{}, 1), members: map[*Namespace]*members{}}
	sh.space.L = &sh.mu
	return sh
}

// awaitSpace waits while too much is in the inbox. Nobody who waits holds a lock that the shard may need.
func (sh *shard) awaitSpace() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for sh.bytes > inboxLimit && !sh.server.stopped() {
		sh.space.Wait()
	}
}

// awaitSpace comes before an entry is made, for every shard.
func (s *Server) awaitSpace() {
	for _, sh := range s.shards {
		sh.awaitSpace()
	}
}

// add appends to the inbox. It does not wait.
func (sh *shard) add(o op) {
	sh.mu.Lock()
	sh.put(o)
	sh.mu.Unlock()
	sh.rouse()
}

func (sh *shard) put(o op) {
	if sh.server.stopped() {
		return // nobody will take it
	}
	sh.inbox = append(sh.inbox, o)
	sh.bytes += perOp
	if o.entry != nil {
		sh.bytes += o.entry.size()
	}
	if o.message != nil {
		sh.bytes += o.message.size()
	}
}

func (sh *shard) rouse() {
	select {
	case sh.wake <- struct{}{}:
	default:
	}
}

// later appends to the inbox if the shard has anything to do that must go first; else it leaves o to the caller.
func (sh *shard) later(o op) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !sh.busy && len(sh.inbox) == 0 {
		return false
	}
	sh.put(o)
	sh.rouse()
	return true
}

func (s *Server) stopped() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// busyRound is a round so long that those who send cannot have kept up with it.
const busyRound = 200 * time.Microsecond

// letOthersSend comes before a round that follows a busy one: it lets run whoever has something to pass on, so that it goes out
// with what is there already. A message may go through several hands on its way here, and each needs its turn. Where nobody
// has anything to do it takes no time.
func letOthersSend() {
	for range 16 {
		runtime.Gosched()
	}
}

func (sh *shard) run() {
	var batch []op
	busy := false
	for {
		select {
		case <-sh.wake:
		case <-sh.server.done:
			sh.mu.Lock()
			sh.space.Broadcast()
			sh.mu.Unlock()
			return
		}
		for {
			if busy {
				letOthersSend()
			}
			sh.mu.Lock()
			clear(batch)
			batch, sh.inbox = sh.inbox, batch[:0]
			sh.bytes = 0
			sh.busy = len(batch) > 0
			sh.space.Broadcast()
			sh.mu.Unlock()
			if len(batch) == 0 {
				break
			}
			began := time.Now()
			sh.work(batch)
			busy = time.Since(began) >= busyRound
		}
	}
}

// work does what is in the batch, in order. There is no waiting for more to join: it comes while a round is under way, exactly
// when that is needed.
func (sh *shard) work(batch []op) {
	for len(batch) > 0 {
		o := &batch[0]
		if o.kind != opDeliver {
			sh.change(o)
			batch = batch[1:]
			continue
		}
		n := sh.alike(batch)
		sh.deliver(batch[:n])
		batch = batch[n:]
	}
}

// alike is how many ops at the front of the batch go to the same sockets and may be joined.
func (sh *shard) alike(batch []op) int {
	return joinable(len(batch), func(i int) *entry {
		if o := &batch[i]; o.kind == opDeliver && o.namespace == batch[0].namespace {
			return o.entry
		}
		return nil
	})
}

// joinable is how many of n entries, from the first on, may be joined for whoever gets them. There is one at least.
func joinable(n int, at func(int) *entry) int {
	first := at(0)
	if first.volatile {
		return 1
	}
	size := first.size()
	for i := 1; i < n; i++ {
		e := at(i)
		if e == nil || e.volatile || e.place.Log != first.place.Log || !e.target.sameAs(&first.target) {
			return i
		}
		if size += e.size(); size > joinLimit {
			return i
		}
	}
	return n
}

func (sh *shard) change(o *op) {
	switch o.kind {
	case opSend:
		o.client.sendNow(o.message)
	case opClose:
		o.client.conn.Close(engine.ForcedClose)
	case opPass:
		close(o.passed)
	case opConnect:
		sh.connect(o)
	case opRemove:
		sh.remove(o.socket)
	case opJoin:
		if m := sh.members[o.socket.namespace]; m != nil && o.socket.index >= 0 {
			m.join(o.socket, o.room)
		}
	case opLeave:
		if m := sh.members[o.socket.namespace]; m != nil {
			m.leave(o.socket, o.room)
		}
	}
}

// connect sends what a recovered socket missed, then the answer to its CONNECT: the client hands over the one before it hears
// of the other.
func (sh *shard) connect(o *op) {
	s := o.socket
	for missed := o.missed; len(missed) > 0; {
		at := func(i int) *entry {
			if i > 0 && missed[i].place.Number != missed[i-1].place.Number+1 && s.client.observer != nil {
				return nil // one between them was not for this socket
			}
			return missed[i]
		}
		n := joinable(len(missed), at)
		sh.sendSome(s, n, at)
		missed = missed[n:]
	}
	s.client.sendNow(s.connectPacket())
	m := sh.members[s.namespace]
	if m == nil {
		m = &members{rooms: map[string]map[*Socket]struct{}{}}
		sh.members[s.namespace] = m
	}
	s.index = len(m.all)
	m.all = append(m.all, s)
	for _, room := range o.rooms {
		m.join(s, room)
	}
}

func (m *members) join(s *Socket, room string) {
	if m.rooms[room] == nil {
		m.rooms[room] = map[*Socket]struct{}{}
	}
	m.rooms[room][s] = struct{}{}
}

func (m *members) leave(s *Socket, room string) {
	delete(m.rooms[room], s)
	if len(m.rooms[room]) == 0 {
		delete(m.rooms, room)
	}
}

func (sh *shard) remove(s *Socket) {
	m := sh.members[s.namespace]
	if m == nil || s.index < 0 || s.index >= len(m.all) || m.all[s.index] != s {
		return
	}
	last := len(m.all) - 1
	m.all[s.index] = m.all[last]
	m.all[s.index].index = s.index
	m.all[last] = nil
	m.all = m.all[:last]
	s.index = -1
	for _, room := range s.Rooms() {
		m.leave(s, room)
	}
	if last == 0 {
		delete(sh.members, s.namespace)
	}
	s.client.observe(func(o Observer) { o.Left(s) })
}

// deliver gives entries that go to the same sockets to each of them.
func (sh *shard) deliver(group []op) {
	first := group[0].entry
	if only := first.target.only; only != nil {
		sh.sendSome(only, len(group), func(i int) *entry { return group[i].entry })
		return
	}
	m := sh.members[group[0].namespace]
	if m == nil {
		return
	}
	sh.round++
	sh.gather(group)
	m.exclude(&first.target, sh.round)
	if first.target.inRooms {
		for _, room := range first.target.rooms {
			for s := range m.rooms[room] {
				sh.once(s, group)
			}
			if s := m.named(room); s != nil {
				sh.once(s, group)
			}
		}
		return
	}
	for _, s := range m.all {
		sh.give(s, group)
	}
}

// gather makes the batch that most sockets get, and marks those who sent some of it.
func (sh *shard) gather(group []op) {
	sh.batch.Reset()
	sh.size = 0
	for i := range group {
		e := group[i].entry
		sh.batch.Add(e.message)
		sh.size += e.size() - e.mark
		if not := e.target.not; not != nil && not.client.shard == sh {
			not.sent = sh.round
		}
	}
}

// exclude marks the sockets of the target's except.
func (m *members) exclude(t *target, round uint64) {
	for _, room := range t.except {
		for s := range m.rooms[room] {
			s.seen, s.excluded = round, round
		}
		if s := m.named(room); s != nil {
			s.seen, s.excluded = round, round
		}
	}
}

// named is the socket whose id is a room's name.
func (m *members) named(room string) *Socket {
	if len(m.all) == 0 {
		return nil
	}
	n := m.all[0].namespace
	s := n.Socket(room)
	if s == nil || s.client.shard != m.all[0].client.shard || s.index < 0 || s.index >= len(m.all) || m.all[s.index] != s {
		return nil
	}
	return s
}

// once is give, for a socket that may be in more than one of the rooms.
func (sh *shard) once(s *Socket, group []op) {
	if s.seen != sh.round {
		s.seen = sh.round
		sh.give(s, group)
	}
}

// give sends a group to one socket, less what it sent itself.
func (sh *shard) give(s *Socket, group []op) {
	first, last := group[0].entry, group[len(group)-1].entry
	switch {
	case s.excluded == sh.round:
	case s.sent == sh.round:
		sh.giveOthers(s, group)
	case first.volatile:
		s.client.sendNow(first.outgoing)
	case first.place.Log == "" && s.client.observer != nil: // it hears of those one by one
		for i := range group {
			s.client.sendNow(group[i].entry.outgoing)
		}
	default:
		sh.send(s, &sh.batch, first, last, sh.size)
	}
}

// giveOthers leaves out what the socket itself sent. What a recovered socket sent before has another connection's name on the
// record, so that only what follows each other may be told of together.
func (sh *shard) giveOthers(s *Socket, group []op) {
	for len(group) > 0 {
		var some []*entry
		n := 0
		for ; n < len(group); n++ {
			e := group[n].entry
			if e.target.not != s {
				some = append(some, e)
			} else if s.recovered && len(some) > 0 {
				break
			}
		}
		if len(some) > 0 {
			sh.sendSome(s, len(some), func(i int) *entry { return some[i] })
		}
		group = group[n:]
	}
}

// sendSome sends n entries that may be joined to one socket.
func (sh *shard) sendSome(s *Socket, n int, at func(int) *entry) {
	first, last := at(0), at(n-1)
	if first.volatile || first.place.Log == "" && s.client.observer != nil {
		for i := range n {
			s.client.sendNow(at(i).outgoing)
		}
		return
	}
	bytes := 0
	sh.others.Reset()
	for i := range n {
		e := at(i)
		sh.others.Add(e.message)
		bytes += e.size() - e.mark
	}
	sh.send(s, &sh.others, first, last, bytes)
}

// send sends a batch to one socket. An error means that the client is ending, which it hears of by itself.
func (sh *shard) send(s *Socket, b *engine.Batch, first, last *entry, bytes int) {
	c := s.client
	if c.observer == nil {
		c.conn.SendBatch(b)
		return
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	if c.ended || c.conn.SendBatch(b) != nil {
		return
	}
	c.observer.Delivered(Delivery{Socket: s, First: first.place, Last: last.place, Messages: uint64(b.Len()),
		Bytes: uint64(bytes)})
}
