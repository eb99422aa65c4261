package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

// uplink carries what passes in a program's terminal to a server, and begins again when the connection is lost. What is
// typed never waits for it; what is shown waits only while much waits already and the server answers.
type uplink struct {
	flags  serverFlags
	runner *runner
	hello  web.RunHello // owned by whoever connects
	first  *runLink     // of begin; nil once run has it
	done   chan struct{}
	stop   context.CancelFunc
	ctx    context.Context

	mu      sync.Mutex
	changed sync.Cond // of all below
	up      bool      // there is a session
	waiting [][]byte  // messages
	size    int       // their bytes
	missed  missed    // while there was no session
	now     string    // the terminal's size
	ending  bool      // the program has ended: the last message waits
	given   error     // why no session will be begun any more
}

// missed is what is on no record.
type missed struct{ events, bytes uint64 }

func (m *missed) add(n int) {
	m.events++
	m.bytes += uint64(n)
}

const (
	uplinkQueue = 8 << 20 // bytes that wait before what is shown does
	uplinkMost  = 2 * uplinkQueue
	uplinkAgain = time.Second
	uplinkLast  = 10 * time.Second // for what waits at the program's end
)

func newUplink(flags serverFlags, hello web.RunHello, r *runner) *uplink {
	u := &uplink{flags: flags, runner: r, hello: hello, now: hello.Size, done: make(chan struct{})}
	u.changed.L = &u.mu
	u.ctx, u.stop = context.WithCancel(context.Background())
	return u
}

// begin makes the first session.
func (u *uplink) begin(ctx context.Context) (session.ID, error) {
	l, err := dialRun(ctx, u.flags, u.hello)
	if err != nil {
		return "", err
	}
	u.first, u.up = l, true
	return l.id, nil
}

// output takes what is shown. See uplink for when it waits.
func (u *uplink) output(p []byte) { u.put(web.RunOutput, p, true) }

// input takes what is typed.
func (u *uplink) input(p []byte) { u.put(web.RunInput, p, false) }

func (u *uplink) resize(size string) {
	u.mu.Lock()
	u.now = size
	u.mu.Unlock()
	u.put(web.RunSize, []byte(size), false)
}

func (u *uplink) put(kind byte, p []byte, patient bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for patient && u.up && u.size >= uplinkQueue {
		u.changed.Wait()
	}
	switch {
	case !u.up:
		if kind != web.RunSize {
			u.missed.add(len(p))
		}
		return
	case u.size >= uplinkMost:
		u.lose()
		u.missed.add(len(p))
		return
	}
	u.queue(kind, p)
}

func (u *uplink) queue(kind byte, p []byte) {
	u.waiting = append(u.waiting, append([]byte{kind}, p...))
	u.size += len(p)
	u.changed.Broadcast()
}

// miss counts messages that were not sent; u.mu is held.
func (u *uplink) miss(batch [][]byte) {
	for _, m := range batch {
		if m[0] == web.RunOutput || m[0] == web.RunInput {
			u.missed.add(len(m) - 1)
		}
	}
}

// lose ends the session here: what waits is missed. u.mu is held.
func (u *uplink) lose() {
	u.miss(u.waiting)
	u.up, u.waiting, u.size = false, nil, 0
	u.changed.Broadcast()
}

// take waits for messages; none means that nothing is to be sent any more.
func (u *uplink) take() [][]byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.up && len(u.waiting) == 0 {
		u.changed.Wait()
	}
	batch := u.waiting
	u.waiting = nil
	return batch
}

// sent makes room again, whether they were sent or not.
func (u *uplink) sent(batch [][]byte, all bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !all {
		u.miss(batch)
	}
	for _, m := range batch {
		u.size = max(0, u.size-(len(m)-1))
	}
	u.changed.Broadcast()
}

// run sends what there is, in one session after the other, until the program has ended.
func (u *uplink) run() {
	defer close(u.done)
	l := u.first
	u.first = nil
	for {
		err := l.carry(u)
		u.mu.Lock()
		u.lose()
		over := u.ending
		u.mu.Unlock()
		if over || u.ended(err) {
			return
		}
		if l = u.again(l.id); l == nil {
			return
		}
	}
}

// ended tells the person why a session is over, and reports whether that is for good.
func (u *uplink) ended(err error) bool {
	var end *session.End
	if errors.As(err, &end) && end.Cause == session.Kicked {
		return true // it has been given, and the program is told
	}
	if u.runner.strict {
		u.give(fmt.Errorf("%w: the program was ended, as it is not recorded any more", err))
		u.runner.kicked()
		return true
	}
	return false
}

func (u *uplink) give(err error) {
	u.mu.Lock()
	u.given = err
	u.mu.Unlock()
}

// again begins another session, however long that takes; nil once the program has ended, or where it is refused.
func (u *uplink) again(before session.ID) *runLink {
	told := false
	for {
		u.mu.Lock()
		u.hello.Follows, u.hello.Events, u.hello.Bytes, u.hello.Size = before, u.missed.events, u.missed.bytes, u.now
		u.mu.Unlock()
		l, err := dialRun(u.ctx, u.flags, u.hello)
		if err == nil {
			u.mu.Lock()
			u.up = true
			u.missed.events -= u.hello.Events
			u.missed.bytes -= u.hello.Bytes
			if u.now != u.hello.Size {
				u.queue(web.RunSize, []byte(u.now))
			}
			u.mu.Unlock()
			u.runner.say("recorded again, as %s", l.id.Short())
			return l
		}
		if u.ctx.Err() != nil {
			return nil
		}
		var refused *apiError
		if errors.As(err, &refused) && refused.Status/100 == 4 {
			u.runner.say("not recorded any more: %v", err)
			return nil
		}
		if !told {
			told = true
			u.runner.say("not recorded until the server is back: %v", err)
		}
		select {
		case <-time.After(uplinkAgain):
		case <-u.ctx.Done():
			return nil
		}
	}
}

// end sends how the program ended, behind all that waits, and tells what could not be recorded.
func (u *uplink) end(how string) {
	u.mu.Lock()
	u.ending = true
	if u.up {
		u.queue(web.RunExit, []byte(how))
	} else {
		u.stop()
	}
	u.mu.Unlock()
	limit := time.AfterFunc(uplinkLast, u.stop)
	<-u.done
	limit.Stop()
	u.stop()
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.given != nil:
		u.runner.std.note("%v", u.given)
	case u.missed.bytes > 0:
		u.runner.std.note("the last %d bytes are not recorded", u.missed.bytes)
	}
}
