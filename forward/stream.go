package forward

import (
	"sync/atomic"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// person is a device as it is known here: all sessions of one in turn, the newest at the end.
type person struct {
	fleet, name string
	newest      *stream // guarded by Forwards.mu
}

// stream is a device's session of which something is to be forwarded, or will be. It is there as long as a forward needs it.
type stream struct {
	id    session.ID
	start int64        // Unix µs
	named atomic.Int64 // when it became the device's, Unix µs: the order of a device's sessions; set under Forwards.mu

	datagrams bool // known once dialect is: each event is a message

	person  atomic.Pointer[person]        // exchanged under Forwards.mu
	dialect atomic.Pointer[frame.Dialect] // nil until it is needed
	live    atomic.Pointer[hub.Session]   // nil: nothing but Closed comes any more
	first   atomic.Pointer[feed]          // of its feeds; changed under Forwards.mu

	older, newer *stream // of the device; guarded by Forwards.mu
}

// states of a feed, which change under runner.mu and are read without it.
const (
	resting  uint32 = iota // everything that is there was read
	queued                 // waits for its turn
	busy                   // a worker has it
	busyNews               // and more came meanwhile
	blocked                // waits for an older session of the device
	gone                   // everything was delivered, or the forward has no need of it
)

// feed is how far a forward has got with a stream.
type feed struct {
	state  atomic.Uint32
	framer uint8
	free   atomic.Bool // no older session is in the way

	// guarded by runner.mu
	unwritten bool // what is here is not in the ledger yet
	counted   bool // among those with something to deliver

	// owned by the worker while busy, else guarded by runner.mu
	serial uint16 // as framer, offset and said: of frame.Position
	within uint32 // of the event's bytes, those that lie before the next message
	event  uint64 // in which the next message begins; 0: at the beginning
	offset int64
	said   string
	since  int64 // of the oldest that may not be delivered, Unix µs
	after  int64 // messages that came before it, Unix µs, are not for this forward

	runner  *runner
	stream  *stream
	next    *feed                // in the queue; guarded by runner.mu
	sibling atomic.Pointer[feed] // of the same stream; changed under Forwards.mu
}

func (f *feed) position() frame.Position {
	return frame.Position{Offset: f.offset, Framer: int(f.framer), Name: f.said, Serial: f.serial}
}

func (f *feed) setPosition(p place) {
	f.event, f.within = p.event, p.within
	f.offset, f.framer, f.serial = p.pos.Offset, uint8(p.pos.Framer), p.pos.Serial
	if f.said != p.pos.Name {
		f.said = p.pos.Name
	}
}

// place is where a reading stands: between two messages.
type place struct {
	pos    frame.Position
	event  uint64
	within uint32
}

// feedOf is the stream's feed to a forward, nil if that needs nothing of it.
func (s *stream) feedOf(r *runner) *feed {
	for f := s.first.Load(); f != nil; f = f.sibling.Load() {
		if f.runner == r {
			return f
		}
	}
	return nil
}

// remove takes a feed out; Forwards.mu is held.
func (s *stream) remove(gone *feed) {
	at := &s.first
	for f := at.Load(); f != nil; f = at.Load() {
		if f == gone {
			at.Store(f.sibling.Load())
			return
		}
		at = &f.sibling
	}
}

// isOver reports whether the session sends nothing more.
func (s *stream) isOver() bool {
	live := s.live.Load()
	return live == nil || live.Ended() != nil
}

// chain puts the stream among its device's, by time; Forwards.mu is held.
func (s *stream) chain(p *person) {
	s.person.Store(p)
	older := p.newest
	var newer *stream
	for older != nil && older.named.Load() > s.named.Load() {
		older, newer = older.older, older
	}
	s.older, s.newer = older, newer
	if older != nil {
		older.newer = s
	}
	if newer != nil {
		newer.older = s
	} else {
		p.newest = s
	}
}

// unchain takes it out again.
func (s *stream) unchain() {
	p := s.person.Load()
	if s.older != nil {
		s.older.newer = s.newer
	}
	if s.newer != nil {
		s.newer.older = s.older
	} else if p.newest == s {
		p.newest = s.older
	}
	s.older, s.newer = nil, nil
}

// key is under which a device is found. One that nobody knows the name of is no device: each of its sessions is by itself.
type key struct{ fleet, name string }

func (k key) shared() bool { return k.name != device.Unknown }
