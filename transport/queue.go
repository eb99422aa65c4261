package transport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// ErrSlow says that more waited for the far end than the limit allows, or that it read nothing for too long.
var ErrSlow = errors.New("the far end reads too slowly")

// Queue lets bytes be pushed to a Conn by those who must not wait. What the socket takes goes out at once; the rest
// waits, up to a limit, and a goroutine writes it while there is any. A Conn that cannot write without waiting, as TLS,
// takes the same way through that goroutine. All writing to the Conn goes through its Queue.
type Queue struct {
	conn   Conn // fixed after Init
	failed func(error)
	limit  int

	mu       sync.Mutex
	busy     bool          // the goroutine is there
	shut     bool          // nothing more is taken
	chunks   [][]byte      // what waits, in order
	size     int           // its bytes, with what is being written
	err      error         // why nothing is written any more
	deadline int64         // of those who wait until nothing waits, in Unix ns; 0: none
	changed  chan struct{} // closed when busy, err or deadline change; nil while nobody waits
	owed     *owed         // what waits of messages; nil while nothing does
	framed   bool          // what is pushed are frames of WebSocket
}

// owed is what waits, as the far end would see it: the payload of messages.
type owed struct {
	bytes int
	walk  frameWalk // over what the socket took
}

const (
	queueChunk  = 64 << 10
	queueRecord = 16 << 10 // for a Conn that cannot go on after a deadline, as TLS

	// stallLimit is how long a far end may read nothing at all while something waits for it.
	stallLimit = 30 * time.Second
)

// Init makes the queue ready: as much as limit, in bytes, may wait. Failed is called once, in a goroutine of its own,
// if what waits cannot be written; it may be nil.
func (q *Queue) Init(c Conn, limit int, failed func(error)) {
	q.conn, q.limit, q.failed = c, limit, failed
}

// Push sends p behind what was pushed before. It never waits, and p may be used again. All of p is taken, or the error
// is why nothing can be sent any more: ErrSlow, if more would wait than the limit. A single push may exceed it.
func (q *Queue) Push(p []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shut {
		return net.ErrClosed
	}
	return q.push(p, q.limit)
}

// pushLast is Push of what nothing follows.
func (q *Queue) pushLast(p []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shut {
		return net.ErrClosed
	}
	q.shut = true
	return q.push(p, q.limit+len(p))
}

// shutNow has every further Push fail.
func (q *Queue) shutNow() {
	q.mu.Lock()
	q.shut = true
	q.mu.Unlock()
}

func (q *Queue) push(p []byte, limit int) error {
	if q.err != nil {
		return q.err
	}
	whole, taken := p, 0
	if !q.busy {
		n, err := q.conn.TryWrite(p)
		if err != nil {
			q.err = err
			return err
		}
		taken = n
		if p = p[n:]; len(p) == 0 {
			return nil
		}
	}
	if q.size > 0 && q.size+len(p) > limit {
		q.err = fmt.Errorf("%w: more than %d bytes waited", ErrSlow, q.limit)
		q.conn.SetWriteDeadline(time.Unix(1, 0)) // wakes the goroutine
		return q.err
	}
	q.owe(whole, taken)
	q.keep(p)
	if !q.busy {
		q.busy = true
		go q.drain() // ends when nothing waits, at the latest when the Conn is closed
	}
	return nil
}

// owe notes what of p will wait behind the bytes of it that the socket took.
func (q *Queue) owe(p []byte, taken int) {
	if q.owed == nil {
		q.owed = &owed{}
	}
	if !q.framed {
		q.owed.bytes += len(p) - taken
		return
	}
	var walk frameWalk
	q.owed.bytes += walk.payload(p)
	q.paid(p[:taken])
}

// paid notes that the socket took p.
func (q *Queue) paid(p []byte) {
	if q.framed {
		q.owed.bytes -= q.owed.walk.payload(p)
	} else {
		q.owed.bytes -= len(p)
	}
}

// keep copies p behind what waits. Chunks are as large as what waits already: little takes little.
func (q *Queue) keep(p []byte) {
	q.size += len(p)
	if n := len(q.chunks); n > 0 {
		last := q.chunks[n-1]
		fits := min(len(p), cap(last)-len(last))
		q.chunks[n-1] = append(last, p[:fits]...)
		p = p[fits:]
	}
	for len(p) > 0 {
		n := min(len(p), queueChunk)
		q.chunks = append(q.chunks, append(make([]byte, 0, min(q.size, queueChunk)), p[:n]...))
		p = p[n:]
	}
}

func (q *Queue) drain() {
	for {
		chunk, err := q.next()
		if err != nil && q.failed != nil {
			q.failed(err)
		}
		if chunk == nil {
			return
		}
		var n int
		n, err = q.writeOut(chunk)
		q.mu.Lock()
		q.size -= len(chunk)
		q.paid(chunk[:n])
		if q.err == nil {
			q.err = err
		}
		q.mu.Unlock()
	}
}

// next is the chunk to write, nil if there is none: then the goroutine is gone for all others.
func (q *Queue) next() ([]byte, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil && len(q.chunks) > 0 {
		chunk := q.chunks[0]
		q.chunks[0] = nil
		q.chunks = q.chunks[1:]
		return chunk, nil
	}
	q.busy, q.chunks, q.size = false, nil, 0
	if q.err == nil {
		q.owed = nil
	}
	q.conn.SetWriteDeadline(time.Time{})
	q.tell()
	return nil, q.err
}

// writeOut writes a chunk, for as long as any of it is taken, and returns how much of it was.
func (q *Queue) writeOut(chunk []byte) (written int, err error) {
	_, oneTry := q.conn.(*stream)
	for written < len(chunk) {
		p := chunk[written:]
		if oneTry {
			p = p[:min(len(p), queueRecord)]
		}
		if err := q.arm(); err != nil {
			return written, err
		}
		n, err := q.conn.Write(p)
		written += n
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return written, err
		case n == 0 || oneTry:
			return written, fmt.Errorf("%w: nothing of what waited was read within %v", ErrSlow, stallLimit)
		}
	}
	return written, nil
}

// arm sets the deadline of a write, unless nothing is to be written any more.
func (q *Queue) arm() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return q.err
	}
	return q.conn.SetWriteDeadline(time.Now().Add(stallLimit))
}

// Waiting is how many bytes wait.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size
}

// Unsent is how many bytes were pushed and never written, less what failing pushes did not take. It waits until nothing is
// written any more.
func (q *Queue) Unsent() int {
	for {
		changed, _, _ := q.watch()
		if changed == nil {
			break
		}
		<-changed
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.owed == nil {
		return 0
	}
	return q.owed.bytes
}

// Flush waits until nothing waits, or until limit has passed, which is os.ErrDeadlineExceeded.
func (q *Queue) Flush(limit time.Duration) error {
	return q.await(time.Now().Add(limit).UnixNano())
}

// await is Flush until the given time, or for 0 until the deadline, which may change meanwhile. A far end that does not
// read has its limit in drain.
func (q *Queue) await(until int64) error {
	for {
		changed, deadline, err := q.watch()
		if changed == nil {
			return err
		}
		if until != 0 {
			deadline = until
		}
		if deadline == 0 {
			<-changed
			continue
		}
		timer := time.NewTimer(time.Until(time.Unix(0, deadline)))
		select {
		case <-changed:
			timer.Stop()
		case <-timer.C:
			return os.ErrDeadlineExceeded
		}
	}
}

// watch returns a channel that is closed at the next change, or nil when nothing waits or can be written.
func (q *Queue) watch() (changed <-chan struct{}, deadline int64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.busy {
		return nil, 0, q.err
	}
	if q.changed == nil {
		q.changed = make(chan struct{})
	}
	return q.changed, q.deadline, nil
}

// tell wakes those who watch.
func (q *Queue) tell() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

func (q *Queue) setDeadline(t time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deadline = 0
	if !t.IsZero() {
		q.deadline = t.UnixNano()
	}
	q.tell()
}
