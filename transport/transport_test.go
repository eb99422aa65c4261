package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// piece is a Sink that keeps one piece.
type piece struct{ data []byte }

func (p *piece) Take(read func([]byte) (int, error)) error {
	buf := make([]byte, 1<<16)
	n, err := read(buf)
	p.data = buf[:n]
	return err
}

func (p *piece) Put(b []byte) error {
	p.data = append([]byte(nil), b...)
	return nil
}

func listen(t *testing.T, address string) (*Listener, Address) {
	t.Helper()
	a, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := Listen(context.Background(), a, ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	if a.Transport == "tcp" {
		a.Host = ln.Addr().String()
	}
	return ln, a
}

func pair(t *testing.T, address string) (near, far Conn) {
	t.Helper()
	ln, a := listen(t, address)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	far, err := Dial(ctx, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	near, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func TestReceiveGivesWhatWasWrittenAndThenTheEnd(t *testing.T) {
	for _, address := range []string{"tcp://127.0.0.1:0", "unix://" + filepath.Join(t.TempDir(), "s")} {
		near, far := pair(t, address)
		if _, err := far.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		var p piece
		if err := near.Receive(&p); err != nil || string(p.data) != "hello" {
			t.Errorf("%s: Receive got %q, %v; want hello", address, p.data, err)
		}
		if err := far.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if err := near.Receive(&p); !errors.Is(err, io.EOF) {
			t.Errorf("%s: Receive after the far end's half-close: %v; want io.EOF", address, err)
		}
		if _, err := near.Write([]byte("still")); err != nil {
			t.Errorf("%s: Write after the far end's half-close: %v", address, err)
		}
		if err := far.Receive(&p); err != nil || string(p.data) != "still" {
			t.Errorf("%s: far end got %q, %v; want still", address, p.data, err)
		}
	}
}

func TestADeadlineEndsAParkedReceive(t *testing.T) {
	near, _ := pair(t, "tcp://127.0.0.1:0")
	near.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if err := near.Receive(&piece{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Receive: %v; want os.ErrDeadlineExceeded", err)
	}
}

func TestCloseWakesAParkedReceive(t *testing.T) {
	near, _ := pair(t, "tcp://127.0.0.1:0")
	done := make(chan error)
	go func() { done <- near.Receive(&piece{}) }()
	near.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Receive: %v; want net.ErrClosed", err)
	}
}

func TestTryWriteNeverWaits(t *testing.T) {
	near, far := pair(t, "tcp://127.0.0.1:0")
	block := bytes.Repeat([]byte("x"), 1<<16)
	sent := 0
	for {
		n, err := near.TryWrite(block)
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		if n < len(block) {
			break
		}
	}
	received := 0
	for p := (piece{}); received < sent; received += len(p.data) {
		if err := far.Receive(&p); err != nil {
			t.Fatalf("after %d of %d bytes: %v", received, sent, err)
		}
	}
}

func TestReceiveAndTryWriteAllocateNothing(t *testing.T) {
	near, far := pair(t, "tcp://127.0.0.1:0")
	sink := &fixedSink{buf: make([]byte, 64)}
	message := []byte("ping")
	allocs := testing.AllocsPerRun(200, func() {
		far.Write(message)
		near.Receive(sink)
		near.TryWrite(message)
	})
	if allocs > 0 {
		t.Errorf("%v allocations for a message; want 0", allocs)
	}
}

type fixedSink struct{ buf []byte }

func (s *fixedSink) Take(read func([]byte) (int, error)) error {
	_, err := read(s.buf)
	return err
}
func (s *fixedSink) Put([]byte) error { return nil }

func TestAddressesSayWhatIsWrongWithThem(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:80":       "must begin with tcp://",
		"ftp://x:1":          "no transport is called",
		"tcp://127.0.0.1":    "port is missing",
		"tcp://h:1/path":     "nothing more",
		"unix://":            "path is missing",
		"tcp://[::1":         "must begin with",
		"tls://example.org:": "port is missing",
	} {
		if _, err := ParseAddress(address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseAddress(%q): %v; want an error that says %q", address, err, want)
		}
	}
	for _, address := range []string{"tcp://[::1]:80", "udp://0.0.0.0:1", "unix:///run/x.sock", "tls://h:443"} {
		if a, err := ParseAddress(address); err != nil || a.String() != address {
			t.Errorf("ParseAddress(%q) = %v, %v", address, a, err)
		}
	}
}

func TestAnAddressInUseIsNamed(t *testing.T) {
	_, a := listen(t, "tcp://127.0.0.1:0")
	_, err := Listen(context.Background(), a, ListenOptions{})
	if err == nil || !strings.Contains(err.Error(), a.Host) || !strings.Contains(err.Error(), "already in use") {
		t.Errorf("second Listen: %v; want one that names %s and says what to do", err, a.Host)
	}
}

func TestAUnixSocketLeftByADeadProcessIsTakenOverButNothingElseIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	ln, a := listen(t, "unix://"+path)
	if _, err := Listen(context.Background(), a, ListenOptions{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Listen on a socket in use: %v; want a refusal", err)
	}
	ln.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(context.Background(), a, ListenOptions{}); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("Listen on a file: %v; want a refusal", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("the file holds %q now; want it untouched", b)
	}
}

func TestEachRemoteIsAFlowAndEachDatagramKeepsItsBoundary(t *testing.T) {
	p, err := ListenPackets(context.Background(), Address{Transport: "udp", Host: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	flows := make(chan *Flow, 2)
	served := make(chan error)
	go func() { served <- p.Serve(func(f *Flow) bool { flows <- f; return true }) }()
	sizes := []int{0, 1, 1200, MaxDatagram}
	for range 2 {
		c, err := net.Dial("udp", p.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, n := range sizes {
			if _, err := c.Write(bytes.Repeat([]byte{byte(n)}, n)); err != nil {
				t.Fatal(err)
			}
		}
		f := <-flows
		if f.RemoteAddr().String() != c.LocalAddr().String() {
			t.Errorf("flow of %v; want %v", f.RemoteAddr(), c.LocalAddr())
		}
		for _, n := range sizes {
			var got piece
			if err := f.Receive(&got); err != nil || len(got.data) != n {
				t.Errorf("datagram of %d bytes, %v; want %d", len(got.data), err, n)
			}
		}
		if _, err := f.Write([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "answer" {
			t.Errorf("answer %q, %v", buf[:n], err)
		}
	}
	p.Close()
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v; want net.ErrClosed", err)
	}
}

func TestAClosedFlowMakesRoomForANewOneOfTheSameRemote(t *testing.T) {
	p, err := ListenPackets(context.Background(), Address{Transport: "udp", Host: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	flows := make(chan *Flow, 2)
	go p.Serve(func(f *Flow) bool { flows <- f; return true }) // ends when the test closes p
	c, err := net.Dial("udp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("1"))
	first := <-flows
	first.Close()
	if err := first.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v; want net.ErrClosed", err)
	}
	c.Write([]byte("2"))
	if second := <-flows; second == first {
		t.Error("got the closed flow again; want a new one")
	}
}

// RawConn.Read forgets that a socket became readable before it was called: a Wait that relied on being told would have
// slept over what came between the last read and the Wait.
func TestWaitSeesWhatCameBeforeIt(t *testing.T) {
	near, far := pair(t, "tcp://127.0.0.1:0")
	near.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if err := near.Receive(&piece{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	near.SetReadDeadline(time.Time{})
	far.Write([]byte("early"))
	var p piece
	other, otherFar := pair(t, "tcp://127.0.0.1:0")
	otherFar.Write([]byte("x"))
	if err := other.Receive(&p); err != nil { // by now the poller has seen both
		t.Fatal(err)
	}
	near.SetReadDeadline(time.Now().Add(10 * time.Second))
	if err := near.(Waiter).Wait(); err != nil {
		t.Fatalf("Wait: %v; want it to see what came before", err)
	}
	if err := near.Receive(&p); err != nil || string(p.data) != "early" {
		t.Errorf("Receive: %q, %v", p.data, err)
	}
}
