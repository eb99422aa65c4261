package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
)

// station is a real server with its data folder, and what tests do with it.
type station struct {
	t    *testing.T
	sb   *switchboard.Switchboard
	conf switchboard.Config
}

// open starts a server with an echo, a sink, a chat and a datagram listener, on free ports.
func open(t *testing.T) *station {
	t.Helper()
	conf := switchboard.Config{
		Data: t.TempDir(),
		HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Listeners: []switchboard.ListenerConfig{
			{Name: "echo", Listen: "tcp://127.0.0.1:0", Service: "echo", Greeting: "Hello\n", Reply: "plain"},
			{Name: "hello", Listen: "tcp://127.0.0.1:0", Service: "sink", Greeting: "Hello client!"},
			{Name: "chat", Listen: "tcp://127.0.0.1:0", Service: "room", Room: "chat"},
			{Name: "sensors", Listen: "udp://127.0.0.1:0", Service: "sink", Idle: "60s"},
		},
	}
	s := &station{t: t, conf: conf}
	s.start()
	return s
}

func (s *station) start() {
	s.t.Helper()
	sb, err := switchboard.New(s.conf, switchboard.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		s.t.Fatal(err)
	}
	s.sb = sb
	s.t.Cleanup(func() { sb.Close() })
}

// dial connects to a listener and reads its greeting.
func (s *station) dial(listener, greeting string) net.Conn {
	s.t.Helper()
	addr := s.sb.Addr(listener)
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if greeting != "" {
		s.expect(c, greeting)
	}
	return c
}

// expect reads exactly want.
func (s *station) expect(c net.Conn, want string) {
	s.t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		s.t.Fatalf("from the listener: got %q, %v, want %q", got[:n], err, want)
	}
}

// ended waits for the listener to close the connection.
func (s *station) ended(c net.Conn) {
	s.t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
		s.t.Fatalf("the connection does not end: %v", err)
	}
}

// with adds the data folder to a command line.
func (s *station) with(args ...string) []string { return append(args, "--data", s.conf.Data) }

// do runs a command that has to succeed and returns its output.
func (s *station) do(args ...string) string {
	s.t.Helper()
	code, out, said := runOnce(s.t, s.with(args...)...)
	if code != exitOK {
		s.t.Fatalf("%q: exit code %d: %s", args, code, said)
	}
	return out
}

// refuses runs a command that has to fail and returns what it says.
func (s *station) refuses(args ...string) string {
	s.t.Helper()
	code, _, said := runOnce(s.t, s.with(args...)...)
	if code != exitFailed || !strings.HasPrefix(said, "switchboard: ") || strings.Count(said, "\n") != 1 {
		s.t.Errorf("%q: got exit code %d, %q; want %d and one line", args, code, said, exitFailed)
	}
	return said
}

// list is ls --json.
func (s *station) list(args ...string) []session.Summary {
	s.t.Helper()
	var list []session.Summary
	out := s.do(append([]string{"ls", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		s.t.Fatalf("ls --json: %v in %s", err, out)
	}
	return list
}

// await lists until the list is as long as it should be.
func (s *station) await(n int, args ...string) []session.Summary {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		list := s.list(args...)
		if len(list) == n {
			return list
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("ls %q: got %d sessions, want %d: %+v", args, len(list), n, list)
		}
	}
}

// spoken makes a session in which the far end says some things to the echo, and hangs up.
func (s *station) spoken(words ...string) session.ID {
	s.t.Helper()
	c := s.dial("echo", "Hello\n")
	for _, word := range words {
		io.WriteString(c, word)
		s.expect(c, word)
	}
	remote := c.LocalAddr().String()
	c.Close()
	return s.await(1, "--recorded", "--remote", remote)[0].ID
}

// awaitWatchers waits until so many watch a session.
func (s *station) awaitWatchers(id session.ID, n int) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		sum, err := s.sb.Hub().Find(s.t.Context(), string(id))
		if err == nil && sum.Watchers == n {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d watchers, %v, want %d", sum.Watchers, err, n)
		}
	}
}
