//go:build linux || darwin

package transport_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/transport"
)

// inTerminal starts a shell script in a terminal.
func inTerminal(t *testing.T, script string) *transport.PTY {
	t.Helper()
	p, err := transport.StartPTY(transport.PTYOptions{Command: []string{"sh", "-c", script}, Env: os.Environ(), Cols: 70, Rows: 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		p.HangUp(0)
	})
	p.SetDeadline(time.Now().Add(20 * time.Second))
	return p
}

// shown receives until a text is shown, and returns all up to there.
func shown(t *testing.T, p *transport.PTY, text string) string {
	t.Helper()
	var all []byte
	for !bytes.Contains(all, []byte(text)) {
		if err := p.Receive(putFunc(func(b []byte) { all = append(all, b...) })); err != nil {
			t.Fatalf("%v instead of %q behind %q", err, text, all)
		}
	}
	return string(all)
}

// putFunc is a Sink that copies.
type putFunc func([]byte)

func (f putFunc) Put(b []byte) error { f(b); return nil }

func (f putFunc) Take(read func([]byte) (int, error)) error {
	b := make([]byte, 4096)
	n, err := read(b)
	if n > 0 {
		f(b[:n])
	}
	return err
}

func exited(t *testing.T, p *transport.PTY) transport.ExitStatus {
	t.Helper()
	select {
	case <-p.Exited():
	case <-time.After(20 * time.Second):
		t.Fatal("the program does not end")
	}
	return p.Status()
}

func TestAProgramInATerminalIsAConnection(t *testing.T) {
	p := inTerminal(t, `stty size; tty >/dev/null && read word && echo "got $word"; exit 3`)
	shown(t, p, "20 70\r\n")
	if _, err := p.Write([]byte("中文\n")); err != nil {
		t.Fatal(err)
	}
	if got, want := shown(t, p, "got 中文\r\n"), "中文\r\ngot 中文\r\n"; got != want {
		t.Errorf("got %q, want the echo and the answer, %q", got, want)
	}
	if err := p.Receive(putFunc(func(b []byte) { t.Errorf("got %q behind the end", b) })); err != io.EOF {
		t.Errorf("at the end: got %v, want EOF", err)
	}
	if got := exited(t, p); got.String() != "exit status 3" {
		t.Errorf("got %v, want exit status 3", got)
	}
}

func TestAProgramLearnsThatItsTerminalHasAnotherSize(t *testing.T) {
	p := inTerminal(t, `trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done`)
	shown(t, p, "ready")
	if err := p.Resize(132, 50); err != nil {
		t.Fatal(err)
	}
	shown(t, p, "50 132")
}

func TestReceivingEndsAtADeadlineAndAtClose(t *testing.T) {
	p := inTerminal(t, `echo ready; exec cat`)
	shown(t, p, "ready\r\n")
	p.SetReadDeadline(time.Now())
	if err := p.Receive(putFunc(func([]byte) {})); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a deadline", err)
	}
	p.SetReadDeadline(time.Time{})
	go p.Close()
	if err := p.Receive(putFunc(func([]byte) {})); err == nil || err == io.EOF {
		t.Errorf("got %v, want that it is closed", err)
	}
	if got := exited(t, p); got.Signal != "SIGHUP" || got.Code != 129 {
		t.Errorf("whose terminal is gone: got %+v, want SIGHUP", got)
	}
}

func TestWhoDoesNotMindAHangUpIsKilled(t *testing.T) {
	p := inTerminal(t, `trap '' HUP; echo ready; while :; do sleep 1000; done`)
	shown(t, p, "ready")
	p.Close()
	if err := p.HangUp(50 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got := exited(t, p); got.Signal != "SIGKILL" {
		t.Errorf("got %+v, want SIGKILL", got)
	}
}

func TestAProgramMayTakeItsTimeToHangUp(t *testing.T) {
	p := inTerminal(t, `trap 'sleep 0.1; exit 5' HUP; echo ready; while :; do sleep 0.01; done`)
	shown(t, p, "ready")
	if err := p.HangUp(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := exited(t, p); got.Code != 5 {
		t.Errorf("got %+v, want its own exit status", got)
	}
}

func TestTheForegroundIsKilledTooWhereItIsAGroupOfItsOwn(t *testing.T) {
	p := inTerminal(t, `set -m; sh -c 'trap "" HUP; echo pid=$$.; while :; do sleep 1000; done'; echo back`)
	text := shown(t, p, ".")
	pid, err := strconv.Atoi(text[strings.Index(text, "pid=")+4 : strings.Index(text, ".")])
	if err != nil {
		t.Fatal(err)
	}
	if group, err := unix.Getpgid(pid); err != nil || group != pid {
		t.Fatalf("the shell did not give its job a group of its own: %d, %v", group, err)
	}
	p.Close()
	if err := p.HangUp(50 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); unix.Kill(-pid, 0) != unix.ESRCH; {
		if time.Now().After(deadline) {
			t.Fatal("the job is still there")
		}
	}
}

func TestSignalsReachTheForeground(t *testing.T) {
	p := inTerminal(t, `trap 'echo usr1; exit 7' USR1; echo ready; while :; do sleep 0.01; done`)
	shown(t, p, "ready")
	if err := p.Signal(unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	shown(t, p, "usr1")
	if got := exited(t, p); got.Code != 7 {
		t.Errorf("got %+v", got)
	}
}

func TestAProgramThatIsNotThereSaysSo(t *testing.T) {
	for _, name := range []string{"no-such-program", "/no/such/program", "/etc"} {
		if p, err := transport.StartPTY(transport.PTYOptions{Command: []string{name}}); err == nil {
			p.Close()
			t.Errorf("%s was started", name)
		}
	}
}

func TestNothingIsLeftOfManyTerminals(t *testing.T) {
	rounds := 200
	if n, err := strconv.Atoi(os.Getenv("SWITCHBOARD_ROUNDS")); err == nil {
		rounds = n
	}
	before := 0
	for i := range rounds {
		if i == 1 { // the first has the runtime open its poller
			before = descriptors(t)
		}
		p, err := transport.StartPTY(transport.PTYOptions{Command: []string{"true"}})
		if err != nil {
			t.Fatal(err)
		}
		p.SetDeadline(time.Now().Add(20 * time.Second))
		if err := p.Receive(putFunc(func([]byte) {})); err != io.EOF {
			t.Fatalf("got %v, want EOF", err)
		}
		exited(t, p)
		p.Close()
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after %d terminals", before, after, rounds)
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("process %d is still there (%v)", pid, err)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(list)
}
