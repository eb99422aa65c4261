package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

func newQueue(c Conn, limit int) (*Queue, chan error) {
	failed := make(chan error, 10)
	q := &Queue{}
	q.Init(c, limit, func(err error) { failed <- err })
	return q, failed
}

// numbered is a block of a size, with a number in front.
func numbered(i, size int) []byte {
	b := make([]byte, size)
	binary.BigEndian.PutUint64(b, uint64(i))
	return b
}

func TestAllThatIsPushedArrivesInOrder(t *testing.T) {
	near, far := pair(t, "tcp://127.0.0.1:0")
	q, _ := newQueue(near, 64<<20)
	const count, size = 20_000, 1000 // more than a socket takes
	var mu sync.Mutex
	var pushers sync.WaitGroup
	next := 0
	for range 4 {
		pushers.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				if i >= count {
					mu.Unlock()
					return
				}
				err := q.Push(numbered(i, size))
				mu.Unlock()
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	pushers.Wait()
	if q.Waiting() == 0 {
		t.Error("nothing waits, though nobody reads")
	}
	got := make([]byte, size)
	for i := range count {
		if _, err := io.ReadFull(far, got); err != nil {
			t.Fatal(err)
		}
		if n := binary.BigEndian.Uint64(got); n != uint64(i) {
			t.Fatalf("got block %d; want %d", n, i)
		}
	}
	if err := q.Flush(patience); err != nil || q.Waiting() != 0 {
		t.Errorf("Flush: %v, and %d bytes wait", err, q.Waiting())
	}
	if err := q.Push([]byte("again")); err != nil || q.Waiting() != 0 || q.busy {
		t.Errorf("Push when nothing waits: %v, %d bytes wait; want it to go out at once", err, q.Waiting())
	}
}

func TestMoreThanTheLimitIsSlow(t *testing.T) {
	near, _ := pair(t, "tcp://127.0.0.1:0")
	q, failed := newQueue(near, 1<<20)
	block := make([]byte, 100_000)
	var err error
	for err == nil {
		if err = q.Push(block); q.Waiting() > 1<<20 {
			t.Fatalf("%d bytes wait", q.Waiting())
		}
	}
	if !errors.Is(err, ErrSlow) {
		t.Errorf("got %v; want ErrSlow", err)
	}
	if again := q.Push(block); again != err {
		t.Errorf("the next Push: %v; want %v", again, err)
	}
	if told := await(t, failed, "the failure"); told != err {
		t.Errorf("failed was called with %v; want %v", told, err)
	}
	if err := q.Flush(patience); !errors.Is(err, ErrSlow) || q.Waiting() != 0 {
		t.Errorf("Flush: %v, and %d bytes wait", err, q.Waiting())
	}
}

func TestFlushGivesUpAtItsLimit(t *testing.T) {
	near, _ := pair(t, "tcp://127.0.0.1:0")
	q, _ := newQueue(near, 64<<20)
	if err := q.Push(make([]byte, 32<<20)); err != nil {
		t.Fatal(err)
	}
	if err := q.Flush(10 * time.Millisecond); err != os.ErrDeadlineExceeded {
		t.Errorf("got %v; want os.ErrDeadlineExceeded", err)
	}
}

func TestAFarEndThatIsGoneIsToldOnce(t *testing.T) {
	near, far := pair(t, "tcp://127.0.0.1:0")
	q, failed := newQueue(near, 64<<20)
	if err := q.Push(make([]byte, 32<<20)); err != nil {
		t.Fatal(err)
	}
	far.Close()
	if err := await(t, failed, "the failure"); err == nil {
		t.Error("no error")
	}
	for range 3 {
		if err := q.Push([]byte("late")); err == nil {
			t.Error("Push says nothing")
		}
	}
	select {
	case err := <-failed:
		t.Errorf("failed was called again: %v", err)
	default:
	}
}

// lazyConn takes some bytes at each Write, and then says that a deadline has passed.
type lazyConn struct {
	net.Conn
	takes []int
	got   bytes.Buffer
}

func (c *lazyConn) Write(p []byte) (int, error) {
	if len(c.takes) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := min(c.takes[0], len(p))
	c.takes = c.takes[1:]
	c.got.Write(p[:n])
	if n < len(p) {
		return n, os.ErrDeadlineExceeded
	}
	return n, nil
}

func (c *lazyConn) TryWrite([]byte) (int, error)     { return 0, nil }
func (c *lazyConn) SetWriteDeadline(time.Time) error { return nil }
func (c *lazyConn) CloseWrite() error                { return nil }
func (c *lazyConn) Datagrams() bool                  { return false }
func (c *lazyConn) Receive(Sink) error               { return io.EOF }

func TestOnlyAFarEndThatReadsNothingAtAllIsStalled(t *testing.T) {
	c := &lazyConn{takes: []int{1, 2, 3, 100}}
	q, failed := newQueue(c, 1000)
	if err := q.Push([]byte("read a little at a time")); err != nil {
		t.Fatal(err)
	}
	if err := q.Flush(patience); err != nil || c.got.String() != "read a little at a time" {
		t.Errorf("Flush: %v; the far end read %q", err, c.got.String())
	}
	if err := q.Push([]byte("not read at all")); err != nil {
		t.Fatal(err)
	}
	if err := await(t, failed, "the failure"); !errors.Is(err, ErrSlow) {
		t.Errorf("got %v; want ErrSlow", err)
	}
}

func TestWhatWaitsIsKeptInChunks(t *testing.T) {
	q := &Queue{busy: true, limit: 1 << 20}
	for i := range 3000 {
		if err := q.push(numbered(i, 100), q.limit); err != nil {
			t.Fatal(err)
		}
	}
	room := 0
	for _, chunk := range q.chunks {
		if cap(chunk) > queueChunk {
			t.Errorf("a chunk has %d bytes", cap(chunk))
		}
		room += cap(chunk)
	}
	if room > q.size+queueChunk {
		t.Errorf("%d bytes wait in %d", q.size, room)
	}
	joined := bytes.Join(q.chunks, nil)
	for i := range 3000 {
		if n := binary.BigEndian.Uint64(joined[100*i:]); n != uint64(i) {
			t.Fatalf("block %d is in the place of %d", n, i)
		}
	}
}
