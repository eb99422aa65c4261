package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// collector keeps what it receives, and says how each piece ended up.
type collector struct {
	piece
	all []byte
}

func (c *collector) more() bool {
	c.all = append(c.all, c.data...)
	return true
}

func repeater(t *testing.T, c Conn) Repeater {
	t.Helper()
	r, ok := c.(Repeater)
	if !ok {
		t.Skip("sockets here do not repeat")
	}
	return r
}

func TestReceiveWhileGetsEveryPieceInOrderAndTheEnd(t *testing.T) {
	for _, address := range []string{"tcp://127.0.0.1:0", "unix://" + t.TempDir() + "/s"} {
		near, far := pair(t, address)
		var want []byte
		go func() {
			for i := range 2000 {
				far.Write(bytes.Repeat([]byte{byte(i)}, 1+i*7%3000))
			}
			far.CloseWrite()
		}()
		for i := range 2000 {
			want = append(want, bytes.Repeat([]byte{byte(i)}, 1+i*7%3000)...)
		}
		c := &collector{}
		if err := repeater(t, near).ReceiveWhile(c, c.more); err != io.EOF {
			t.Errorf("%s: %v; want io.EOF", address, err)
		}
		if !bytes.Equal(c.all, want) {
			t.Errorf("%s: %d bytes, not those that were sent, %d", address, len(c.all), len(want))
		}
	}
}

// A FIN that comes together with the last bytes causes no event of its own.
func TestReceiveWhileSeesAnEndThatComesWithTheLastBytes(t *testing.T) {
	for range 300 {
		near, far := pair(t, "tcp://127.0.0.1:0")
		near.SetReadDeadline(time.Now().Add(20 * time.Second))
		go func() {
			far.Write([]byte("bye"))
			far.CloseWrite()
		}()
		c := &collector{}
		if err := repeater(t, near).ReceiveWhile(c, c.more); err != io.EOF || string(c.all) != "bye" {
			t.Fatalf("%q, %v; want bye and io.EOF", c.all, err)
		}
		near.Close()
		far.Close()
	}
}

func TestReceiveWhileEndsWhenMoreSaysNoAndGoesOnLater(t *testing.T) {
	near, far := pair(t, "tcp://127.0.0.1:0")
	r := repeater(t, near)
	c := &collector{}
	for _, text := range []string{"one", "two", "three"} {
		far.Write([]byte(text))
		if err := r.ReceiveWhile(c, func() bool { return false }); err != nil || string(c.data) != text {
			t.Errorf("%q, %v; want %q", c.data, err, text)
		}
	}
}

func TestReceiveWhileEndsAtTheDeadlineAndWithTheConnection(t *testing.T) {
	near, far := pair(t, "tcp://127.0.0.1:0")
	r := repeater(t, near)
	c := &collector{}
	far.Write([]byte("x"))
	more := func() bool {
		near.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		return c.more()
	}
	var timeout net.Error
	if err := r.ReceiveWhile(c, more); !errors.As(err, &timeout) || !timeout.Timeout() || string(c.all) != "x" {
		t.Errorf("%q, %v; want x and a time-out", c.all, err)
	}
	near.SetReadDeadline(time.Time{})
	done := make(chan error)
	go func() { done <- r.ReceiveWhile(c, c.more) }()
	near.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v; want net.ErrClosed", err)
	}
}

func TestAWriteAfterCloseNeverReachesAnotherConnection(t *testing.T) {
	for _, first := range []bool{true, false} {
		near, _ := pair(t, "tcp://127.0.0.1:0")
		if first {
			near.TryWrite([]byte("x"))
		}
		near.Close()
		pair(t, "tcp://127.0.0.1:0") // takes the descriptor
		if n, err := near.TryWrite([]byte("y")); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("TryWrite after Close: %d, %v; want net.ErrClosed", n, err)
		}
	}
}

func TestReceiveWhileAllocatesNothing(t *testing.T) {
	near, far := pair(t, "tcp://127.0.0.1:0")
	r := repeater(t, near)
	sink := &fixedSink{buf: make([]byte, 64)}
	message := []byte("ping")
	once := func() bool { return false }
	allocs := testing.AllocsPerRun(200, func() {
		far.Write(message)
		r.ReceiveWhile(sink, once)
	})
	if allocs > 0 {
		t.Errorf("%v allocations for a message; want 0", allocs)
	}
}
