package web

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// sourceBoard tells viewers what is known of the sources, whenever that changes. While nobody wants to know there is nothing.
type sourceBoard struct {
	server *server
	wake   chan struct{} // holds one value when somebody came, or it closes
	work   sync.WaitGroup

	mu      sync.Mutex
	lookers map[*viewer]int // the number of what it was told last; 0: nothing
	running bool
	closed  bool
}

// sourcesTick is how far apart two packets are, at least.
const sourcesTick = 250 * time.Millisecond

func newSourceBoard(s *server) *sourceBoard {
	return &sourceBoard{server: s, wake: make(chan struct{}, 1), lookers: map[*viewer]int{}}
}

// followSources begins or ends to tell the viewer of the sources.
func (v *viewer) followSources(_ context.Context, ask struct{ On bool }) (any, error) {
	b := v.viewers.sources
	if !ask.On {
		b.leave(v)
		return struct{}{}, nil
	}
	v.socket.AfterReply(func() { b.enter(v) })
	return struct{}{}, nil
}

// enter has the viewer told: first of what there is.
func (b *sourceBoard) enter(v *viewer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || !v.socket.Connected() {
		return
	}
	b.lookers[v] = 0
	if !b.running {
		b.running = true
		b.work.Go(b.run)
	}
	b.rouse()
}

// leave ends that; nothing comes behind what was sent before.
func (b *sourceBoard) leave(v *viewer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.lookers, v)
	b.rouse()
}

func (b *sourceBoard) close() {
	b.mu.Lock()
	b.closed = true
	clear(b.lookers)
	b.rouse()
	b.mu.Unlock()
	b.work.Wait()
}

func (b *sourceBoard) rouse() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run works while somebody wants to know.
func (b *sourceBoard) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var now []byte
	var due time.Time
	for number := 0; ; {
		if began := time.Now(); !began.Before(due) {
			due = began.Add(sourcesTick)
			if next := session.JSON(sourceList{b.server.sourcesStatus()}); !bytes.Equal(next, now) {
				now = next
				number++
			}
		}
		if !b.tell(now, number) {
			return
		}
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
		case <-b.wake:
		}
	}
}

// tell tells those who do not know it yet, but for those who have not read what was sent before. It reports false if nobody wants to
// know any more.
func (b *sourceBoard) tell(now []byte, number int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lookers) == 0 {
		b.running = false
		return false
	}
	for v, told := range b.lookers {
		if told != number && v.socket.Client().Waiting() <= boardBehind {
			v.socket.Emit("sources", rawJSON(now)) // an error means that the viewer is gone
			b.lookers[v] = number
		}
	}
	return true
}
