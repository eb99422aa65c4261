package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/device"
)

// taken is how it went to add a command.
type taken struct {
	command device.Command
	existed bool
	err     error
}

// Add takes a command, which is on disk when Add returns; the request's Fleet is needed. If the device has a command of that
// id already, it is that one, and existed; an error that wraps ErrOther says that it has other data. By is who asks. If the
// context ends before, the command may have been taken all the same.
func (q *Queue) Add(ctx context.Context, req device.CommandRequest, by string) (_ device.Command, existed bool, err error) {
	c, err := q.check(&req, by, time.Now())
	if err != nil {
		return c, false, err
	}
	return q.addAndWait(ctx, c)
}

func (q *Queue) addAndWait(ctx context.Context, c device.Command) (device.Command, bool, error) {
	answer := make(chan taken, 1)
	q.add(ctx, c, func(t taken) { answer <- t }, nil)
	select {
	case t := <-answer:
		return t.command, t.existed, t.err
	case <-ctx.Done():
		return c, false, context.Cause(ctx)
	}
}

// add takes a command. Done is called once, from wherever; over, if it is not nil, when the command is over: of one that was over
// before, never.
func (q *Queue) add(ctx context.Context, c device.Command, done func(taken), over func(Outcome)) {
	q.mu.Lock()
	t := q.targets[key{c.Fleet, c.Name}]
	switch {
	case q.closed:
		q.mu.Unlock()
		done(taken{err: ErrClosed})
		return
	case q.kept >= MaxKept, t != nil && t.waiting() >= MaxWaiting:
		full := fmt.Errorf("%w: %d of %s wait already: cancel some, or wait until it is connected", ErrFull, MaxWaiting, c.Name)
		if q.kept >= MaxKept {
			full = fmt.Errorf("%w: %d are kept already: those that are over are removed as time passes", ErrFull, MaxKept)
		}
		q.mu.Unlock()
		done(q.existing(ctx, c, full))
		return
	}
	defer q.mu.Unlock()
	t = q.of(key{c.Fleet, c.Name})
	it := &item{seq: q.next, id: c.ID, target: t, state: device.Queued, uplink: c.When == Uplink, expires: c.Expires}
	q.next++
	q.kept++
	if over != nil {
		it.follow(over)
	}
	if t.flight == nil && len(t.peers) > 0 && !it.uplink && t.next() == nil && !t.waitsNow() && !q.stalled[t] {
		peer := t.peers[len(t.peers)-1] // it goes straight to Writing
		r, _ := newRule(&c)             // checked before
		it.flight = &flight{data: c.Data, rule: r, peer: peer, session: peer.Session()}
		it.state, t.flight = device.Writing, it
		c.State, c.Session = device.Writing, it.flight.session
	} else {
		t.put(it)
		q.clock.set(it, it.expires)
	}
	q.changed(t)
	var was device.Command
	var existed bool
	q.writer.put(op{
		do: func(tx *batch) (err error) {
			was, existed, err = tx.add(it.seq, &c)
			return err
		},
		done: func(err error) {
			if err == nil && existed {
				q.untake(it)
				q.chores.Go(func() { q.answerAgain(was, c, done, over) })
				return
			}
			done(taken{c, false, err})
			if err != nil {
				q.untake(it)
				return
			}
			q.taken(it)
		},
	})
}

// waitsNow reports whether a command waits that does not wait for an uplink.
func (t *target) waitsNow() bool { return len(t.queue) > t.uplinks }

// taken goes on when a new command is on disk.
func (q *Queue) taken(it *item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it.durable = true
	switch {
	case it.state == device.Writing:
		q.send(it)
	case it.place == 0: // its time came before the disk was ready
		it.target.take(it)
		q.settle(it, device.Expired, "", 0)
	default:
		q.pump(it.target)
	}
}

// untake forgets a command that is not on disk.
func (q *Queue) untake(it *item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := it.target
	q.kept--
	q.clock.clear(it)
	t.take(it)
	if t.flight == it {
		t.flight = nil
	}
	q.pump(t)
}

// answerAgain answers who asked for a command that was there already, as it is now.
func (q *Queue) answerAgain(was, asked device.Command, done func(taken), over func(Outcome)) {
	ctx, ref := context.Background(), Ref{was.Fleet, was.Name, was.ID}
	was, err := q.Get(ctx, ref)
	if err != nil {
		done(taken{asked, false, err})
		return
	}
	answer := compare(was, asked)
	done(answer)
	if over == nil || answer.err != nil || was.State.Over() || q.follow(was, over) {
		return
	}
	if was, err = q.Get(ctx, ref); err == nil && was.State.Over() { // it was over just now
		q.teller.tell(func() { over(Outcome{was.State, was.Error, was.Answer}) })
	}
}

// follow has over called when a command is over. It reports whether that is still to come.
func (q *Queue) follow(c device.Command, over func(Outcome)) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := q.targets[key{c.Fleet, c.Name}].named(c.ID)
	if it != nil {
		it.follow(over)
	}
	return it != nil
}

// named is the command with that id, if it is on disk and not over.
func (t *target) named(id string) *item {
	if t == nil {
		return nil
	}
	if t.flight != nil && t.flight.id == id {
		return t.flight
	}
	for _, it := range t.queue {
		if it.id == id && it.durable {
			return it
		}
	}
	return nil
}

// compare answers with the command that was there already.
func compare(was, asked device.Command) taken {
	if !bytes.Equal(was.Data, asked.Data) {
		return taken{was, true, fmt.Errorf("%w: %q of %s was taken with other data: choose another id, or ask for the same", ErrOther, was.ID, was.Name)}
	}
	return taken{was, true, nil}
}

// existing answers where there is no room: with the command of the same id, or with why.
func (q *Queue) existing(ctx context.Context, c device.Command, full error) taken {
	was, err := q.Get(ctx, Ref{c.Fleet, c.Name, c.ID})
	if err != nil {
		return taken{err: full}
	}
	return compare(was, c)
}

// Cancel takes a command back that is not being written yet. An error that wraps ErrState says that it is too late.
func (q *Queue) Cancel(ctx context.Context, ref Ref, by string) (device.Command, error) {
	c, seq, err := q.get(ctx, ref)
	if err != nil {
		return c, err
	}
	q.mu.Lock()
	it := q.targets[key{c.Fleet, c.Name}].find(seq)
	if it != nil && it.state == device.Queued && it.durable {
		it.target.take(it)
		q.settle(it, device.Cancelled, "by "+by, 0)
		q.mu.Unlock()
		return q.Get(ctx, Ref{c.Fleet, c.Name, c.ID})
	}
	q.mu.Unlock()
	if c, err = q.Get(ctx, Ref{c.Fleet, c.Name, c.ID}); err != nil || c.State == device.Cancelled {
		return c, err
	}
	return c, fmt.Errorf("%w: it is %s: only one that is queued can be cancelled", ErrState, c.State)
}

// Resend makes a new command of one that is over, which says so. It is the only way in which something is sent twice.
func (q *Queue) Resend(ctx context.Context, ref Ref, by string) (device.Command, error) {
	was, err := q.Get(ctx, ref)
	if err != nil {
		return was, err
	}
	if !was.State.Over() {
		return was, fmt.Errorf("%w: it is %s: only one that is over can be sent again", ErrState, was.State)
	}
	c := device.Command{ID: newID(), Fleet: was.Fleet, Name: was.Name, Data: was.Data, When: was.When, Ack: was.Ack, By: by,
		State: device.Queued, Created: time.Now().UnixMicro(), ResendOf: was.ID}
	c.Expires = c.Created + was.Expires - was.Created
	c, _, err = q.addAndWait(ctx, c)
	return c, err
}

// requestsAtOnce is how many requests of the web server's links may wait for the disk; then links are not read.
const requestsAtOnce = 1000

// Request takes a line that the web server wrote on its link, an object of JSON as CommandRequest is, or answers with what is
// wrong with it: a line without its end. Later is called with the other lines, in order: when the command is on disk, and when it is
// over. It must not wait. Request waits while many requests wait for the disk, until the context ends.
func (q *Queue) Request(ctx context.Context, fleet, by string, line []byte, later func(line []byte)) []byte {
	req, err := Parse(line)
	if err == nil && req.Fleet == "" {
		req.Fleet = fleet
	}
	if err == nil && req.Fleet != fleet {
		err = bad("fleet %.40q: this link is that of fleet %s", req.Fleet, fleet)
	}
	var c device.Command
	if err == nil {
		c, err = q.check(&req, by, time.Now())
	}
	if err != nil {
		return reply{ID: req.ID, Error: err.Error()}.line()
	}
	select {
	case q.requests <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	done := func(t taken) {
		<-q.requests
		r := reply{ID: c.ID, State: device.Queued}
		if t.existed {
			r.State, r.Answer = t.command.State, t.command.Answer
		}
		if t.err != nil {
			r = reply{ID: c.ID, Error: t.err.Error()}
		}
		q.teller.tell(func() { later(r.line()) })
	}
	q.add(context.WithoutCancel(ctx), c, done, func(o Outcome) {
		later(reply{ID: c.ID, State: o.State, Answer: o.Answer, Error: o.Error}.line())
	})
	return nil
}

// reply is a line to the web server.
type reply struct {
	ID     string              `json:"id,omitempty"`
	State  device.CommandState `json:"state,omitempty"`
	Answer []byte              `json:"answer,omitempty"`
	Error  string              `json:"error,omitempty"`
}

func (r reply) line() []byte {
	b, _ := json.Marshal(r) // nothing in it can fail
	return b
}
