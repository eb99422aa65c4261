//go:build linux || darwin

package switchboard_test

import (
	"bytes"
	"io"
	"math"
	"net"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
	emulator "github.com/switchboard-relay/switchboard/terminal"
)

// console starts a node that relays to a console over telnet, which runs a script for each who connects.
func console(t *testing.T, script string) (sb *switchboard.Switchboard, host, port string) {
	t.Helper()
	_, far := shell(t, script, func(c *switchboard.ListenerConfig) { c.Telnet = "true" })
	sb = start(t, t.TempDir(), switchboard.ListenerConfig{Name: "line", Listen: "tcp://127.0.0.1:0", Service: "relay", Telnet: "true",
		Upstream: "tcp://" + far.String()})
	host, port, _ = net.SplitHostPort(sb.Addr("line").String())
	return sb, host, port
}

// exported is what of a session would be written in a form, without telnet's commands.
func exported(t *testing.T, sb *switchboard.Switchboard, id session.ID, f export.Format) string {
	t.Helper()
	var out bytes.Buffer
	err := export.Write(&out, f, export.Sent, func() (export.Reader, error) {
		events, err := sb.Hub().Events(t.Context(), id, 1)
		if err != nil {
			return nil, err
		}
		return events.Bare(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestATelnetConsoleBehindARelayIsATerminalAndItsBytesPassUntouched(t *testing.T) {
	sb, host, port := console(t, `trap 'echo size $(stty size)' WINCH; echo "size $(stty size)"
		while [ "$line" != bye ]; do line=; read line && echo "<$line>"; done; printf '\377'; exit 4`)
	p := inTerminal(t, 100, 30, "telnet", host, port)
	p.await("size 30 100")
	p.press("中文 üö\r")
	p.await("<中文 üö>")
	if err := p.Resize(132, 43); err != nil {
		t.Fatal(err)
	}
	p.await("size 43 132")
	id := sessions(t, sb, session.Live, 1)[0].ID
	leave, err := sb.Hub().JoinIn(t.Context(), id, "grace", true)
	if err != nil {
		t.Fatal(err)
	}
	p.await("\x1b]2;grace types along\a")
	if err := sb.Hub().Type(t.Context(), id, "grace", []byte("typed\r")); err != nil {
		t.Fatal(err)
	}
	p.await("<typed>")
	leave()
	p.await("\x1b[23;2t")
	live := screenOf(t, sb, id)
	p.press("bye\r")
	p.await("Connection closed by foreign host.")
	sum := sessions(t, sb, session.Recorded, 1)[0]
	if sum.Terminal != "80x24" || !sum.Telnet {
		t.Errorf("the record says %+v", sum)
	}
	if got := bytesOf(t, sb, id, session.Resized); got != "100x30132x43" {
		t.Errorf("sizes: got %q", got)
	}
	if got := bytesOf(t, sb, id, session.Sent); !strings.Contains(got, "\xff\xfb\x01") || !strings.Contains(got, "\xff\xff") {
		t.Errorf("sent: got %q", got)
	}
	if got := bytesOf(t, sb, id, session.Received); !strings.Contains(got, "\xff\xfa\x1f\x00\x64\x00\x1e\xff\xf0") {
		t.Errorf("received: got %q", got)
	}
	typed(t, sb, id, "grace\x00typed\r")
	if got := exported(t, sb, id, export.Asciicast2); !strings.HasPrefix(got, `{"version":2,"width":80,"height":24`) ||
		!strings.Contains(got, `"r", "100x30"`) || strings.Count(got, "\ufffd") != 1 || strings.Contains(got, `\u0001`) {
		t.Errorf("asciicast: got\n%s", got)
	}
	if got := exported(t, sb, id, export.Text); strings.Count(got, `\xff`) != 1 || !strings.Contains(got, "<中文 üö>") {
		t.Errorf("text: got\n%s", got)
	}
	if !strings.HasPrefix(live, "size 30 100\n中文 üö\n<中文 üö>\n") || !strings.HasSuffix(live, "\n<typed>\n") || strings.ContainsAny(live, "\x01\ufffd") {
		t.Errorf("the live screen: got %q", live)
	}
	if got := screenOf(t, sb, id); !strings.HasPrefix(got, live) {
		t.Errorf("the recorded screen: got %q; want %q and more", got, live)
	}
}

// screenOf is the text of what a session's terminal shows.
func screenOf(t *testing.T, sb *switchboard.Switchboard, id session.ID) string {
	t.Helper()
	s, err := sb.Hub().Screen(t.Context(), id, math.MaxUint64)
	if err != nil {
		t.Fatal(err)
	}
	term := emulator.New(s.Size.Cols, s.Size.Rows)
	term.Write(s.Data)
	var text []byte
	for y := range s.Size.Rows {
		text = append(term.AppendRow(text, y), '\n')
	}
	return strings.TrimRight(string(text), "\n") + "\n"
}

// What is typed along must not get into a command of the far end's that has come by half.
func TestTypingWaitsUntilTheFarEndsCommandIsWhole(t *testing.T) {
	upstream := start(t, t.TempDir(), switchboard.ListenerConfig{Name: "up", Listen: "tcp://127.0.0.1:0", Service: "echo", Reply: "plain"})
	sb := start(t, t.TempDir(), switchboard.ListenerConfig{Name: "line", Listen: "tcp://127.0.0.1:0", Service: "relay", Telnet: "true",
		Announce: "off", Upstream: "tcp://" + upstream.Addr("up").String()})
	c := dial(t, "tcp", sb.Addr("line"))
	io.WriteString(c, "\xff\xfa\x1f\x00\x50")
	expect(t, c, "\xff\xfa\x1f\x00\x50")
	id := sessions(t, sb, session.Live, 1)[0].ID
	if err := sb.Hub().Type(t.Context(), id, "grace", []byte("\xff\ra\r")); err != nil {
		t.Fatal(err)
	}
	await(t, sb, id, session.Typed)
	io.WriteString(c, "\x00\x19\xff\xf0")
	expect(t, c, "\x00\x19\xff\xf0\xff\xff\r\x00a\r\x00")
	io.WriteString(c, "\xff\xfb\x00")
	expect(t, c, "\xff\xfb\x00")
	if err := sb.Hub().Type(t.Context(), id, "grace", []byte("b\r")); err != nil {
		t.Fatal(err)
	}
	expect(t, c, "b\r")
	io.WriteString(c, "\xff")
	expect(t, c, "\xff")
	if err := sb.Hub().Type(t.Context(), id, "grace", []byte("c")); err != nil {
		t.Fatal(err)
	}
	c.Close() // and nobody waits for the rest
	sessions(t, sb, session.Recorded, 1)
	if got := bytesOf(t, sb, id, session.Resized); got != "80x25" {
		t.Errorf("sizes: got %q", got)
	}
}

func TestARelayOfTelnetIsSaidToBeOne(t *testing.T) {
	for value, fine := range map[string]bool{"true": true, "false": true, "auto": false} {
		conf := switchboard.Config{Listeners: []switchboard.ListenerConfig{{Name: "a", Listen: "tcp://127.0.0.1:0", Service: "relay",
			Upstream: "tcp://127.0.0.1:23", Telnet: value}}}
		if err := conf.Check(); (err == nil) != fine {
			t.Errorf("%s: got %v", value, err)
		}
		if fine && (conf.Listeners[0].Terminal != "") != (value == "true") {
			t.Errorf("%s: terminal %q", value, conf.Listeners[0].Terminal)
		}
	}
}
