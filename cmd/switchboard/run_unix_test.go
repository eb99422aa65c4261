//go:build linux || darwin

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/switchboard-relay/switchboard/session"
)

// TestMain is the program itself where a test starts it as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("SWITCHBOARD_IS_THE_PROGRAM") != "" {
		os.Unsetenv("SWITCHBOARD_IS_THE_PROGRAM")
		main()
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // what a test starts minds hang-ups, though the tests themselves may not
	os.Exit(m.Run())
}

// running is a run of the real program, in a terminal.
type running struct {
	*console
	cmd *exec.Cmd
}

// running starts "switchboard run" on a terminal of 100 columns and 30 rows.
func (s *station) running(args ...string) *running {
	s.t.Helper()
	return s.runningAs(exec.Command(os.Args[0], append([]string{"run"}, args...)...))
}

func (s *station) runningAs(cmd *exec.Cmd) *running {
	s.t.Helper()
	far, tty, err := pty.Open()
	if err != nil {
		s.t.Fatal(err)
	}
	pty.Setsize(tty, &pty.Winsize{Rows: 30, Cols: 100})
	idle, err := term.GetState(int(tty.Fd()))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "SWITCHBOARD_IS_THE_PROGRAM=1", "SWITCHBOARD_DATA="+s.conf.Data)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	r := &running{&console{t: s.t, far: far, tty: tty, idle: idle, code: make(chan int, 1), more: make(chan struct{}, 1)}, cmd}
	go r.read()
	go func() {
		cmd.Wait()
		r.code <- cmd.ProcessState.ExitCode()
	}()
	s.t.Cleanup(func() {
		cmd.Process.Kill()
		far.Close()
		tty.Close()
	})
	r.await(`switchboard: recorded as \w+\r\n`)
	return r
}

// resize gives the terminal another size.
func (r *running) resize(rows, cols uint16) {
	r.t.Helper()
	if err := pty.Setsize(r.far, &pty.Winsize{Rows: rows, Cols: cols}); err != nil {
		r.t.Fatal(err)
	}
}

// exported is a recording's bytes.
func (s *station) exported(id session.ID, direction string) string {
	return s.do("export", string(id), "--direction", direction)
}

// once runs a program without a terminal.
func (s *station) once(input string, args ...string) (code int, out, said string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"run", "--data", s.conf.Data}, args...)
	code = run(s.t.Context(), args, strings.NewReader(input), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestAProgramInAScriptIsASessionAndItsExitCodeIsItsOwn(t *testing.T) {
	s := open(t)
	code, out, said := s.once("one\ntwo", "--", "sh", "-c", `stty size; cat; echo "$SWITCHBOARD_SESSION" >&2; exit 3`)
	sum := s.await(1, "--recorded")[0]
	want := "24 80\r\none\r\ntwo" + string(sum.ID) + "\r\n"
	if code != 3 || out != want || said != "" {
		t.Errorf("got exit code %d, %q, %q, want %q", code, out, said, want)
	}
	if sum.Listener != "run" || sum.Service != "run" || sum.Transport != "pty" || sum.Name != "sh" || sum.Terminal != "80x24" ||
		sum.Cause != session.Done || sum.Detail != "exit status 3" || !strings.Contains(sum.Remote, "@") {
		t.Errorf("the record says %+v", sum)
	}
	if got := s.exported(sum.ID, "sent"); got != out {
		t.Errorf("shown: got %q, want %q", got, out)
	}
	if got := s.exported(sum.ID, "received"); got != "one\ntwo" {
		t.Errorf("typed: got %q", got)
	}
	if got := s.do("watch", string(sum.ID)); !strings.Contains(got, "admin runs sh -c stty size; cat") {
		t.Errorf("who ran what is not on record: %s", got)
	}
}

func TestWhatCannotBeRunSaysSoByItsExitCode(t *testing.T) {
	s := open(t)
	for _, c := range []struct {
		args []string
		code int
		said string
	}{
		{[]string{"no-such-program"}, exitNotFound, "no program no-such-program"},
		{[]string{"/etc"}, exitNotStart, "/etc cannot be started"},
		{[]string{"--token", "wrong", "true"}, exitNotRun, "does not know"},
		{[]string{"--data", t.TempDir(), "true"}, exitNotRun, "no server runs on the data folder"},
		{[]string{}, exitUsage, "expected"},
	} {
		code, out, said := s.once("", c.args...)
		if code != c.code || out != "" || !strings.Contains(said, c.said) || strings.Count(said, "\n") != 1 {
			t.Errorf("%q: got exit code %d, %q, %q", c.args, code, out, said)
		}
	}
	if code, _, _ := s.once("", "sh", "-c", "kill -9 $$"); code != 137 {
		t.Errorf("killed: got exit code %d, want 137", code)
	}
}

func TestOnATerminalEverythingPassesThroughAndIsOnRecord(t *testing.T) {
	s := open(t)
	r := s.running("--name", "a test", "--", "sh", "-c", `trap 'echo interrupted' INT; trap 'echo size $(stty size)' WINCH
		stty size; stty -echo; printf 'password: '; read secret; stty echo; echo
		while [ "$line" != bye ]; do line=; read line && echo "<$line>"; done; exit 5`)
	r.await("30 100\r\n")
	r.await("password: ")
	r.press("geheim\r")
	r.press("中文\r")
	if shown := r.await("<中文>\r\n"); strings.Contains(shown, "geheim") {
		t.Errorf("the password is shown: %q", shown)
	}
	r.resize(40, 120)
	r.await("size 40 120\r\n")
	r.press("\x03")
	r.await(`\^Cinterrupted\r\n`)
	r.press("bye\r")
	if code := r.exit(); code != 5 {
		t.Errorf("got exit code %d, want 5", code)
	}
	if after, err := term.GetState(int(r.tty.Fd())); err != nil || *after != *r.idle {
		t.Errorf("the terminal is not as it was: %v", err)
	}
	sum := s.await(1, "--recorded")[0]
	if sum.Name != "a test" || sum.Terminal != "100x30" || sum.Detail != "exit status 5" {
		t.Errorf("the record says %+v", sum)
	}
	if got, want := s.exported(sum.ID, "received"), "geheim\r中文\r\x03bye\r"; got != want {
		t.Errorf("typed: got %q, want %q", got, want)
	}
	if got := s.do("watch", string(sum.ID)); !regexp.MustCompile(`resized +120x40`).MatchString(got) {
		t.Errorf("the size is not on record: %s", got)
	}
}

func TestWhatIsTypedIsNotRecordedWhereThatIsAskedFor(t *testing.T) {
	s := open(t)
	if code, _, said := s.once("secret\n", "--no-input", "sh", "-c", "read x; echo read"); code != 0 {
		t.Fatal(said)
	}
	sum := s.await(1, "--recorded")[0]
	if sum.ReceivedBytes != 0 || s.exported(sum.ID, "sent") != "read\r\n" {
		t.Errorf("the record says %+v", sum)
	}
}

func TestAKickEndsTheProgramAndThePersonIsToldWhy(t *testing.T) {
	s := open(t)
	r := s.running("--", "sh", "-c", `trap 'echo last words; exit 7' HUP; echo ready; while :; do sleep 0.01; done`)
	r.await("ready")
	id := s.await(1, "--live")[0].ID
	s.do("kick", string(id), "--reason", "maintenance")
	r.await("switchboard: kicked by admin: maintenance\r?\n")
	if code := r.exit(); code != 7 {
		t.Errorf("got exit code %d, want the program's, 7", code)
	}
	sum := s.await(1, "--recorded")[0]
	if sum.Cause != session.Kicked || !strings.Contains(s.exported(id, "sent"), "last words") {
		t.Errorf("the record says %+v and %q", sum, s.exported(id, "sent"))
	}
}

func TestWhatIsSentIsTypedIntoTheProgram(t *testing.T) {
	s := open(t)
	r := s.running("--", "sh", "-c", `echo ready; read line; echo "<$line>"`)
	r.await("ready")
	id := s.await(1, "--live")[0].ID
	s.do("send", string(id), "-e", `from afar\r`)
	r.await("<from afar>")
	if code := r.exit(); code != 0 {
		t.Errorf("got exit code %d", code)
	}
	s.await(1, "--recorded")
	if got := s.exported(id, "received"); got != "from afar\r" {
		t.Errorf("typed: got %q", got)
	}
}

func TestAProgramGoesOnWithoutTheServerAndIsRecordedAgain(t *testing.T) {
	s := open(t)
	r := s.running("--", "sh", "-c", `echo ready; while read line; do echo "<$line>"; done`)
	r.await("ready")
	first := s.await(1, "--live")[0].ID
	if err := s.sb.Close(); err != nil {
		t.Fatal(err)
	}
	r.await("switchboard: not recorded until the server is back")
	r.press("meanwhile\r")
	r.await("<meanwhile>")
	s.start()
	r.await("switchboard: recorded again, as")
	r.press("again\r")
	r.await("<again>")
	r.press("\x04")
	if code := r.exit(); code != 0 {
		t.Errorf("got exit code %d", code)
	}
	list := s.await(2, "--recorded")
	if list[1].ID != first || list[1].Cause != session.Shutdown || list[0].Cause != session.Done {
		t.Errorf("the record says %+v", list)
	}
	got := s.do("watch", string(list[0].ID))
	gap := regexp.MustCompile(`gap .* (3\d|41) bytes`) // with "ready", if the server had not acknowledged that
	if !strings.Contains(got, "goes on from "+string(first)) || !gap.MatchString(got) ||
		strings.Contains(got, "meanwhile") || !strings.Contains(got, "<again>") {
		t.Errorf("the second record: %s", got)
	}
}

func TestWithStrictAProgramEndsWhenItIsNotRecordedAnyMore(t *testing.T) {
	s := open(t)
	r := s.running("--strict", "--", "sh", "-c", `echo ready; cat`)
	r.await("ready")
	s.sb.Close()
	r.await("switchboard: shutdown: the program was ended, as it is not recorded any more")
	if code := r.exit(); code != 129 {
		t.Errorf("got exit code %d, want that of SIGHUP, 129", code)
	}
}

func TestSignalsPassThrough(t *testing.T) {
	s := open(t)
	r := s.running("--", "sh", "-c", `trap 'echo term' TERM; trap 'echo usr1; exit 9' USR1; echo ready; while :; do sleep 0.01; done`)
	r.await("ready")
	r.cmd.Process.Signal(syscall.SIGTERM)
	r.await("term")
	r.cmd.Process.Signal(syscall.SIGTERM)
	r.await("term")
	r.cmd.Process.Signal(syscall.SIGUSR1)
	r.await("usr1")
	if code := r.exit(); code != 9 {
		t.Errorf("got exit code %d, want 9", code)
	}
}

func TestAProgramWhoseTerminalGoesIsHungUp(t *testing.T) {
	s := open(t)
	file := filepath.Join(t.TempDir(), "hup")
	r := s.running("--", "sh", "-c", `trap 'echo hup >`+file+`; exit 1' HUP; echo ready; while :; do sleep 0.01; done`)
	r.await("ready")
	r.cmd.Process.Signal(syscall.SIGHUP) // as the system says it
	if code := r.exit(); code != 1 {
		t.Errorf("got exit code %d, want 1", code)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "hup\n" {
		t.Errorf("got %q, %v", text, err)
	}
	s.await(1, "--recorded")
}

func TestUnderNohupAHangUpIsNotMindedAndAKickEndsTheProgramAllTheSame(t *testing.T) {
	s := open(t)
	r := s.runningAs(exec.Command("sh", "-c", `trap '' HUP; exec "$@"`, "sh", os.Args[0], "run", "--",
		"sh", "-c", `trap 'echo term' TERM; trap 'exit 7' HUP; echo ready; while :; do sleep 0.01; done`))
	r.await("ready")
	r.cmd.Process.Signal(syscall.SIGHUP)
	r.cmd.Process.Signal(syscall.SIGTERM)
	r.await("term") // so the signal before it has come, too
	s.do("kick", string(s.await(1, "--live")[0].ID))
	if code := r.exit(); code != 7 {
		t.Errorf("got exit code %d, want the program's, 7: it did not mind the hang-up", code)
	}
}

func TestMuchOutputIsRecordedWhole(t *testing.T) {
	s := open(t)
	const n = 20_000_000
	code, out, said := s.once("", "sh", "-c", fmt.Sprintf("stty -opost; yes 0123456789abcde | head -c %d", n))
	if code != 0 || len(out) != n {
		t.Fatalf("got exit code %d, %d bytes, %s", code, len(out), said)
	}
	if sum := s.await(1, "--recorded")[0]; sum.SentBytes != n {
		t.Errorf("%d bytes are on record, want %d", sum.SentBytes, n)
	}
}

// swamp is a way to the server that can swallow everything.
func swamp(t *testing.T, target string) (address string, swallow *atomic.Bool) {
	t.Helper()
	swallow = &atomic.Bool{}
	ln := listen(t, "tcp", "127.0.0.1:0")
	var mu sync.Mutex
	var stuck []net.Conn
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range stuck {
			c.Close()
		}
	})
	pass := func(to, from net.Conn) {
		buf := make([]byte, 4096)
		for {
			n, err := from.Read(buf)
			if swallow.Load() {
				return // and nobody reads or closes any more
			}
			if _, e := to.Write(buf[:n]); err != nil || e != nil {
				to.Close()
				return
			}
		}
	}
	serveConns(t, ln, func(_ int, near net.Conn) {
		far, err := net.Dial("tcp", strings.TrimPrefix(target, "http://"))
		if err != nil {
			return
		}
		mu.Lock()
		stuck = append(stuck, near, far)
		mu.Unlock()
		go pass(far, near)
		pass(near, far)
		if swallow.Load() {
			<-t.Context().Done()
		}
	})
	return "http://" + ln.Addr().String(), swallow
}

func TestKeysNeverWaitForTheServer(t *testing.T) {
	s := open(t)
	address, swallow := swamp(t, s.sb.URL())
	token, err := os.ReadFile(filepath.Join(s.conf.Data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	r := s.running("--server", address, "--token", strings.TrimSpace(string(token)), "--", "sh", "-c", "echo ready; stty raw -echo; exec cat")
	r.await("ready")
	swallow.Store(true)
	var slowest time.Duration
	for i := range 300 {
		began := time.Now()
		key := fmt.Sprintf("k%dx", i)
		r.press(key)
		r.await(key)
		slowest = max(slowest, time.Since(began))
	}
	t.Logf("the slowest of 300 keys took %v", slowest)
	if slowest > 3*time.Second {
		t.Errorf("a key took %v", slowest)
	}
}

func TestWhoCannotBeWrittenToEndsTheProgram(t *testing.T) {
	s := open(t)
	pr, pw := io.Pipe()
	pr.Close()
	code := run(t.Context(), []string{"run", "--data", s.conf.Data, "yes"}, strings.NewReader(""), pw, io.Discard)
	if code != 129 {
		t.Errorf("got exit code %d, want that of SIGHUP, 129", code)
	}
}

// sleeper is an output that does not take its first piece before it is told to.
type sleeper struct {
	asked chan struct{} // closed when the first piece comes
	awake chan struct{}
	got   bytes.Buffer
}

func (s *sleeper) Write(p []byte) (int, error) {
	if s.got.Len() == 0 {
		close(s.asked)
		<-s.awake
	}
	return s.got.Write(p)
}

func TestWhatWasShownLastWaitsForWhoReadsSlowly(t *testing.T) {
	s := open(t)
	dir := t.TempDir()
	out := &sleeper{asked: make(chan struct{}), awake: make(chan struct{})}
	code := make(chan int)
	go func() {
		code <- run(t.Context(), []string{"run", "--data", s.conf.Data, "--", "sh", "-c",
			"echo $$ > " + dir + "/pid; echo first; while [ ! -e " + dir + "/go ]; do sleep 0.02; done; seq 300"},
			strings.NewReader(""), out, io.Discard)
	}()
	<-out.asked
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	fmt.Sscan(string(text), &pid)
	for syscall.Kill(pid, 0) == nil {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(shownLimit + shownLimit/10) // longer than what was shown last may be waited for
	close(out.awake)
	if c := <-code; c != 0 || !strings.HasSuffix(out.got.String(), "299\r\n300\r\n") {
		t.Errorf("got exit code %d, and %q at the end", c, tail(out.got.String()))
	}
	if got := s.exported(s.await(1, "--recorded")[0].ID, "sent"); got != out.got.String() {
		t.Errorf("the record ends with %q", tail(got))
	}
}

func tail(s string) string { return s[max(0, len(s)-20):] }
