package room

import (
	"runtime"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// publication is one thing that a shard has to do: a message for its members, or a member that comes or goes.
type publication struct {
	from     session.ID
	data     []byte
	datagram []byte     // for members of datagrams, where it is another than data
	number   uint64     // of the Message event in the room's recording
	session  session.ID // of that recording
	others   bool       // from does not get it, whatever it chose

	member  Member
	joins   bool
	exclude bool
}

// by reports whether a member is left out as the sender.
func (p *publication) by(id session.ID, exclude bool) bool {
	return p.from == id && (exclude || p.others)
}

// shard holds some of a room's members and delivers to them in one goroutine. What has come while it delivered is
// joined, so that a member gets it with one write: the busier the room, the larger the writes.
type shard struct {
	room *Room
	wake chan struct{}

	mu      sync.Mutex
	space   sync.Cond // signalled when the inbox has been taken
	inbox   []publication
	bytes   int
	stopped bool

	// owned by run
	members []shardMember
	at      map[Member]int
	joined  []byte
	own     []byte
}

type shardMember struct {
	Member
	exclude   bool
	datagrams bool
}

const (
	inboxLimit = 4 << 20  // bytes that may wait for a shard; the follower waits beyond
	perMessage = 128      // bytes that a message takes besides its own
	joinLimit  = 64 << 10 // bytes that are joined for one write
)

// add appends to the inbox, and waits while too much is there.
func (s *shard) add(p publication) {
	s.mu.Lock()
	for p.data != nil && s.bytes > inboxLimit && !s.stopped {
		s.space.Wait()
	}
	s.inbox = append(s.inbox, p)
	s.bytes += len(p.data) + perMessage
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *shard) stop() {
	s.mu.Lock()
	s.stopped = true
	s.space.Broadcast()
	s.mu.Unlock()
}

func (s *shard) run() {
	var batch []publication
	for {
		select {
		case <-s.wake:
		case <-s.room.done:
			return
		}
		for {
			s.mu.Lock()
			// Taken and given back as two slices of their own: were an empty inbox swapped in, both would be one.
			batch, s.inbox = s.inbox, batch[:0]
			s.bytes = 0
			s.space.Broadcast()
			s.mu.Unlock()
			if len(batch) == 0 {
				break
			}
			began := time.Now()
			said := s.work(batch)
			clear(batch)
			pause(said, time.Since(began))
		}
	}
}

// shardCount is half of the processors: the others read what members say, and a shard that writes all the time would
// take that from them.
func shardCount() int { return (runtime.GOMAXPROCS(0) + 1) / 2 }

// Limits of pause.
const (
	pauseFrom = 200 * time.Microsecond // a shorter round is not worth one
	pauseMost = 10 * time.Millisecond
)

// pause follows a round that joined messages, for half as long as that took: what members say meanwhile goes out
// together. Without it a busy shard writes each message almost by itself, as soon as it is there, and keeps its own
// members from being read. A round of one message is followed by none, so that a quiet room has no delay.
func pause(said int, took time.Duration) {
	if said > 1 && took >= pauseFrom {
		time.Sleep(min(took/2, pauseMost))
	}
}

// work does what is in the batch in order, joining messages that follow each other. It returns how many there were.
func (s *shard) work(batch []publication) (said int) {
	for len(batch) > 0 {
		if m := batch[0].member; m != nil {
			s.change(&batch[0])
			batch = batch[1:]
			continue
		}
		n, size := 1, len(batch[0].data)
		for n < len(batch) && batch[n].member == nil && batch[n].session == batch[0].session &&
			size+len(batch[n].data) <= joinLimit {
			size += len(batch[n].data)
			n++
		}
		s.deliver(batch[:n], size)
		said += n
		batch = batch[n:]
	}
	return said
}

func (s *shard) change(p *publication) {
	i, known := s.at[p.member]
	switch {
	case p.joins && !known:
		s.at[p.member] = len(s.members)
		s.members = append(s.members, shardMember{p.member, p.exclude, p.member.Datagrams()})
	case !p.joins && known:
		s.remove(i)
	}
}

func (s *shard) remove(i int) {
	last := len(s.members) - 1
	delete(s.at, s.members[i].Member)
	if i != last {
		s.members[i] = s.members[last]
		s.at[s.members[i].Member] = i
	}
	s.members[last] = shardMember{}
	s.members = s.members[:last]
	s.room.members.Add(-1)
}

// deliver gives messages that follow each other to every member.
func (s *shard) deliver(group []publication, size int) {
	joined := group[0].data
	if len(group) > 1 {
		s.joined = s.joined[:0]
		for i := range group {
			s.joined = append(s.joined, group[i].data...)
		}
		joined = s.joined
	}
	ref := session.RoomRef{Room: s.room.name, Session: group[0].session, First: group[0].number,
		Last: group[len(group)-1].number, Messages: uint64(len(group)), Bytes: uint64(size)}
	others := false
	for i := range group {
		others = others || group[i].others
	}
	for i := len(s.members) - 1; i >= 0; i-- { // downwards: one that is removed is replaced by one that had its turn
		m := &s.members[i]
		var err error
		switch {
		case m.datagrams:
			err = s.deliverEach(m, group, ref)
		case m.exclude || others:
			err = s.deliverOthers(m, group, joined, ref)
		default:
			err = m.Deliver(joined, ref)
		}
		if err != nil {
			s.remove(i)
		}
	}
}

// deliverEach gives a member of datagrams each message by itself.
func (s *shard) deliverEach(m *shardMember, group []publication, ref session.RoomRef) error {
	ref.Exclude, ref.As = m.exclude, session.AsDatagram
	for i := range group {
		p := &group[i]
		if p.by(m.ID(), m.exclude) {
			continue
		}
		data := p.data
		if p.datagram != nil {
			data = p.datagram
		}
		ref.First, ref.Last, ref.Messages, ref.Bytes = p.number, p.number, 1, uint64(len(data))
		if err := m.Deliver(data, ref); err != nil {
			return err
		}
	}
	return nil
}

// deliverOthers leaves out what the member itself said.
func (s *shard) deliverOthers(m *shardMember, group []publication, joined []byte, ref session.RoomRef) error {
	ref.Exclude = m.exclude
	id, said := m.ID(), uint64(0)
	for i := range group {
		if group[i].by(id, m.exclude) {
			said++
		}
	}
	if said == 0 {
		return m.Deliver(joined, ref)
	}
	if said == ref.Messages {
		return nil
	}
	s.own = s.own[:0]
	for i := range group {
		if !group[i].by(id, m.exclude) {
			s.own = append(s.own, group[i].data...)
		}
	}
	ref.Messages -= said
	ref.Bytes = uint64(len(s.own))
	return m.Deliver(s.own, ref)
}
