//go:build linux || darwin

package transport_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/transport"
)

// telnetPair is a telnet server's end, and the client's connection.
func telnetPair(t *testing.T, unsure bool) (*transport.Telnet, net.Conn) {
	t.Helper()
	ln, err := transport.Listen(t.Context(), transport.Address{Transport: "tcp", Host: "127.0.0.1:0"}, transport.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		conn.Close()
	})
	client.SetDeadline(time.Now().Add(20 * time.Second))
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return transport.NewTelnet(conn, unsure), client
}

// offers is what a server says first, to a client that speaks telnet.
const offers = "\xff\xfb\x01\xff\xfb\x03\xff\xfd\x03\xff\xfd\x18\xff\xfd\x1f\xff\xfb\x00\xff\xfd\x00"

func hears(t *testing.T, c io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q", got[:n], err, want)
	}
}

func says(t *testing.T, c io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// typed receives until so many bytes were typed.
func typed(t *testing.T, c *transport.Telnet, want string) {
	t.Helper()
	var got []byte
	for len(got) < len(want) {
		if err := c.Receive(putFunc(func(b []byte) { got = append(got, b...) })); err != nil {
			t.Fatalf("%v behind %q", err, got)
		}
	}
	if string(got) != want {
		t.Fatalf("typed: got %q, want %q", got, want)
	}
}

func TestATelnetClientIsOfferedATerminalAndTellsItsOwn(t *testing.T) {
	s, client := telnetPair(t, false)
	var sizes []string
	if err := s.Begin(func(cols, rows int) { sizes = append(sizes, fmt.Sprintf("%dx%d", cols, rows)) }); err != nil {
		t.Fatal(err)
	}
	hears(t, client, offers)
	says(t, client, "\xff\xfd\x01\xff\xfd\x03\xff\xfb\x03\xff\xfb\x18\xff\xfb\x1f\xff\xfa\x1f\x00\x84\x00\x32\xff\xf0\xff\xfe\x00\xff\xfc\x00a")
	typed(t, s, "a")
	hears(t, client, "\xff\xfa\x18\x01\xff\xf0")
	says(t, client, "\xff\xfa\x18\x00XTERM-256COLOR\xff\xf0b\r\x00\xff\xff\xff\xf4\xff\xfa\x1f\x00\xff\xff\x00\x18\xff\xf0")
	typed(t, s, "b\r\xff\x03")
	select {
	case <-s.Settled():
	default:
		t.Error("the client has told all, and it is not settled")
	}
	if got := s.Kind(); got != "xterm-256color" {
		t.Errorf("the type: got %q", got)
	}
	if got := strings.Join(sizes, " "); got != "132x50 255x24" {
		t.Errorf("the sizes: got %q", got)
	}
	says(t, s, "a\xffb\rc\r\n")
	hears(t, client, "a\xff\xffb\r\x00c\r\n")
}

func TestInBinaryBytesPassAsTheyAre(t *testing.T) {
	s, client := telnetPair(t, false)
	s.Begin(nil)
	hears(t, client, offers)
	says(t, client, "\xff\xfd\x00\xff\xfb\x00\r\n中\r")
	typed(t, s, "\r\n中\r")
	says(t, s, "a\rb\xff")
	hears(t, client, "a\rb\xff\xff")
}

func TestWhatIsNotKnownIsRefusedAndNothingIsAnsweredTwice(t *testing.T) {
	s, client := telnetPair(t, false)
	s.Begin(nil)
	hears(t, client, offers)
	says(t, client, "\xff\xfb\x22\xff\xfd\x05\xff\xfc\x22\xff\xfe\x05\xff\xfd\x01\xff\xfd\x01\xff\xfb\x03\xff\xfe\x01\xff\xf6.")
	typed(t, s, ".")
	hears(t, client, "\xff\xfe\x22\xff\xfc\x05\xff\xfc\x01\r\n[yes]\r\n")
	says(t, s, "end")
	hears(t, client, "end")
}

func TestWhoseTelnetIsUnsureGetsBytesAsTheyAreUntilItAnswers(t *testing.T) {
	s, client := telnetPair(t, true)
	s.Begin(nil)
	hears(t, client, "\xff\xfd\x03")
	says(t, client, "a\r\x00\xff\xffz")
	typed(t, s, "a\r\x00\xff\xffz")
	says(t, s, "b\rc\xff")
	hears(t, client, "b\rc\xff")
	says(t, client, "\xff\xfb\x03d\r\x00")
	typed(t, s, "d\r")
	hears(t, client, strings.ReplaceAll(offers, "\xff\xfd\x03", ""))
	says(t, s, "\xff")
	hears(t, client, "\xff\xff")
}

func TestNamesOfTerminalsThatWouldBePathsAreNone(t *testing.T) {
	for _, kind := range []string{"../../etc/passwd", "", "a b", "-x", strings.Repeat("x", 65), "x\x00y", "UNKNOWN", "vt100;id"} {
		s, client := telnetPair(t, false)
		s.Begin(nil)
		says(t, client, "\xff\xfb\x18\xff\xfc\x1f\xff\xfa\x18\x00"+kind+"\xff\xf0.")
		typed(t, s, ".")
		if got := s.Kind(); got != "" {
			t.Errorf("%q: got %q, want none", kind, got)
		}
	}
}

func TestTheMarkOfASynchStaysInItsPlace(t *testing.T) {
	s, client := telnetPair(t, false)
	s.Begin(nil)
	hears(t, client, offers)
	says(t, client, "a\xff\xf4\xff")
	if err := sendUrgent(client.(*net.TCPConn), 0xf2); err != nil {
		t.Fatal(err)
	}
	says(t, client, "b")
	typed(t, s, "a\x03b")
}
