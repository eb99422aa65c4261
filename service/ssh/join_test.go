package ssh_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

func TestSomebodyTypesAlongInATerminalOfABastion(t *testing.T) {
	h := open(t, nil)
	cmd := h.ssh("-tt", "ada+web1@127.0.0.1", "stty -echo; echo ready; read a; echo \"<$a>\"; read b; exit 3")
	p, err := transport.StartPTY(transport.PTYOptions{Command: cmd.Args, Env: cmd.Env, Cols: 80, Rows: 24})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		p.HangUp(0)
	})
	p.SetDeadline(time.Now().Add(limit))
	seen := ""
	await := func(text string) {
		t.Helper()
		for buf := make([]byte, 4096); !strings.Contains(seen, text); {
			n, err := p.Read(buf)
			if seen += string(buf[:n]); err != nil && !strings.Contains(seen, text) {
				t.Fatalf("%v instead of %q in %q", err, text, seen)
			}
		}
		_, seen, _ = strings.Cut(seen, text)
	}
	await("ready\r\n")
	id := h.sessions(session.Live, 1)[0].ID
	if _, err := h.sb.Hub().JoinIn(t.Context(), id, "grace", true); err != nil {
		t.Fatal(err)
	}
	await("\x1b[22;2t\x1b]2;grace types along\a")
	if err := h.sb.Hub().Type(t.Context(), id, "grace", []byte("from grace\r")); err != nil {
		t.Fatal(err)
	}
	await("<from grace>\r\n")
	io.WriteString(p, "\r")
	await("\x1b[23;2t")
	<-p.Exited()
	if p.Status().Code != 3 {
		t.Errorf("ssh ended with %v; want exit status 3", p.Status())
	}
	r := h.record(h.recorded().ID)
	if got := r[session.Typed]; got != "grace\x00from grace\r\n" { // a line feed of record
		t.Errorf("typed: got %q", got)
	}
	if got := r[session.Sent]; got != "ready\r\n<from grace>\r\n" {
		t.Errorf("sent: got %q", got)
	}
	if got := r[session.Closed]; !strings.Contains(got, `"exit":3`) {
		t.Errorf("closed: got %s", got)
	}
	if got := r[session.Received]; got != "\r" {
		t.Errorf("received: got %q", got)
	}
}

func TestNothingIsTypedIntoAFileThatPasses(t *testing.T) {
	h := open(t, nil)
	cmd := h.ssh("ada+web1@127.0.0.1", "echo ready; cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id := h.sessions(session.Live, 1)[0].ID
	h.says(id, "ready")
	if err := h.sb.Hub().Type(t.Context(), id, "grace", []byte("x")); !errors.Is(err, hub.ErrCannotType) {
		t.Errorf("got %v", err)
	}
	in.Close()
	cmd.Wait()
}
