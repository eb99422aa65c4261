package command

import (
	"bytes"
	"slices"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/session"
)

// target is a device that is online or has commands that are not over. Its fields are guarded by Queue.mu.
type target struct {
	key     key
	peers   []Peer  // the newest last, to which all is written
	queue   []*item // that wait, in order of creation
	flight  *item   // the one that is being written, or waits for its answer
	window  int64   // commands for the next uplink, up to this place, may be written: there was one
	uplinks int     // of queue

	wants atomic.Bool // messages may change something; written under Queue.mu
}

// item is a command that is not over. Its fields are guarded by Queue.mu.
type item struct {
	seq     int64 // its place in the order of all commands
	id      string
	target  *target
	state   device.CommandState
	durable bool // on disk
	uplink  bool
	expires int64 // Unix µs
	due     int64 // of clock
	place   int   // in clock, from 1
	flight  *flight
	over    []*watcher // who is to be told how it ends
}

// watcher is to be told how a command ends.
type watcher struct {
	told func(Outcome)
	link bool // a line on a link tells of it
}

// maxFollowers is how many lines on links may tell of one command, which was asked for so often: then the first is left out.
const maxFollowers = 16

// follow has a line on a link tell how the command ends.
func (it *item) follow(told func(Outcome)) {
	lines, first := 0, -1
	for i, w := range it.over {
		if w.link {
			if lines++; first < 0 {
				first = i
			}
		}
	}
	if lines >= maxFollowers {
		it.over = slices.Delete(it.over, first, first+1)
	}
	it.over = append(it.over, &watcher{told, true})
}

// flight is what a command needs while it is written, and until it is answered.
type flight struct {
	data    []byte // until it is written
	rule    *rule
	peer    Peer       // to which it is being written
	session session.ID // the same
	sending bool       // Peer.Send may have begun
	written int64      // Unix µs
	answer  []byte
	heard   bool  // answered before Send has returned
	broken  error // what is on disk cannot be read as a command
}

// Outcome is how a command that is over ended.
type Outcome struct {
	State  device.CommandState
	Error  string
	Answer []byte
}

// of returns the target, making it if there is none.
func (q *Queue) of(k key) *target {
	t := q.targets[k]
	if t == nil {
		t = &target{key: k}
		q.targets[k] = t
	}
	return t
}

// changed is to be called when a target's queue, flight or peers changed: it goes when nothing is left of it.
func (q *Queue) changed(t *target) {
	if wants := t.flight != nil || t.uplinks > 0; wants != t.wants.Load() {
		t.wants.Store(wants)
		if wants {
			q.waiting.Add(1)
		} else {
			q.waiting.Add(-1)
		}
	}
	if len(t.peers) == 0 && len(t.queue) == 0 && t.flight == nil && q.targets[t.key] == t {
		delete(q.targets, t.key)
	}
}

func (t *target) waiting() int {
	if t.flight != nil {
		return len(t.queue) + 1
	}
	return len(t.queue)
}

// put adds a waiting command in its order.
func (t *target) put(it *item) {
	at, _ := slices.BinarySearchFunc(t.queue, it.seq, func(it *item, seq int64) int { return int(it.seq - seq) })
	t.queue = slices.Insert(t.queue, at, it)
	if it.uplink {
		t.uplinks++
	}
}

// take removes a waiting command.
func (t *target) take(it *item) {
	at := slices.Index(t.queue, it)
	if at < 0 {
		return
	}
	if t.queue = slices.Delete(t.queue, at, at+1); len(t.queue) == 0 {
		t.queue = nil
	}
	if it.uplink {
		t.uplinks--
	}
}

// find is the command of that place, if it is not over.
func (t *target) find(seq int64) *item {
	if t == nil {
		return nil
	}
	if t.flight != nil && t.flight.seq == seq {
		return t.flight
	}
	for _, it := range t.queue {
		if it.seq == seq {
			return it
		}
	}
	return nil
}

// next is the first command that may be written now; nil if there is none.
func (t *target) next() *item {
	if t.flight != nil || len(t.peers) == 0 {
		return nil
	}
	for _, it := range t.queue {
		if !it.durable {
			return nil
		}
		if !it.uplink || it.seq <= t.window {
			return it
		}
	}
	return nil
}

// Online says that a device is connected. Of several connections of one device the newest gets its commands.
func (q *Queue) Online(p Peer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.of(key{p.Fleet(), p.Name()})
	if slices.Contains(t.peers, p) {
		return
	}
	t.peers = append(t.peers, p)
	q.peers.Store(p, t)
	if it := t.flight; it != nil && it.state == device.Written && it.flight.rule.needsSeq {
		if r := sequenceOf(p, it.flight); r != nil {
			it.flight.rule = r
		}
	}
	q.pump(t)
}

// Offline says that a connection is gone. A command that was being written to it is Uncertain.
func (q *Queue) Offline(p Peer, why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	known, ok := q.peers.LoadAndDelete(p)
	if !ok {
		return
	}
	t := known.(*target)
	if t.peers = slices.DeleteFunc(t.peers, func(other Peer) bool { return other == p }); len(t.peers) == 0 {
		t.peers, t.window = nil, 0
	}
	if it := t.flight; it != nil && it.state == device.Writing && it.flight.sending && it.flight.peer == p {
		q.broke(it, why)
		return
	}
	q.pump(t)
}

// broke settles a command whose connection ended while it was written.
func (q *Queue) broke(it *item, why error) {
	now := time.Now().UnixMicro()
	if it.flight.heard && it.flight.rule.sure() {
		it.flight.written = now
		q.settle(it, device.Acknowledged, "", now)
		return
	}
	text := "the connection ended while it was written"
	if why != nil {
		text += ": " + why.Error()
	}
	q.settle(it, device.Uncertain, text, now)
}

// Heard says that a whole message of a device came. It is borrowed. Heard does not wait for disks or sockets.
func (q *Queue) Heard(p Peer, m *frame.Message) {
	if q.waiting.Load() == 0 {
		return
	}
	known, ok := q.peers.Load(p)
	if !ok {
		return
	}
	t := known.(*target)
	if !t.wants.Load() {
		return
	}
	q.mu.Lock()
	var r *rule
	var same bool
	it := t.flight
	if it != nil && (it.state == device.Written || it.flight.sending) {
		r, same = it.flight.rule, it.flight.session == p.Session()
	}
	q.mu.Unlock()
	answers := r != nil && r.acknowledges(m, same) // without the lock: a pattern may take its time
	q.mu.Lock()
	defer q.mu.Unlock()
	if m.Kind != frame.Junk && t.uplinks > 0 {
		t.window = q.next - 1
	}
	if answers && t.flight == it && !it.flight.heard {
		it.flight.heard = true
		it.flight.answer = bytes.Clone(m.Data[:min(len(m.Data), MaxAnswer)])
		if it.state == device.Written {
			q.settle(it, device.Acknowledged, "", time.Now().UnixMicro())
			return
		}
	}
	q.pump(t)
}
