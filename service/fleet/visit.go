package fleet

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// visit is one connection of a device, from its first byte to its last. There are many, most of them idle.
type visit struct {
	svc   *Service
	s     *hub.Session
	start int64 // Unix µs
	pace  *pace // nil: no limit; owned by who receives

	// guarded by fleet.mu
	entry   *entry   // of its device; nil: it has no name, and needs none yet
	address *address // among whose nameless it counts; nil: it does not
	state   state
	counted bool  // among those online
	since   int64 // when it became its entry's, Unix µs
	left    int64 // when it was that no more; 0: it is
	base    tally // what it had counted then
	folded  tally // what of its counts is its entry's already

	// guarded by work
	work   sync.Mutex
	reader frame.Reader
	called string // the name that its fleet has it by; empty: none
	name   string // the same, once others were told: held ones are not
	fedAt  int64  // when the newest of what the reader was fed came, Unix µs
	spoken bool   // it has sent a message
	peer   bool   // the Commander knows it
	over   bool   // the followers were told
	noted  bool   // that it said another name
	timer  *time.Timer
	due    int64 // when timer comes, Unix µs; 0: it does not
	acks   *acks // made at the first reply that waits for the disk

	todo     atomic.Uint32 // what is to be done once work is free
	messages atomic.Uint64
	flagged  atomic.Uint64
}

// state is what a connection is to its fleet.
type state uint8

const (
	nameless state = iota
	online
	held
	gone
)

// What may be to be done with a visit. Whoever wants something of it, while another works on it, leaves that to the other: so
// that no end, kick or admission ever waits for a device that does not read.
const (
	ended    = 1 << iota // the session ends
	closed               // and nothing more comes of it
	admitted             // somebody admitted it
	timeout              // its timer came
)

// do has something done, here or by who works on the visit.
func (v *visit) do(what uint32) {
	v.todo.Or(what)
	v.settle()
}

func (v *visit) settle() {
	for v.todo.Load() != 0 && v.work.TryLock() {
		v.perform(v.todo.Swap(0))
		v.work.Unlock()
	}
}

// release ends the work on a visit.
func (v *visit) release() {
	v.work.Unlock()
	v.settle()
}

// perform does what is to be done; v.work is held.
func (v *visit) perform(what uint32) {
	if what&admitted != 0 && what&ended == 0 && v.name == "" {
		v.introduce(v.called)
		v.tellNews()
	}
	if what&timeout != 0 {
		v.due = 0
		v.s.EndWith(v.look())
	}
	if what&ended != 0 && v.timer != nil {
		v.timer.Stop()
	}
	if what&ended != 0 && v.peer {
		v.peer = false
		v.svc.all.opt.Commander.Offline(v, v.s.Ended())
	}
	if what&closed != 0 && !v.over {
		v.over = true
		v.farewell()
	}
}

// farewell is behind all that was received; v.work is held.
func (v *visit) farewell() {
	v.reader.Close(func(m *frame.Message) error {
		v.count(m)
		return nil
	})
	if v.name != "" {
		for _, f := range v.svc.all.opt.Followers {
			f.Gone(v.s)
		}
	}
	v.svc.fleet.fold(v)
}

// receive takes one piece.
func (v *visit) receive(data []byte) error {
	v.work.Lock()
	defer v.release()
	f := feedings.Get().(*feeding)
	defer f.done()
	f.visit = v
	v.fedAt = v.s.LastReceived()
	err := v.reader.Feed(data, v.fedAt, f.each)
	return v.fed(f, err)
}

// fed is behind what the reader was told; v.work is held.
func (v *visit) fed(f *feeding, err error) error {
	if len(f.out) > 0 {
		if e := v.reply(f.out); err == nil {
			err = e
		}
	}
	if err != nil {
		return err
	}
	v.tellNews()
	v.arm()
	return nil
}

func (v *visit) tellNews() {
	if v.name == "" {
		return
	}
	for _, f := range v.svc.all.opt.Followers {
		f.News(v.s)
	}
}

// feeding is what one call of a reader needs, so that calling it allocates nothing.
type feeding struct {
	visit *visit
	each  func(m *frame.Message) error
	out   []byte // replies that go out together, where that is a stream
}

var feedings = sync.Pool{New: func() any {
	f := &feeding{}
	f.each = f.heard
	return f
}}

func (f *feeding) done() {
	f.visit = nil
	if f.out = f.out[:0]; cap(f.out) > 64<<10 {
		f.out = nil
	}
	feedings.Put(f)
}

// heard takes one message; v.work is held.
func (f *feeding) heard(m *frame.Message) error {
	v := f.visit
	if m.Kind != frame.Junk {
		v.spoken = true
	}
	err := v.identify(m)
	v.count(m) // behind that: a registration is the first message of the device that it names
	if err != nil {
		f.refuse(m, err)
		return err
	}
	if len(m.Reply) > 0 {
		if v.s.Datagrams() {
			if err := v.reply(m.Reply); err != nil {
				return err
			}
		} else {
			f.out = append(f.out, m.Reply...)
		}
	}
	if v.reader.Ends(m) {
		return &session.End{Cause: session.Failed, Detail: "a message was not what its framer can read: on_bad: end"}
	}
	if v.peer && m.Kind != frame.Junk {
		v.svc.all.opt.Commander.Heard(v, m)
	}
	return nil
}

// refuse has a device told that it is refused, where its protocol has words for that; v.work is held.
func (f *feeding) refuse(m *frame.Message, why error) {
	var end *session.End
	if len(m.Refusal) == 0 || !errors.As(why, &end) || end == nil || end.Cause != session.Refused {
		return
	}
	v := f.visit
	if !v.s.Datagrams() && !v.svc.conf.AckStored {
		f.out = append(f.out, m.Refusal...)
		return
	}
	v.s.Write(m.Refusal) // it acknowledges nothing, and ends what would wait for the disk; an error is the session's end, which comes anyway
}

func (v *visit) count(m *frame.Message) {
	if m.Kind != frame.Junk {
		v.messages.Add(1)
		v.svc.fleet.messages.Add(1)
	}
	if m.Kind == frame.Junk || m.Flags != 0 {
		v.flagged.Add(1)
		v.svc.fleet.flagged.Add(1)
	}
}

// reply writes what the protocol has answered, at once or when what it answers is on disk; v.work is held.
func (v *visit) reply(p []byte) error {
	if v.svc.conf.AckStored {
		return v.replyStored(p)
	}
	_, err := v.s.Write(p)
	return err
}

// Fleet implements Peer.
func (v *visit) Fleet() string { return v.svc.fleet.name }

// Name implements Peer.
func (v *visit) Name() string { return v.name }

// Session implements Peer.
func (v *visit) Session() session.ID { return v.s.ID() }

// Sequence implements command.Sequencer.
func (v *visit) Sequence(p []byte) []byte { return v.svc.conf.Dialect.Sequence(p) }

// Send implements Peer. What the device's messages by now are answered with goes before: so a registration's answer comes before
// the first command.
func (v *visit) Send(p []byte) error {
	if v.s.Datagrams() && len(p) > transport.MaxDatagram {
		return fmt.Errorf("%w: a datagram has at most %d bytes", command.ErrUnsendable, transport.MaxDatagram)
	}
	v.work.Lock()
	a := v.acks
	v.release()
	if a != nil {
		a.wait()
	}
	n, err := v.s.Write(p)
	if err != nil && n == 0 {
		return fmt.Errorf("%w: %w", command.ErrNotSent, err)
	}
	return err
}
