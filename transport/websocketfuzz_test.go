package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// scripted is a Conn that says what it is told to, cut into pieces, and hears nothing.
type scripted struct {
	lazyConn
	said []byte
	cuts []byte // sizes of the pieces, over and over, of much to say in 64 bytes
	next int
	puts bool // as a Conn over TLS does
}

func (c *scripted) Receive(sink Sink) error {
	if len(c.said) == 0 {
		return io.EOF
	}
	if c.puts {
		n := min(c.size(), len(c.said))
		p := bytes.Clone(c.said[:n])
		c.said = c.said[n:]
		return sink.Put(p)
	}
	return sink.Take(func(p []byte) (int, error) {
		if len(p) == 0 {
			return 0, errors.New("no room to read into")
		}
		n := copy(p, c.said[:min(c.size(), len(c.said))])
		c.said = c.said[n:]
		return n, nil
	})
}

func (c *scripted) size() int {
	if len(c.cuts) == 0 {
		return len(c.said)
	}
	c.next++
	n := 1 + int(c.cuts[c.next%len(c.cuts)])
	if len(c.said) > 1000 {
		n *= 64
	}
	return n
}

func (c *scripted) TryWrite(p []byte) (int, error)  { return len(p), nil }
func (c *scripted) Close() error                    { return nil }
func (c *scripted) SetReadDeadline(time.Time) error { return nil }

const fuzzMax = 40_000

// hear is all that comes of a byte stream: the messages, and how it ended.
func hear(t *testing.T, c *scripted, one bool) (heard []string) {
	socket := newWebSocket(c, nil, WebSocketOptions{MaxMessage: fuzzMax})
	socket.queue.shut = true // no goroutine says goodbye
	for {
		err := socket.receive(one, func(binary bool, p []byte) error {
			if len(p) > fuzzMax || !binary && !utf8.Valid(p) {
				t.Fatalf("a message of %d bytes, binary %v", len(p), binary)
			}
			heard = append(heard, fmt.Sprintf("%v %q", binary, p))
			return nil
		})
		if held := cap(socket.rest) + cap(socket.message); held > 2*fuzzMax+len(input{}) {
			t.Fatalf("%d bytes are held", held)
		}
		if socket.in != nil {
			t.Fatal("an input is held by one who waits")
		}
		if err != nil {
			return append(heard, err.Error())
		}
	}
}

// expect is what a byte stream says, found out slowly by a library of another make.
func expect(said []byte) (heard []string) {
	r := bytes.NewReader(said)
	var message []byte
	kind := ws.OpContinuation
	for {
		before := r.Len()
		h, err := ws.ReadHeader(r)
		switch {
		case err == io.EOF && before == 0 && kind == 0:
			return append(heard, io.EOF.Error())
		case err != nil:
			return append(heard, "cut")
		}
		p := make([]byte, min(h.Length, int64(r.Len())))
		io.ReadFull(r, p)
		if int64(len(p)) < h.Length {
			return append(heard, "cut")
		}
		ws.Cipher(p, h.Mask, 0)
		if h.OpCode.IsControl() {
			if h.OpCode == ws.OpClose {
				return append(heard, "close")
			}
			continue
		}
		if kind == 0 {
			kind = h.OpCode
		}
		if message = append(message, p...); h.Fin {
			heard = append(heard, fmt.Sprintf("%v %q", kind == ws.OpBinary, message))
			message, kind = nil, 0
		}
	}
}

func FuzzWebSocketFrames(f *testing.F) {
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	f.Add(join(short(0x81, "text"), short(0x82, "binary"), short(0x89, "ping"), short(0x88, "\x03\xe8bye")), []byte{1})
	f.Add(join(short(0x01, "gr\xc3"), short(0x8a, ""), short(0x00, ""), short(0x80, "\xbcn"), short(0x81, "x")),
		[]byte{3, 1, 0})
	f.Add(masked(0x82, []byte{126, 0x80, 0}, string(make([]byte, 0x8000))), []byte{0, 255, 7})
	f.Add(join(masked(0x02, []byte{126, 0x50, 0}, string(make([]byte, 0x5000))),
		masked(0x80, []byte{126, 0x4c, 0}, string(make([]byte, 0x4c00))), short(0x81, "after")), []byte{0})
	f.Add(long(0x82, 1<<63), []byte{2})
	f.Add(long(0x82, 1<<40), []byte{2})
	f.Add(short(0x83, ""), []byte{1})
	f.Fuzz(func(t *testing.T, said, cuts []byte) {
		want := hear(t, &scripted{said: said}, false)
		for _, puts := range []bool{false, true} {
			for _, one := range []bool{false, true} {
				got := hear(t, &scripted{said: said, cuts: cuts, puts: puts}, one)
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("cut by %v (puts %v, one %v):\ngot  %q\nwant %q", cuts, puts, one, got, want)
				}
			}
		}
		other := expect(said)
		for i, message := range want[:len(want)-1] {
			if i >= len(other)-1 || other[i] != message {
				t.Fatalf("message %d is %q; the other reader got %q", i, message, other)
			}
		}
		if last := want[len(want)-1]; last == io.EOF.Error() && len(want) != len(other) {
			t.Errorf("got %q; the other reader got %q", want, other)
		}
	})
}
