package command

import (
	"errors"
	"time"

	"github.com/switchboard-relay/switchboard/device"
)

// pump begins to write the target's next command, if there is one whose turn it is. Queue.mu is held.
func (q *Queue) pump(t *target) {
	it := t.next()
	if it == nil || q.closed || q.stalled[t] {
		q.changed(t)
		return
	}
	t.take(it)
	q.clock.clear(it)
	peer := t.peers[len(t.peers)-1]
	it.state, it.flight, t.flight = device.Writing, &flight{peer: peer, session: peer.Session()}, it
	q.changed(t)
	seq, f := it.seq, it.flight
	q.writer.forget(seq)
	q.writer.put(op{do: func(tx *batch) error { return tx.begin(seq, f) }, done: func(err error) { q.begun(it, f, err) }})
}

// stallPause is how long nothing is tried for a device after the disk refused.
const stallPause = time.Second

// begun goes on when Writing is on disk, or cannot be put there.
func (q *Queue) begun(it *item, f *flight, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if it.flight != f {
		return
	}
	if err != nil {
		t := it.target
		q.stalled[t] = true
		q.requeue(it)
		time.AfterFunc(stallPause, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			delete(q.stalled, t)
			q.pump(t)
		})
		return
	}
	if f.broken != nil {
		q.settle(it, device.Failed, "what is on disk is no command: "+f.broken.Error(), 0)
		return
	}
	q.send(it)
}

// requeue has a command of which nothing was written wait again. Queue.mu is held.
func (q *Queue) requeue(it *item) {
	t := it.target
	it.state, it.flight, t.flight = device.Queued, nil, nil
	t.put(it)
	q.clock.set(it, it.expires)
	q.writer.later(it.change(""))
	q.pump(t)
}

// send writes a command that is Writing on disk to the device. Queue.mu is held.
func (q *Queue) send(it *item) {
	t, f := it.target, it.flight
	if len(t.peers) == 0 || q.closed {
		q.requeue(it)
		return
	}
	f.peer = t.peers[len(t.peers)-1]
	f.session = f.peer.Session()
	if f.rule.needsSeq {
		if f.rule = sequenceOf(f.peer, f); f.rule == nil {
			q.settle(it, device.Failed, "it has no sequence number that an answer could repeat: choose another ack.by", 0)
			return
		}
	}
	f.sending = true
	q.sends.Go(func() { q.sent(it, f, f.peer.Send(f.data)) })
}

// sequenceOf is the flight's rule with the number that its connection finds in it; nil if it finds none.
func sequenceOf(p Peer, f *flight) *rule {
	s, ok := p.(Sequencer)
	if !ok {
		return nil
	}
	return f.rule.withSequence(s.Sequence(f.data))
}

// sent goes on when all of a command is in the socket, or will not be.
func (q *Queue) sent(it *item, f *flight, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if it.flight != f || it.state != device.Writing {
		return // the connection ended meanwhile
	}
	now := time.Now()
	switch {
	case errors.Is(err, ErrUnsendable):
		q.settle(it, device.Failed, err.Error(), 0)
	case errors.Is(err, ErrNotSent):
		t := it.target
		q.requeueBehind(t, it, f.peer)
	case err != nil:
		q.broke(it, err)
	case f.rule.by == ByNone:
		f.written = now.UnixMicro()
		q.settle(it, device.Done, "", 0)
	case f.heard:
		f.written = now.UnixMicro()
		q.settle(it, device.Acknowledged, "", f.written)
	default:
		f.written, f.data, it.state = now.UnixMicro(), nil, device.Written
		q.clock.set(it, now.Add(f.rule.timeout).UnixMicro())
		q.writer.later(it.change(""))
	}
}

// requeueBehind has a command wait again that a connection did not take: nothing is tried on that one any more.
func (q *Queue) requeueBehind(t *target, it *item, p Peer) {
	if at := len(t.peers) - 1; at >= 0 && t.peers[at] == p {
		t.peers = t.peers[:at]
		q.peers.Delete(p)
	}
	q.requeue(it)
}

// settle ends a command. Answered is when the device answered, or when it is clear that it does not, Unix µs, 0 if it was
// not asked. Queue.mu is held.
func (q *Queue) settle(it *item, state device.CommandState, why string, answered int64) {
	t := it.target
	q.clock.clear(it)
	it.state = state
	c := it.change(why)
	if state == device.Acknowledged {
		c.answered = answered
	}
	q.writer.later(c)
	if t.flight == it {
		t.flight = nil
	}
	if len(it.over) > 0 {
		o := Outcome{State: state, Error: why, Answer: c.answer}
		over := it.over
		it.over = nil
		q.teller.tell(func() {
			for _, w := range over {
				w.told(o)
			}
		})
	}
	q.pruning[t.key]++
	q.pump(t)
}

// change is what is to be put on disk of a command.
func (it *item) change(why string) change {
	c := change{seq: it.seq, state: it.state, why: why}
	if f := it.flight; f != nil {
		c.session, c.written = f.session, f.written
		if it.state == device.Acknowledged {
			c.answer = f.answer
		}
	}
	return c
}
