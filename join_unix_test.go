//go:build linux || darwin

package switchboard_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// typed checks what was typed along, all of it.
func typed(t *testing.T, sb *switchboard.Switchboard, id session.ID, want string) {
	t.Helper()
	if got := bytesOf(t, sb, id, session.Typed); got != want {
		t.Errorf("typed along: got %q; want %q", got, want)
	}
}

func TestSomebodyTypesAlongInAShellAndItsUserIsToldBesideTheRecord(t *testing.T) {
	sb, addr := shell(t, `stty -echo; echo ready; read a; echo "<$a>"; read b; echo "<$b>"; read c`, nil)
	c := dial(t, "tcp", addr)
	var seen string
	readTo(t, c, &seen, "ready\r\n")
	id := sessions(t, sb, session.Live, 1)[0].ID
	leave, err := sb.Hub().JoinIn(t.Context(), id, "grace", true)
	if err != nil {
		t.Fatal(err)
	}
	readTo(t, c, &seen, "\x1b[22;2t\x1b]2;grace types along\a")
	if err := sb.Hub().Type(t.Context(), id, "grace", []byte("from grace\r")); err != nil {
		t.Fatal(err)
	}
	readTo(t, c, &seen, "<from grace>\r\n")
	io.WriteString(c, "from the user\n")
	readTo(t, c, &seen, "<from the user>\r\n")
	leave()
	leave()
	readTo(t, c, &seen, "\x1b[23;2t")
	io.WriteString(c, "\n")
	io.Copy(io.Discard, c)
	sessions(t, sb, session.Recorded, 1)
	typed(t, sb, id, "grace\x00from grace\r")
	if got := bytesOf(t, sb, id, session.Received); got != "from the user\n\n" {
		t.Errorf("received: got %q", got)
	}
	if got := bytesOf(t, sb, id, session.Sent); got != "ready\r\n<from grace>\r\n<from the user>\r\n" {
		t.Errorf("sent: got %q", got)
	}
	if got := bytesOf(t, sb, id, session.Watched); got != `{"by":"grace","types":true}{"by":"grace","types":true,"left":true}` {
		t.Errorf("watched: got %s", got)
	}
}

func TestTheAnnouncementIsGoneBeforeTheSessionEnds(t *testing.T) {
	sb, addr := shell(t, `stty -echo; echo ready; read a`, nil)
	c := dial(t, "tcp", addr)
	var seen string
	readTo(t, c, &seen, "ready\r\n")
	id := sessions(t, sb, session.Live, 1)[0].ID
	if _, err := sb.Hub().JoinIn(t.Context(), id, "grace", true); err != nil {
		t.Fatal(err)
	}
	readTo(t, c, &seen, "grace types along\a")
	io.WriteString(c, "\n")
	if rest, err := io.ReadAll(c); err != nil || string(rest) != "\x1b[23;2t" {
		t.Errorf("at the end: got %q, %v", rest, err)
	}
}

func TestAListenerSaysHowItAnnounces(t *testing.T) {
	join := func(change func(*switchboard.ListenerConfig), types bool) (net.Conn, *string, func()) {
		sb, addr := shell(t, `stty -echo; echo ready; read a; echo "<$a>"; read b`, change)
		c := dial(t, "tcp", addr)
		seen := new(string)
		readTo(t, c, seen, "ready\r\n")
		id := sessions(t, sb, session.Live, 1)[0].ID
		leave, err := sb.Hub().JoinIn(t.Context(), id, "grace", types)
		if err != nil {
			t.Fatal(err)
		}
		return c, seen, leave
	}
	c, seen, leave := join(func(l *switchboard.ListenerConfig) { l.Announce = "line" }, true)
	readTo(t, c, seen, "\r\n[switchboard: grace types along]\r\n")
	leave()
	readTo(t, c, seen, "\r\n[switchboard: nobody is with you any more]\r\n")

	c, seen, _ = join(func(l *switchboard.ListenerConfig) { l.AnnounceWatchers = true }, false)
	readTo(t, c, seen, "\x1b[22;2t\x1b]2;grace looks on\a")

	for _, quiet := range []func(*switchboard.ListenerConfig){nil, func(l *switchboard.ListenerConfig) { l.Announce = "off" }} {
		c, _, _ = join(quiet, quiet != nil)
		c.SetReadDeadline(time.Now().Add(time.Second / 2)) // what is tested is that nothing comes
		if got, _ := io.ReadAll(c); len(got) > 0 {
			t.Errorf("announced: %q", got)
		}
	}
}

func TestWhoTypesWithoutHavingJoinedIsAnnounced(t *testing.T) {
	sb, addr := shell(t, `stty -echo; echo ready; read a; echo "<$a>"; read b`, nil)
	c := dial(t, "tcp", addr)
	var seen string
	readTo(t, c, &seen, "ready\r\n")
	id := sessions(t, sb, session.Live, 1)[0].ID
	for _, text := range []string{"one, ", "two\r"} {
		if err := sb.Hub().Type(t.Context(), id, "grace", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	text := readTo(t, c, &seen, "\x1b]2;grace types along\a")
	if text += readTo(t, c, &seen, "\x1b[23;2t"); !strings.Contains(text, "<one, two>") {
		t.Errorf("got %q", text)
	}
}

func TestSomebodyTypesAlongToTheUpstreamOfARelay(t *testing.T) {
	upstream := start(t, t.TempDir(), switchboard.ListenerConfig{Name: "up", Listen: "tcp://127.0.0.1:0", Service: "echo", Reply: "plain"})
	for _, record := range []string{"on", "strict"} {
		sb := start(t, t.TempDir(), switchboard.ListenerConfig{Name: "line", Listen: "tcp://127.0.0.1:0", Service: "relay", Record: record,
			Upstream: "tcp://" + upstream.Addr("up").String(), Terminal: "80x24"})
		c := dial(t, "tcp", sb.Addr("line"))
		io.WriteString(c, "mine\n")
		expect(t, c, "mine\n")
		id := sessions(t, sb, session.Live, 1)[0].ID
		leave, err := sb.Hub().JoinIn(t.Context(), id, "grace", true)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, c, "\x1b[22;2t\x1b]2;grace types along\a")
		if err := sb.Hub().Type(t.Context(), id, "grace", []byte("hers\n")); err != nil {
			t.Fatal(err)
		}
		expect(t, c, "hers\n")
		leave()
		expect(t, c, "\x1b[23;2t")
		c.Close()
		sessions(t, sb, session.Recorded, 1)
		typed(t, sb, id, "grace\x00hers\n")
		if got := bytesOf(t, sb, id, session.Sent); got != "mine\nhers\n" {
			t.Errorf("sent: got %q", got)
		}
	}
}

func TestWhereNobodyTakesItNothingIsTyped(t *testing.T) {
	sb := start(t, t.TempDir(), switchboard.ListenerConfig{Name: "echo", Listen: "tcp://127.0.0.1:0", Service: "echo", Reply: "plain"})
	c := dial(t, "tcp", sb.Addr("echo"))
	io.WriteString(c, "x")
	expect(t, c, "x")
	id := sessions(t, sb, session.Live, 1)[0].ID
	if err := sb.Hub().Type(t.Context(), id, "grace", []byte("x")); !errors.Is(err, hub.ErrCannotType) {
		t.Errorf("typing: got %v", err)
	}
	if _, err := sb.Hub().JoinIn(t.Context(), id, "grace", true); !errors.Is(err, hub.ErrCannotType) {
		t.Errorf("joining to type: got %v", err)
	}
	if leave, err := sb.Hub().JoinIn(t.Context(), id, "grace", false); err != nil {
		t.Errorf("looking on: got %v", err)
	} else {
		defer leave()
	}
	c.Close()
	sessions(t, sb, session.Recorded, 1)
	for _, err := range []error{sb.Hub().Type(t.Context(), id, "grace", []byte("x")), func() error {
		_, err := sb.Hub().JoinIn(t.Context(), id, "grace", false)
		return err
	}()} {
		if !errors.Is(err, hub.ErrNotLive) {
			t.Errorf("behind the end: got %v", err)
		}
	}
}

// A program that reads nothing takes what its terminal holds; what more is typed waits up to a limit, and a kick still ends it.
func TestWhatWaitsToBeTypedHasALimit(t *testing.T) {
	sb, addr := shell(t, `stty raw -echo; echo ready; sleep 1000`, nil)
	c := dial(t, "tcp", addr)
	var seen string
	readTo(t, c, &seen, "ready")
	id := sessions(t, sb, session.Live, 1)[0].ID
	var err error
	for i := 0; err == nil; i++ {
		if i > 1000 {
			t.Fatal("a megabyte was typed into a program that reads nothing")
		}
		err = sb.Hub().Type(t.Context(), id, "grace", make([]byte, 1000))
	}
	if !errors.Is(err, hub.ErrCannotType) || !strings.Contains(err.Error(), "at most 65536 bytes wait") {
		t.Errorf("got %v", err)
	}
	if err := sb.Hub().Kick(t.Context(), id, "ada", ""); err != nil {
		t.Fatal(err)
	}
	sessions(t, sb, session.Recorded, 1)
}

func TestOnlySoManyJoin(t *testing.T) {
	sb, addr := shell(t, `echo ready; read a`, nil)
	var seen string
	readTo(t, dial(t, "tcp", addr), &seen, "ready")
	id := sessions(t, sb, session.Live, 1)[0].ID
	for _, types := range []bool{false, true} { // who only looks on keeps nobody from typing
		for range hub.MaxJoined {
			if _, err := sb.Hub().JoinIn(t.Context(), id, "grace", types); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := sb.Hub().JoinIn(t.Context(), id, "grace", types); !errors.Is(err, hub.ErrCannotType) {
			t.Errorf("got %v", err)
		}
	}
}

func TestWhoLooksOnAgainAndAgainDoesNotFillTheRecord(t *testing.T) {
	sb, addr := shell(t, `echo ready; read a`, nil)
	var seen string
	readTo(t, dial(t, "tcp", addr), &seen, "ready")
	before := sessions(t, sb, session.Live, 1)[0]
	refused := false
	for range 5000 {
		leave, err := sb.Hub().JoinIn(t.Context(), before.ID, "vera", false)
		if err != nil {
			refused = errors.Is(err, hub.ErrCannotType)
			continue
		}
		leave()
	}
	if after := sessions(t, sb, session.Live, 1)[0]; !refused || after.Events-before.Events > 5000 {
		t.Errorf("refused is %v, and %d events are on record", refused, after.Events-before.Events)
	}
	leave, err := sb.Hub().JoinIn(t.Context(), before.ID, "grace", true)
	if err != nil {
		t.Fatalf("who types: %v", err)
	}
	leave()
}
