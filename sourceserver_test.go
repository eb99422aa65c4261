package switchboard_test

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// shown takes what a source shows, to its end.
type shown struct {
	text strings.Builder
	code threeend.Code
}

func (s *shown) Data(_ threeend.Type, p []byte) error { s.text.Write(p); return nil }
func (s *shown) View(int, int) error                  { return nil }
func (s *shown) Control(c threeend.Code) error        { s.code = c; return nil }

// awaits feeds what comes until it has the text, or the control where text is empty.
func (s *shown) awaits(t *testing.T, p *threeend.Parser, c net.Conn, text string) {
	t.Helper()
	for b := make([]byte, 4096); text == "" && s.code == 0 || !strings.Contains(s.text.String(), text); {
		n, err := c.Read(b)
		if err == nil {
			err = p.Feed(b[:n], s)
		}
		if err != nil {
			t.Fatalf("%v instead of %q behind %q", err, text, s.text.String())
		}
	}
}

func TestASourceServerOffersItsListenersAndChangesWithTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	door := switchboard.ListenerConfig{Name: "door", Listen: "tcp://127.0.0.1:0", Service: "echo", Reply: "plain", Terminal: "80x24"}
	ours := switchboard.ListenerConfig{Name: "ours", Listen: "unix://" + filepath.Join(dir, "ours.sock"), Service: "source-server", Role: "viewer"}
	sb := start(t, dir, door, ours)
	client := dial(t, "tcp", sb.Addr("door"))
	io.WriteString(client, "hello")
	expect(t, client, "hello")
	sum := sessions(t, sb, session.Live, 1)[0]

	viewer := dial(t, "unix", sb.Addr("ours"))
	viewer.Write(threeend.AppendRequest(nil, false, string(sum.ID)))
	var p threeend.Parser
	var s shown
	s.awaits(t, &p, viewer, "hello")

	answer := func(kick bool) byte {
		t.Helper()
		c := dial(t, "unix", sb.Addr("ours"))
		c.Write(threeend.AppendRequest(nil, kick, string(sum.ID)))
		code, err := bufio.NewReader(c).ReadByte()
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	if got := answer(true); got != '5' {
		t.Errorf("a viewer's kick was answered %q, want 5", got)
	}
	reload := func() {
		t.Helper()
		conf := switchboard.Config{Data: dir, HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"}, Listeners: []switchboard.ListenerConfig{door, ours}}
		if err := sb.Reload(conf); err != nil {
			t.Fatal(err)
		}
	}
	ours.Role, ours.Listeners = "operator", []string{"run"}
	reload()
	if got := answer(true); got != '5' {
		t.Errorf("the kick of a session that is not offered was answered %q, want 5", got)
	}
	ours.Listeners = []string{"door"}
	reload()
	if got := answer(false); got != 'v' {
		t.Errorf("got %q, want the size", got)
	}
	io.WriteString(client, "again")
	s.awaits(t, &p, viewer, "again") // who viewed before goes on
	if got := answer(true); got != '3' {
		t.Errorf("the kick was answered %q, want 3", got)
	}
	s.awaits(t, &p, viewer, "")
	if s.code != threeend.Kicked {
		t.Errorf("the viewer was told %q, want 3", s.code)
	}
}
