package fleet

import (
	"sync"
)

// acks are replies that wait until what they answer is on disk. A goroutine writes them, in order, while there are any.
type acks struct {
	mu      sync.Mutex
	waiting [][]byte
	bytes   int
	busy    bool
	room    chan struct{} // closed when there is room again; nil while nobody waits for it
	taken   uint64        // replies, ever
	written uint64        // those of them that are written, or never will be
	wrote   chan struct{} // closed when written grows; nil while nobody waits for it
}

// What may wait of one device; beyond that it is not read, and a datagram's reply is left out, which the device will ask for again.
const (
	maxAcks     = 1024
	maxAckBytes = 64 << 10
)

// replyStored is reply once all that was received by now is on disk; v.work is held.
func (v *visit) replyStored(p []byte) error {
	if v.acks == nil {
		v.acks = &acks{}
	}
	a := v.acks
	a.mu.Lock()
	for len(a.waiting) >= maxAcks || a.bytes > 0 && a.bytes+len(p) > maxAckBytes {
		if v.s.Datagrams() {
			a.mu.Unlock()
			return nil
		}
		if a.room == nil {
			a.room = make(chan struct{})
		}
		room := a.room
		a.mu.Unlock()
		<-room // write makes room, or ends with the session and makes it then
		if e := v.s.Ended(); e != nil {
			return e
		}
		a.mu.Lock()
	}
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, append([]byte(nil), p...))
	a.bytes += len(p)
	a.taken++
	if !a.busy {
		a.busy = true
		go v.acknowledge(a) // ends with the last reply, at the latest when the session does
	}
	return nil
}

func (v *visit) acknowledge(a *acks) {
	for {
		a.mu.Lock()
		list := a.waiting
		a.waiting, a.bytes = nil, 0
		if a.room != nil {
			close(a.room)
			a.room = nil
		}
		if len(list) == 0 {
			a.busy = false
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
		err := v.s.WaitStored()
		for _, p := range list {
			if err == nil {
				_, err = v.s.Write(p)
			}
		}
		if err != nil {
			v.s.EndWith(err)
		}
		a.mu.Lock()
		a.written += uint64(len(list))
		if a.wrote != nil {
			close(a.wrote)
			a.wrote = nil
		}
		a.mu.Unlock()
	}
}

// wait waits until all replies are written that wait now, at the longest until the session ends.
func (a *acks) wait() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for until := a.taken; a.written < until; a.mu.Lock() {
		if a.wrote == nil {
			a.wrote = make(chan struct{})
		}
		wrote := a.wrote
		a.mu.Unlock()
		<-wrote
	}
}
