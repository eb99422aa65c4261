//go:build linux || darwin

package switchboard_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// shell starts a node whose listener runs a shell script for each who connects.
func shell(t *testing.T, script string, change func(*switchboard.ListenerConfig)) (*switchboard.Switchboard, net.Addr) {
	t.Helper()
	conf := switchboard.ListenerConfig{Name: "shell", Listen: "tcp://127.0.0.1:0", Service: "shell",
		Command: []string{"sh", "-c", script}, Telnet: "false"}
	if change != nil {
		change(&conf)
	}
	sb := start(t, t.TempDir(), conf)
	return sb, sb.Addr("shell")
}

// terminal is a program in a terminal, as somebody uses it.
type terminal struct {
	*transport.PTY
	t    *testing.T
	seen string
}

func inTerminal(t *testing.T, cols, rows int, command ...string) *terminal {
	t.Helper()
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Skip(err)
	}
	env := append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	p, err := transport.StartPTY(transport.PTYOptions{Command: command, Env: env, Cols: cols, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		p.HangUp(0)
	})
	p.SetDeadline(time.Now().Add(time.Minute))
	return &terminal{PTY: p, t: t}
}

// await reads until a text is shown, and returns all up to it that was not returned before.
func (p *terminal) await(text string) string {
	p.t.Helper()
	return readTo(p.t, p, &p.seen, text)
}

func readTo(t *testing.T, r io.Reader, seen *string, text string) string {
	t.Helper()
	buf := make([]byte, 4096)
	for !strings.Contains(*seen, text) {
		n, err := r.Read(buf)
		*seen += string(buf[:n])
		if err != nil {
			t.Fatalf("%v instead of %q behind %q", err, text, *seen)
		}
	}
	at := strings.Index(*seen, text) + len(text)
	before := (*seen)[:at]
	*seen = (*seen)[at:]
	return before
}

func (p *terminal) press(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p, keys); err != nil {
		p.t.Fatal(err)
	}
}

func TestTheTelnetClientGetsATerminalAndTheRecordHasNoTelnet(t *testing.T) {
	sb, addr := shell(t, `trap 'echo size $(stty size)' WINCH; echo "size $(stty size) term $TERM"; stty -echo; printf 'password: '
		read secret; stty echo; echo; while [ "$line" != bye ]; do line=; read line && echo "<$line>"; done; exit 4`,
		func(c *switchboard.ListenerConfig) { c.Telnet = "auto" })
	host, port, _ := net.SplitHostPort(addr.String())
	var p *terminal
	size := ""
	for range 10 {
		p = inTerminal(t, 100, 30, "telnet", host, port)
		p.await("size ")
		if size = p.await("\n"); size != "24 80 term xterm\r\n" { // else its answer came too late
			break
		}
	}
	if size != "30 100 term xterm-256color\r\n" {
		t.Fatalf("the terminal is %q", size)
	}
	p.await("password: ")
	p.press("geheim\r")
	if got := p.await("\n"); strings.Contains(got, "geheim") {
		t.Errorf("the password is shown: %q", got)
	}
	p.press("中文 üö\r")
	p.await("中文 üö")
	p.await("<中文 üö>")
	if err := p.Resize(132, 43); err != nil {
		t.Fatal(err)
	}
	p.await("size 43 132")
	p.press("bye\r")
	p.await("Connection closed by foreign host.")
	sum := sessions(t, sb, session.Recorded, 1)[0]
	if sum.Cause != session.Done || sum.Detail != "exit status 4" || sum.Terminal != "80x24" || sum.Transport != "tcp" {
		t.Errorf("the record says %+v", sum)
	}
	if got := bytesOf(t, sb, sum.ID, session.Closed); !strings.Contains(got, `"exit":4`) {
		t.Errorf("closed: got %s", got)
	}
	if got := bytesOf(t, sb, sum.ID, session.Resized); got != "100x30132x43" {
		t.Errorf("sizes: got %q", got)
	}
	if got, want := bytesOf(t, sb, sum.ID, session.Received), "geheim\r中文 üö\rbye\r"; got != want {
		t.Errorf("typed: got %q, want %q", got, want)
	}
	if got := bytesOf(t, sb, sum.ID, session.Sent); strings.Contains(got, "\xff") || strings.Contains(got, "\x00") || !strings.Contains(got, "<中文 üö>\r\n") {
		t.Errorf("shown: got %q", got)
	}
}

func TestKeysOfTheTelnetClientInterruptTheProgram(t *testing.T) {
	sb, addr := shell(t, `trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.01; done`,
		func(c *switchboard.ListenerConfig) { c.Telnet = "true" })
	host, port, _ := net.SplitHostPort(addr.String())
	p := inTerminal(t, 80, 24, "telnet", host, port)
	p.await("ready")
	p.press("\x1d")
	p.await("telnet> ")
	p.press("send ip\r")
	p.await("interrupted")
	if sum := sessions(t, sb, session.Recorded, 1)[0]; sum.Detail != "exit status 9" {
		t.Errorf("the record says %+v", sum)
	}
}

func TestWhoSpeaksNoTelnetGetsAShellAllTheSame(t *testing.T) {
	for _, mode := range []string{"auto", "false"} {
		sb, addr := shell(t, `echo "$TERM $(stty size)"; read line; echo "<$line>"`,
			func(c *switchboard.ListenerConfig) { c.Telnet = mode; c.Terminal = "90x25" })
		c := dial(t, "tcp", addr)
		if mode == "auto" {
			expect(t, c, "\xff\xfd\x03") // its one question
		}
		expect(t, c, "xterm 25 90\r\n")
		io.WriteString(c, "hello\n")
		expect(t, c, "hello\r\n<hello>\r\n")
		if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
			t.Errorf("%s: at the end: got %q, %v", mode, rest, err)
		}
		sum := sessions(t, sb, session.Recorded, 1)[0]
		if sum.Cause != session.Done || sum.Detail != "exit status 0" || sum.Terminal != "90x25" {
			t.Errorf("%s: the record says %+v", mode, sum)
		}
	}
}

func TestAClientInNodeGetsAShell(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip(err)
	}
	_, addr := shell(t, `read line; echo "<$line>"`, nil)
	host, port, _ := net.SplitHostPort(addr.String())
	out, err := exec.Command(node, "-e", `const s = require('net').connect(process.argv[2], process.argv[1], () => s.write('from node\n'))
		s.pipe(process.stdout); s.on('end', () => console.log('end'))`, host, port).CombinedOutput()
	if want := "from node\r\n<from node>\r\nend\n"; err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

// stubborn is a script that says what its process is, and does not mind a hang-up.
const stubborn = `trap "" HUP && echo "pid $$."; while :; do sleep 1000; done`

func pidOf(t *testing.T, c io.Reader) int {
	t.Helper()
	var seen string
	text := readTo(t, c, &seen, ".")
	pid, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSuffix(text, "."), "pid "))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func goes(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); unix.Kill(-pid, 0) != unix.ESRCH; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process group %d is still there", pid)
		}
	}
}

func TestHoweverASessionEndsNothingOfItsProgramIsLeft(t *testing.T) {
	kick := func(t *testing.T, sb *switchboard.Switchboard, _ net.Conn, id session.ID) {
		if err := sb.Hub().Kick(t.Context(), id, "tester", ""); err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		script string
		cause  session.Cause
		end    func(*testing.T, *switchboard.Switchboard, net.Conn, session.ID)
	}{
		"hung up":              {stubborn, session.HungUp, func(_ *testing.T, _ *switchboard.Switchboard, c net.Conn, _ session.ID) { c.Close() }},
		"kicked":               {stubborn, session.Kicked, kick},
		"kicked, and detached": {strings.Replace(stubborn, ";", "; exec >/dev/null 2>&1 </dev/null;", 1), session.Kicked, kick},
		"idle":                 {stubborn, session.Idle, func(*testing.T, *switchboard.Switchboard, net.Conn, session.ID) {}},
		"shutdown":             {stubborn, session.Shutdown, func(_ *testing.T, sb *switchboard.Switchboard, _ net.Conn, _ session.ID) { sb.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each takes the five seconds that a program has
			sb, addr := shell(t, c.script, func(l *switchboard.ListenerConfig) {
				if c.cause == session.Idle {
					l.Idle = "3s"
				}
			})
			conn := dial(t, "tcp", addr)
			pid := pidOf(t, conn)
			c.end(t, sb, conn, sessions(t, sb, session.Live, 1)[0].ID)
			goes(t, pid)
			if c.cause != session.Shutdown {
				if sum := sessions(t, sb, session.Recorded, 1)[0]; sum.Cause != c.cause {
					t.Errorf("the record says %+v", sum)
				}
			}
		})
	}
}

func TestABrowserIsNotLetType(t *testing.T) {
	for _, mode := range []string{"auto", "true", "false"} {
		file := filepath.Join(t.TempDir(), "typed")
		sb, addr := shell(t, "sh", func(c *switchboard.ListenerConfig) { c.Telnet = mode })
		for i, said := range []string{"POST / HTTP/1.1\r\nHost: x\r\n\r\n\ntouch " + file + "\n",
			"\x16\x03\x01\x02\x00\x01\ntouch " + file + "\n"} {
			c := dial(t, "tcp", addr)
			io.WriteString(c, said)
			io.Copy(io.Discard, c)
			sum := sessions(t, sb, session.Recorded, i+1)[0]
			if sum.Cause != session.Refused || !strings.Contains(sum.Detail, "browser") {
				t.Errorf("%s: the record says %+v", mode, sum)
			}
		}
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: it was let type: %v", mode, err)
		}
	}
}

func TestAProgramThatCannotBeStartedEndsTheSessionAndSaysWhy(t *testing.T) {
	sb, addr := shell(t, "", func(c *switchboard.ListenerConfig) { c.Command = []string{"/no/such/program"} })
	c := dial(t, "tcp", addr)
	if rest, _ := io.ReadAll(c); len(rest) > 0 {
		t.Errorf("got %q", rest)
	}
	sum := sessions(t, sb, session.Recorded, 1)[0]
	if sum.Cause != session.Failed || !strings.Contains(sum.Detail, "/no/such/program") {
		t.Errorf("the record says %+v", sum)
	}
}

func TestProgramsGetLittleOfTheServersEnvironment(t *testing.T) {
	t.Setenv("SWITCHBOARD_TOKEN", "secret")
	_, addr := shell(t, `env`, func(c *switchboard.ListenerConfig) {
		c.Env = []string{"GREETING=hello there", "TERM=vt220"}
		c.Dir = "/"
	})
	got, _ := io.ReadAll(dial(t, "tcp", addr))
	for _, want := range []string{"GREETING=hello there\r\n", "TERM=vt220\r\n", "PATH=", "PWD=/\r\n"} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	if bytes.Contains(got, []byte("secret")) {
		t.Errorf("a secret is in %q", got)
	}
}

func TestWhatIsShownLastArrivesThoughMoreIsTyped(t *testing.T) {
	_, addr := shell(t, `read line; echo "the end"`, nil)
	c := dial(t, "tcp", addr)
	io.WriteString(c, "x\n")
	var seen string
	readTo(t, c, &seen, "x")
	io.WriteString(c, strings.Repeat("typed ahead\n", 100))
	readTo(t, c, &seen, "the end\r\n")
}

func TestMuchIsShownWholeToWhoReadsSlowly(t *testing.T) {
	sb, addr := shell(t, `stty -opost; yes 0123456789abcdef | head -c 4000000`, nil)
	small := struct{ io.Writer }{io.Discard}
	n, err := io.CopyBuffer(small, struct{ io.Reader }{dial(t, "tcp", addr)}, make([]byte, 1500))
	if err != nil || n != 4000000 {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if sum := sessions(t, sb, session.Recorded, 1)[0]; sum.SentBytes != 4000000 || sum.Cause != session.Done {
		t.Errorf("the record says %+v", sum)
	}
}

func TestManyShellsLeaveNothing(t *testing.T) {
	rounds := 100
	if n, err := strconv.Atoi(os.Getenv("SWITCHBOARD_ROUNDS")); err == nil {
		rounds = n
	}
	sb, addr := shell(t, `exit 0`, nil)
	visit := func() {
		c := dial(t, "tcp", addr)
		defer c.Close()
		if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
			t.Fatalf("got %q, %v", rest, err)
		}
	}
	visit()
	sessions(t, sb, session.Live, 0)
	before := openFiles(t)
	began := time.Now()
	for range rounds {
		visit()
	}
	t.Logf("%d shells, %.0f a second", rounds, float64(rounds)/time.Since(began).Seconds())
	sessions(t, sb, session.Live, 0)
	// A second connection to the index is closed once it has not been used for a minute.
	for deadline := time.Now().Add(100 * time.Second); openFiles(t) > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors before, %d after", before, openFiles(t))
		}
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("process %d is still there (%v)", pid, err)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(list)
}

func TestAShellIsOfferedOnlyToWhomTheOperatorNames(t *testing.T) {
	for listen, fine := range map[string]bool{"tcp://127.0.0.1:0": true, "tcp://[::1]:0": true, "tcp://0.0.0.0:0": false,
		"tcp://:0": false, "udp://127.0.0.1:0": false, "ws://127.0.0.1:0/x": false, "unix:///tmp/x.sock": true} {
		conf := switchboard.Config{Listeners: []switchboard.ListenerConfig{{Name: "a", Listen: listen, Service: "shell",
			Command: []string{"sh"}}}}
		if err := conf.Check(); (err == nil) != fine {
			t.Errorf("%s: got %v", listen, err)
		}
		conf.Listeners[0].Insecure = true
		if err := conf.Check(); (err == nil) != (fine || strings.HasPrefix(listen, "tcp")) {
			t.Errorf("%s, insecure: got %v", listen, err)
		}
	}
}
