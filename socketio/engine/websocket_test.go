package engine_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

func TestWebSocketCarriesTextAndBinaryInBothRevisions(t *testing.T) {
	for _, secure := range []bool{false, true} {
		h := newHouse(t, options{tls: secure})
		s := h.open(4)
		s.send("4hello", "4", "4é😀", "bAQID")
		s.want("4hello", "4", "4é😀")
		s.wantBinary([]byte{1, 2, 3})
		s.sendBinary([]byte{4, 1, 2})
		s.wantBinary([]byte{4, 1, 2})
		large := strings.Repeat("x", 200_000)
		s.send("4" + large)
		s.want("4" + large)

		old := h.open(3)
		old.send("4hello", "b4AQID")
		old.want("4hello")
		old.wantBinary([]byte{4, 1, 2, 3})
		old.sendBinary([]byte{4, 1, 2})
		old.wantBinary([]byte{4, 1, 2})
	}
}

func TestWebSocketHasItsHeartbeat(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{PingInterval: 100 * time.Millisecond, PingTimeout: patience}})
	s, old := h.open(4), h.open(3)
	for range 3 {
		s.want("2")
		s.send("3")
		old.send("2", "2data")
		old.want("3", "3data")
	}
	s.send("2")
	h.wantClosed(engine.TransportError)
	s.wantClose(0)
	old.send("3")
	h.wantClosed(engine.TransportError)
	old.wantClose(0)
}

func TestAMessageThatMakesNoSenseClosesTheConnection(t *testing.T) {
	h := newHouse(t, options{})
	for _, c := range []struct {
		revision int
		op       byte
		p        string
	}{{4, 1, "abc"}, {4, 1, ""}, {4, 1, "7"}, {4, 1, "b*"}, {3, 1, "b"}, {3, 1, "b9AA"}, {3, 2, ""}, {3, 2, "4a"}} {
		s := h.open(c.revision)
		s.Write(frame(c.op, []byte(c.p)))
		s.wantClose(1002)
		h.wantClosed(engine.ParseError)
	}
	s := h.open(4)
	s.Write(frame(1, []byte("4\xff"))) // not UTF-8
	s.wantClose(1007)
	h.wantClosed(engine.TransportError)
}

func TestAMessageOverTheLimitClosesTheConnection(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{MaxPayload: 1000}})
	s := h.open(4)
	s.send("4" + strings.Repeat("x", 999))
	s.want("4" + strings.Repeat("x", 999))
	s.send("4" + strings.Repeat("x", 1000))
	s.wantClose(1009)
	h.wantClosed(engine.TransportError)
}

func TestAClientThatGoesIsClosed(t *testing.T) {
	h := newHouse(t, options{})
	s := h.open(4)
	s.send("1")
	s.wantClose(1000)
	h.wantClosed(engine.TransportClose)
	s = h.open(4)
	s.Write(frame(8, []byte{3, 232}))
	h.wantClosed(engine.TransportClose)
	s = h.open(4)
	s.Close()
	h.wantClosed(engine.TransportClose)
	s = h.open(4)
	s.Conn.(*net.TCPConn).SetLinger(0)
	s.Close()
	h.wantClosed(engine.TransportError)
}

func TestCloseSendsWhatWasSentBeforeFirst(t *testing.T) {
	h := newHouse(t, options{message: func(c *engine.Conn, p []byte, _ bool) error {
		for i := range 100 {
			c.Send(engine.NewMessage(fmt.Appendf(nil, "%d %s", i, make([]byte, 5000))))
		}
		c.Close(engine.ForcedClose)
		return nil
	}})
	s := h.open(4)
	s.send("4go")
	for i := range 100 {
		if _, p := s.read(); !strings.HasPrefix(p, fmt.Sprintf("4%d ", i)) {
			t.Fatalf("message %d: got %.20q", i, p)
		}
	}
	s.wantClose(1000)
	h.wantClosed(engine.ForcedClose)
}

func TestManyMaySendAtOnceAndEachKeepsItsOrder(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{WriteLimit: 64 << 20}})
	s := h.dial(4, "")
	s.read()
	c := h.next("open").conn
	const senders, each = 8, 500
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			var b engine.Batch
			for j := range each {
				m := engine.NewMessage(fmt.Appendf(nil, "%d %d", i, j))
				if j%3 == 0 {
					b.Reset()
					b.Add(m)
					c.SendBatch(&b)
					continue
				}
				c.Send(m)
			}
		})
	}
	var last [senders]int
	for range senders * each {
		_, p := s.read()
		var i, j int
		fmt.Sscanf(p, "4%d %d", &i, &j)
		if j != last[i] {
			t.Fatalf("sender %d: got message %d, want %d", i, j, last[i])
		}
		last[i]++
	}
	wg.Wait()
}

func TestVolatileMessagesAreDroppedWhileAnythingWaits(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{WriteLimit: 64 << 20}})
	s := h.dial(4, "")
	s.read()
	c := h.next("open").conn
	if !c.SendVolatile(engine.NewMessage([]byte("now"))) {
		t.Error("to an idle client: got dropped, want sent")
	}
	s.want("4now")
	m := engine.NewMessage(bytes.Repeat([]byte("x"), 1<<20))
	for c.Waiting() == 0 { // until the socket is full
		c.Send(m)
	}
	if c.SendVolatile(m) {
		t.Error("to a client for whom something waits: got sent, want dropped")
	}
	go io.Copy(io.Discard, s)
	waitFor(t, "volatile messages go again", func() bool { return c.SendVolatile(engine.NewMessage(nil)) })
}

func TestAClientThatDoesNotReadIsSlowAndHoldsNobodyUp(t *testing.T) {
	for _, secure := range []bool{false, true} {
		const limit = 256 << 10
		h := newHouse(t, options{tls: secure, Options: engine.Options{WriteLimit: limit}})
		s := h.dial(4, "")
		s.read()
		slow := h.next("open").conn
		good := h.dial(4, "")
		good.read()
		other := h.next("open").conn
		m := engine.NewMessage(bytes.Repeat([]byte("x"), 16<<10))
		n := 0
		for ; slow.Send(m) == nil; n++ {
			if got := slow.Waiting(); got > limit {
				t.Fatalf("waiting: got %d bytes, want at most %d", got, limit)
			}
			if n%10 == 0 {
				other.Send(engine.NewMessage(fmt.Appendf(nil, "%d", n)))
				good.want(fmt.Sprintf("4%d", n))
			}
		}
		h.wantClosed(engine.Slow)
		if err := other.Send(engine.NewMessage([]byte("on"))); err != nil {
			t.Errorf("another client: got %v, want no error", err)
		}
		good.want("4on")
	}
}

// Ten clients that do not read, and nearly as much waits for each as may.
func TestAStalledClientTakesLittleMoreThanItsLimit(t *testing.T) {
	const limit, clients = 1 << 20, 10
	h := newHouse(t, options{Options: engine.Options{WriteLimit: limit}})
	var conns []*engine.Conn
	for range clients {
		h.dial(4, "").read()
		conns = append(conns, h.next("open").conn)
	}
	before := heap()
	m := engine.NewMessage(bytes.Repeat([]byte("x"), 64<<10))
	for _, c := range conns {
		for c.Waiting()+m.Size() < limit-100 {
			if err := c.Send(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	each := (heap() - before) / clients
	t.Logf("%d KiB each", each>>10)
	if each > limit*5/4 {
		t.Errorf("a stalled client: got %d bytes, want little more than %d", each, limit)
	}
	runtime.KeepAlive(h)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Whoever closes, from wherever: Closed is called once, after the last Message. The house's handler panics otherwise.
func TestClosedComesOnceAndLast(t *testing.T) {
	var n atomic.Int64
	h := newHouse(t, options{
		Options: engine.Options{MessageRate: -1},
		message: func(c *engine.Conn, p []byte, _ bool) error {
			if n.Add(1)%50 == 0 {
				go c.Close(engine.ForcedClose)
				c.Close(engine.ForcedClose)
			}
			return nil
		}})
	const clients = 40
	var wg sync.WaitGroup
	for i := range clients {
		s := h.dial(3+i%2, "")
		wg.Go(func() {
			for op := byte(0); op != 8; { // it answers the close by hanging up, and its writer may meet it anywhere
				var err error
				if op, _, err = s.tryRead(); err != nil {
					break
				}
			}
			s.Close()
		})
		wg.Go(func() {
			for s.SetDeadline(time.Now().Add(patience)); ; {
				if _, err := s.Write(frame(1, []byte("4x"))); err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for opened, closed := 0, 0; closed < clients; {
		switch e := <-h.events.seen; e.what {
		case "open":
			opened++
		case "closed":
			closed++
		}
	}
	if got := h.engine.Len(); got != 0 {
		t.Errorf("connections: got %d, want none", got)
	}
}

func TestAReaderThatWasQuietReadsOn(t *testing.T) {
	for _, secure := range []bool{false, true} {
		h := newHouse(t, options{tls: secure, Options: engine.Options{PingInterval: 1200 * time.Millisecond}})
		s := h.open(4)
		for i := range 3 {
			s.send(fmt.Sprintf("4%d", i))
			s.want(fmt.Sprintf("4%d", i), "2") // the ping ends a silence of more than a second
			s.send("3")
		}
	}
}
