package room

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// window bounds what this node has published to a room and has not seen come back. That its own follower has a message
// on record and with every shard is the acknowledgement: it is later than any that the log could send, costs nothing,
// and lets a room that cannot keep up hold its senders up, where the log would let go of what nobody has read yet.
type window struct {
	origin uint64 // in the upper half of every number: tells this node's messages from those of others

	mu      sync.Mutex
	changed sync.Cond
	flying  []flight
	bytes   int
	next    uint32
	closed  bool
}

// flight is one message under way.
type flight struct {
	number uint32
	bytes  int
}

// Patience is how long a message may be under way through a room, at most.
const Patience = 30 * time.Second

const (
	windowMessages = 2048
	windowBytes    = 2 << 20
	windowWait     = Patience
)

// errStalled says that messages went out and did not come back.
var errStalled = errors.New("what was said before has not come back for " + windowWait.String())

func (w *window) init() {
	w.origin = uint64(rand.Uint32()|1) << 32 // never 0
	w.changed.L = &w.mu
}

// send waits for room and calls publish with the message's number. Messages are numbered and published in one order.
func (w *window) send(bytes int, publish func(number uint64) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.wait(bytes); err != nil {
		return err
	}
	number := w.next
	if err := publish(w.origin | uint64(number)); err != nil {
		return err
	}
	w.next++
	w.flying = append(w.flying, flight{number, bytes})
	w.bytes += bytes
	return nil
}

func (w *window) wait(bytes int) error {
	full := func() bool {
		return len(w.flying) >= windowMessages || len(w.flying) > 0 && w.bytes+bytes > windowBytes
	}
	if !full() || w.closed {
		return w.open()
	}
	deadline := time.Now().Add(windowWait)
	alarm := time.AfterFunc(windowWait, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changed.Broadcast()
	})
	defer alarm.Stop()
	for full() && !w.closed {
		if !time.Now().Before(deadline) {
			w.flying, w.bytes = w.flying[:0], 0 // all lost, it seems: others may try
			w.changed.Broadcast()
			return errStalled
		}
		w.changed.Wait()
	}
	return w.open()
}

func (w *window) open() error {
	if w.closed {
		return ErrClosed
	}
	return nil
}

// seen takes a message out that has come back, and those before it that never will: lost is how many.
func (w *window) seen(number uint64) (lost int) {
	if number>>32 != w.origin>>32 {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, f := range w.flying {
		w.bytes -= f.bytes
		if f.number == uint32(number) {
			w.flying = append(w.flying[:0], w.flying[i+1:]...)
			w.changed.Broadcast()
			return i
		}
	}
	for _, f := range w.flying { // none of ours that is under way
		w.bytes += f.bytes
	}
	return 0
}

func (w *window) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.changed.Broadcast()
}
