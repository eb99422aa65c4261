package transport

import (
	"bytes"
	"io"
	"math/rand"
	"testing"

	"github.com/gobwas/ws"
)

func TestTheWalkOverFramesCountsThePayloadOfMessages(t *testing.T) {
	var frames []byte
	want := 0
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 100_000, 3} {
		frames = AppendFrame(frames, OpPing, []byte("ping"))
		frames = AppendFrame(frames, OpBinary, make([]byte, size))
		want += size
	}
	frames = AppendClose(frames, CloseNormal, "bye")
	for _, most := range []int{1, 7, 1000, len(frames)} {
		var walk frameWalk
		got := 0
		for rest := frames; len(rest) > 0; {
			n := min(len(rest), 1+rand.Intn(most))
			got += walk.payload(rest[:n])
			rest = rest[n:]
		}
		if got != want {
			t.Errorf("in pieces of up to %d bytes: %d bytes of payload; want %d", most, got, want)
		}
	}
}

func TestWhatAWebSocketNeverWroteIsKnown(t *testing.T) {
	for _, goodbye := range []bool{false, true} {
		s := serve(t, false, WebSocketOptions{WriteLimit: 10 << 20}, nil)
		c, rd, _, err := ws.Dial(t.Context(), "ws"+s.address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		socket := <-s.sockets
		sent := 0
		for socket.Waiting() < 5<<20 {
			n, err := socket.TryWrite(bytes.Repeat([]byte{0xff}, 1+sent%70_000))
			if err != nil {
				t.Fatal(err)
			}
			sent += n
		}
		if goodbye {
			socket.CloseWith(ClosePolicy, "")
		} else {
			socket.Close()
		}
		unsent := socket.Unsent()
		var from io.Reader = c
		if rd != nil {
			from = io.MultiReader(rd, c)
		}
		if got := messages(from); got != sent-unsent || unsent == 0 {
			t.Errorf("goodbye %v: of %d bytes %d are said to be unsent; %d came", goodbye, sent, unsent, got)
		}
	}
}

// messages is how many bytes of messages come, the beginning of a last one too.
func messages(rd io.Reader) (n int) {
	for {
		h, err := ws.ReadHeader(rd)
		if err != nil {
			return n
		}
		got, err := io.CopyN(io.Discard, rd, h.Length)
		if h.OpCode.IsData() {
			n += int(got)
		}
		if err != nil {
			return n
		}
	}
}

func TestNothingIsUnsentOfWhatIsRead(t *testing.T) {
	s := serve(t, false, WebSocketOptions{WriteLimit: 100 << 20}, nil)
	c, rd, _, err := ws.Dial(t.Context(), "ws"+s.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	socket := <-s.sockets
	const size = 100_000
	count := 0
	for ; socket.Waiting() < 1<<20; count++ { // what waits has to be written within a limit
		if _, err := socket.TryWrite(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	socket.CloseWith(CloseNormal, "")
	var from io.Reader = c
	if rd != nil {
		from = io.MultiReader(rd, c)
	}
	if got := messages(from); got != count*size || socket.Unsent() != 0 {
		t.Errorf("%d bytes came, and %d are said to be unsent; want %d and none", got, socket.Unsent(), count*size)
	}
}
