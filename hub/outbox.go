package hub

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// outbox lets bytes be pushed to a session by those who must not wait. What the socket takes goes out at once; the
// rest waits here, up to a limit, and a goroutine writes it while there is any.
type outbox struct {
	mu   sync.Mutex
	idle sync.Cond // signalled when busy becomes false
	busy bool      // somebody writes and may wait: everybody else appends to tail
	tail []byte
	lost error // why bytes were lost: nothing may follow them

	flush    sync.Mutex // taken before mu, and held until what was pending is on record
	delivery delivery
}

// drainLimit bounds how long one write of the tail may wait without any progress.
const drainLimit = 30 * time.Second

// errLost says that a datagram cannot be sent. Others can.
var errLost = errors.New("the datagram cannot be sent")

// push sends p, or what is left of it later. It never waits. An error other than errLost is why the session is to end, as
// "slow" if its far end reads too slowly; o.mu is held, so it is the caller that ends it.
func (s *Session) push(p []byte) error {
	if e := s.over.Load(); e != nil {
		return e
	}
	o := s.box.Load()
	if o.lost != nil {
		return o.lost
	}
	if o.busy && !s.conn.Datagrams() { // a datagram is sent at once, or else would be joined with others
		return s.keep(p)
	}
	n, err := s.conn.TryWrite(p)
	if err != nil && s.lossy() && (errors.Is(err, syscall.EMSGSIZE) || errors.Is(err, syscall.ENOBUFS)) {
		return errLost
	}
	if err != nil {
		return err
	}
	if n == len(p) {
		return nil
	}
	if err := s.keep(p[n:]); err != nil {
		return err
	}
	o.busy = true
	go s.drain() // ends with the tail, at the latest when the session's connection is closed
	return nil
}

// lossy reports whether the transport may lose what it took.
func (s *Session) lossy() bool {
	_, flow := s.conn.(*transport.Flow)
	return flow
}

// keep appends to the tail; o.mu is held.
func (s *Session) keep(p []byte) error {
	o := s.box.Load()
	if limit := s.listener.writeLimit(); len(o.tail)+len(p) > limit {
		return &session.End{Cause: session.Slow, Detail: fmt.Sprintf("more than %d bytes waited to be read", limit)}
	}
	o.tail = append(o.tail, p...)
	return nil
}

func (s *Session) drain() {
	o := s.box.Load()
	var batch []byte
	for {
		o.mu.Lock()
		if len(o.tail) == 0 {
			o.busy, o.tail = false, nil
			o.idle.Broadcast()
			o.mu.Unlock()
			return
		}
		batch, o.tail = o.tail, batch[:0]
		o.mu.Unlock()
		s.conn.SetWriteDeadline(time.Now().Add(drainLimit))
		n, err := s.conn.Write(batch)
		if err != nil {
			s.stopDrain(len(batch)-n, err)
			return
		}
		s.conn.SetWriteDeadline(time.Time{})
	}
}

func (s *Session) stopDrain(lost int, err error) {
	if isTimeout(err) {
		err = &session.End{Cause: session.Slow, Detail: fmt.Sprintf("what waited was not read within %v", drainLimit)}
	}
	o := s.box.Load()
	o.mu.Lock()
	lost += len(o.tail)
	o.tail, o.lost = nil, err
	o.mu.Unlock()
	s.unsent(lost)
	o.mu.Lock()
	o.busy = false
	o.idle.Broadcast()
	o.mu.Unlock()
	s.endWith(err)
}

// awaitWriters waits until those who were writing when the connection was closed have put on record what was not sent.
func (s *Session) awaitWriters() {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	if o := s.box.Load(); o != nil {
		o.mu.Lock()
		for o.busy {
			o.idle.Wait()
		}
		o.mu.Unlock()
	}
}

// write sends all of p behind what waits already.
func (o *outbox) write(s *Session, p []byte) (int, error) {
	o.mu.Lock()
	for o.busy {
		o.idle.Wait()
	}
	if err := o.lost; err != nil {
		o.mu.Unlock()
		return 0, err
	}
	o.busy = true
	o.mu.Unlock()
	n, err := s.conn.Write(p)
	o.mu.Lock()
	if len(o.tail) > 0 {
		go s.drain() // takes over busy, and meets the same error
	} else {
		o.busy = false
		o.idle.Broadcast()
	}
	o.mu.Unlock()
	return n, err
}

// openOutbox makes the session ready for push. It is called before anybody pushes.
func (s *Session) openOutbox() {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	if s.box.Load() == nil {
		o := &outbox{}
		o.idle.L = &o.mu
		s.box.Store(o)
	}
}
