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

// Queue lets bytes be pushed to a Conn by those who must not wait. What the socket takes goes out at once; the rest waits, up
// to a limit, and a goroutine writes it while there is any. Conns that cannot write without waiting, as TLS, take the same
// way through that goroutine. All writing to the Conn goes through its Queue.
type Queue struct {
	conn   Conn // fixed after Init
	failed func(error)
	limit  int

	mu     sync.Mutex
	busy   bool     // the goroutine is there
	chunks [][]byte // what waits, in order
	size   int      // its bytes, with what is being written
	err    error    // why nothing is written any more
	idle   chan struct{}
}

const (
	queueChunk = 64 << 10
	// stallLimit is how long a far end may read nothing at all while something waits for it.
	stallLimit = 30 * time.Second
)

// Init makes the queue ready. Failed is called once, in a goroutine of its own, if what waits cannot be written; it may be nil.
func (q *Queue) Init(c Conn, limit int, failed func(error)) {
	q.conn, q.limit, q.failed = c, limit, failed
}

// Push sends p behind what was pushed before, and never waits; p may be used again. All of it is taken, or an error is
// returned: ErrSlow if more than the limit would wait, of more than one push.
func (q *Queue) Push(p []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return q.err
	}
	if !q.busy {
		n, err := q.conn.TryWrite(p)
		if err != nil {
			q.err = err
			return err
		}
		if p = p[n:]; len(p) == 0 {
			return nil
		}
	}
	if q.size > 0 && q.size+len(p) > q.limit { // one push may be larger: who pushes bounds it
		q.err = fmt.Errorf("%w: more than %d bytes waited", ErrSlow, q.limit)
		return q.err
	}
	q.keep(p)
	if !q.busy {
		q.busy = true
		go q.drain() // ends when nothing waits, at the latest when the Conn is closed
	}
	return nil
}

// keep copies p behind what waits; q.mu is held.
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
		chunk := make([]byte, n, chunkSize(n, q.size))
		copy(chunk, p)
		q.chunks = append(q.chunks, chunk)
		p = p[n:]
	}
}

// chunkSize is a chunk's capacity: small while little waits.
func chunkSize(n, waiting int) int { return min(max(n, min(waiting, queueChunk)), queueChunk) }

func (q *Queue) drain() {
	for {
		q.mu.Lock()
		if len(q.chunks) == 0 || q.err != nil {
			err := q.err
			q.busy, q.chunks, q.size = false, nil, 0
			if q.idle != nil {
				close(q.idle)
				q.idle = nil
			}
			q.mu.Unlock()
			if err != nil && q.failed != nil {
				q.failed(err)
			}
			return
		}
		chunk := q.chunks[0]
		q.chunks[0] = nil
		q.chunks = q.chunks[1:]
		q.mu.Unlock()
		err := q.writeOut(chunk)
		q.mu.Lock()
		q.size -= len(chunk)
		if err != nil && q.err == nil {
			q.err = err
		}
		q.mu.Unlock()
	}
}

// writeOut writes a chunk for as long as any of it is taken.
func (q *Queue) writeOut(chunk []byte) error {
	for {
		q.conn.SetWriteDeadline(time.Now().Add(stallLimit))
		n, err := q.conn.Write(chunk)
		if chunk = chunk[min(n, len(chunk)):]; len(chunk) == 0 {
			return nil
		}
		_, plain := q.conn.(*stream)
		switch {
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case n == 0 || plain: // TLS cannot go on after a deadline
			return fmt.Errorf("%w: nothing of what waited was read within %v", ErrSlow, stallLimit)
		}
	}
}

// Waiting is how many bytes wait.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size
}

// Flush waits until nothing waits, but not longer than limit.
func (q *Queue) Flush(limit time.Duration) error {
	q.mu.Lock()
	if !q.busy {
		defer q.mu.Unlock()
		return q.err
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()
	select {
	case <-idle:
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.err
	case <-time.After(limit):
		return os.ErrDeadlineExceeded
	}
}

// Own is From of a connection that nobody else uses or closes from now on, as one that was hijacked from net/http.
func Own(c net.Conn) Conn { return own(c) }
