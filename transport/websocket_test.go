package transport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// served is the server's side of a test.
type served struct {
	*httptest.Server
	sockets chan *WebSocket
	ends    chan error // why use ended
}

// serve upgrades every request and calls use, which may be nil, in a goroutine of its own.
func serve(t testing.TB, secure bool, opt WebSocketOptions, use func(*WebSocket) error) *served {
	t.Helper()
	s := &served{sockets: make(chan *WebSocket, 100), ends: make(chan error, 100)}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket, err := UpgradeWebSocket(w, r, opt)
		if err != nil {
			s.ends <- err
			return
		}
		t.Cleanup(func() { socket.Close() })
		s.sockets <- socket
		if use != nil {
			go func() { s.ends <- use(socket) }()
		}
	}))
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (s *served) address() string { return strings.TrimPrefix(s.URL, "http") }

// dial is a client of another make.
func (s *served) dial(t testing.TB) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := ws.Dialer{}
	if s.TLS != nil {
		d.TLSConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		d.TLSConfig.NextProtos = nil
	}
	c, br, _, err := d.Dial(ctx, "ws"+s.address())
	if err != nil {
		t.Fatal(err)
	}
	if br != nil {
		t.Fatalf("the server spoke first: %d bytes", br.Buffered())
	}
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c
}

// echo sends back what comes, of the kind that it is.
func echo(s *WebSocket) error {
	for {
		err := s.ReceiveMessages(func(binary bool, p []byte) error {
			if binary {
				return s.Push(AppendFrame(nil, OpBinary, p))
			}
			return s.Push(AppendFrame(nil, OpText, p))
		})
		if err != nil {
			return err
		}
	}
}

func await[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// random text of a size.
func random(size int) []byte {
	p := make([]byte, size)
	rand.Read(p)
	for i := range p {
		p[i] = 'a' + p[i]%26
	}
	return p
}

func TestMessagesOfAllSizesComeBack(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := serve(t, secure, WebSocketOptions{}, echo)
		c := s.dial(t)
		sizes := []int{0, 1, 15, 16, 17, 125, 126, 127, 4096, 16 << 10, 16<<10 + 1, 1<<16 - 1, 1 << 16, 1 << 20}
		for _, size := range sizes {
			for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
				p := random(size)
				sent := append([]byte(nil), p...)
				if err := wsutil.WriteClientMessage(c, op, sent); err != nil {
					t.Fatal(err)
				}
				got, gotOp, err := wsutil.ReadServerData(c)
				if err != nil || gotOp != op || !bytes.Equal(got, p) {
					t.Fatalf("TLS %v: %d bytes of kind %d came back as %d of kind %d, %v",
						secure, size, op, len(got), gotOp, err)
				}
			}
		}
	}
}

func TestFragmentsWithPingsBetweenAreOneMessage(t *testing.T) {
	s := serve(t, false, WebSocketOptions{}, echo)
	c := s.dial(t)
	frames := []ws.Frame{
		ws.NewFrame(ws.OpText, false, []byte("one ")),
		ws.NewPingFrame([]byte("are you there?")),
		ws.NewFrame(ws.OpContinuation, false, nil),
		ws.NewFrame(ws.OpContinuation, false, []byte("gr\xc3")),
		ws.NewPongFrame([]byte("nobody asked")),
		ws.NewFrame(ws.OpContinuation, true, []byte("\xbcn message")),
	}
	for _, f := range frames {
		if err := ws.WriteFrame(c, ws.MaskFrame(f)); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[ws.OpCode]string{}
	for len(seen) < 2 {
		f, err := readFrame(c)
		if err != nil {
			t.Fatal(err)
		}
		seen[f.Header.OpCode] = string(f.Payload)
	}
	if seen[ws.OpPong] != "are you there?" || seen[ws.OpText] != "one grün message" {
		t.Errorf("got %q; want the ping's words in a pong, and one message", seen)
	}
}

func TestOnlyTheNewestPingIsAnswered(t *testing.T) {
	s := serve(t, false, WebSocketOptions{}, nil)
	c := s.dial(t)
	socket := await(t, s.sockets, "the WebSocket")
	var b bytes.Buffer
	for _, p := range []string{"1", "2", "3"} {
		ws.WriteFrame(&b, ws.MaskFrame(ws.NewPingFrame([]byte(p))))
	}
	ws.WriteFrame(&b, ws.MaskFrame(ws.NewTextFrame([]byte("!"))))
	c.Write(b.Bytes())
	if err := socket.Receive(&piece{}); err != nil {
		t.Fatal(err)
	}
	f, err := readFrame(c)
	if err != nil || f.Header.OpCode != ws.OpPong || string(f.Payload) != "3" {
		t.Errorf("got %q of kind %d, %v; want the pong 3", f.Payload, f.Header.OpCode, err)
	}
}

func TestAWebSocketIsAConnOfMessages(t *testing.T) {
	s := serve(t, false, WebSocketOptions{}, nil)
	c := s.dial(t)
	socket := await(t, s.sockets, "the WebSocket")
	var b bytes.Buffer
	for _, p := range []string{"first", "second", ""} {
		wsutil.WriteClientText(&b, []byte(p))
	}
	c.Write(b.Bytes())
	for _, want := range []string{"first", "second", ""} {
		socket.Wait() // or it would not return
		var p piece
		if err := socket.Receive(&p); err != nil || string(p.data) != want {
			t.Errorf("got the piece %q, %v; want %q", p.data, err, want)
		}
	}
	for _, p := range []string{"text", "no \xff text"} {
		if n, err := socket.Write([]byte(p)); n != len(p) || err != nil {
			t.Errorf("Write of %q: %d, %v", p, n, err)
		}
		got, op, err := wsutil.ReadServerData(c)
		if err != nil || string(got) != p || (op == ws.OpText) != (p == "text") {
			t.Errorf("got %q of kind %d, %v; want %q", got, op, err, p)
		}
	}
}

func TestAnErrorOfTakeComesBackAndTheNextMessageIsStillThere(t *testing.T) {
	s := serve(t, false, WebSocketOptions{}, nil)
	c := s.dial(t)
	socket := await(t, s.sockets, "the WebSocket")
	var b bytes.Buffer
	wsutil.WriteClientText(&b, []byte("first"))
	wsutil.WriteClientText(&b, []byte("second"))
	c.Write(b.Bytes())
	mine := errors.New("mine")
	if err := socket.ReceiveMessages(func(bool, []byte) error { return mine }); err != mine {
		t.Fatalf("got %v; want what take returned", err)
	}
	var p piece
	if err := socket.Receive(&p); err != nil || string(p.data) != "second" {
		t.Errorf("then got %q, %v; want second", p.data, err)
	}
}

func TestADeadlineLeavesHalfAMessageWhereItIs(t *testing.T) {
	s := serve(t, false, WebSocketOptions{}, nil)
	c := s.dial(t)
	socket := await(t, s.sockets, "the WebSocket")
	var b bytes.Buffer
	wsutil.WriteClientText(&b, []byte("in two halves"))
	c.Write(b.Next(10))
	socket.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	for {
		err := socket.ReceiveMessages(func(bool, []byte) error { return errors.New("half a message") })
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	socket.SetReadDeadline(time.Time{})
	c.Write(b.Bytes())
	var p piece
	if err := socket.Receive(&p); err != nil || string(p.data) != "in two halves" {
		t.Errorf("got %q, %v", p.data, err)
	}
}

// rawDial shakes hands by hand and sends early behind the request, with one write.
func (s *served) rawDial(t testing.TB, early string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"+early)
	r := bufio.NewReader(c)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	accept := answer.Header.Get("Sec-WebSocket-Accept")
	if answer.StatusCode != 101 || accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("got status %d, accept %q; want those of section 1.3", answer.StatusCode, accept)
	}
	return c, r
}

func TestWhatComesTogetherWithTheRequestIsNotLost(t *testing.T) {
	var early bytes.Buffer
	wsutil.WriteClientText(&early, []byte("early"))
	whole := early.String()
	wsutil.WriteClientText(&early, []byte("in halves"))
	s := serve(t, false, WebSocketOptions{}, echo)
	for cut := range early.Len() {
		c, r := s.rawDial(t, early.String()[:cut])
		io.WriteString(c, early.String()[cut:])
		for _, want := range []string{"early", "in halves"} {
			f, err := readFrame(r)
			if err != nil || string(f.Payload) != want {
				t.Fatalf("cut at %d of %d: got %q, %v; want %q", cut, len(whole), f.Payload, err, want)
			}
		}
		c.Close()
		await(t, s.ends, "the end")
	}
}

func TestAHandshakeThatIsNoneIsAnsweredAndClosed(t *testing.T) {
	s := serve(t, false, WebSocketOptions{}, nil)
	good := "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, x := range []struct {
		method, without, with string
		status                int
	}{
		{"POST", "", "", 405},
		{"GET", "Upgrade: websocket\r\n", "", 400},
		{"GET", "Connection: Upgrade\r\n", "", 400},
		{"GET", "Version: 13", "Version: 8", 426},
		{"GET", "dGhlIHNhbXBsZSBub25jZQ==", "short", 400},
	} {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		headers := good
		if x.without != "" {
			headers = strings.Replace(good, x.without, x.with, 1)
		}
		io.WriteString(c, x.method+" / HTTP/1.1\r\nHost: here\r\n"+headers+"\r\n")
		r := bufio.NewReader(c)
		answer, err := http.ReadResponse(r, nil)
		if err != nil || answer.StatusCode != x.status {
			t.Errorf("%s, %q: got %v, %v; want status %d", x.method, headers, answer, err, x.status)
		} else if _, err := io.Copy(io.Discard, r); err != nil {
			t.Errorf("%s, %q: the connection ended with %v", x.method, headers, err)
		}
		c.Close()
		if err := await(t, s.ends, "the refusal"); err == nil {
			t.Error("no error")
		}
	}
}

// masked is a client's frame, made by hand.
func masked(first byte, length []byte, payload string) []byte {
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b := append([]byte{first}, length...)
	b[1] |= 0x80
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

func short(first byte, payload string) []byte {
	return masked(first, []byte{byte(len(payload))}, payload)
}

func long(first byte, n uint64) []byte {
	return masked(first, binary.BigEndian.AppendUint64([]byte{127}, n), "")
}

// readFrame reads a frame that we sent: its length is to be trusted.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err == nil {
		f.Payload = make([]byte, f.Header.Length)
		_, err = io.ReadFull(r, f.Payload)
	}
	return f, err
}
