package ssh_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
)

func TestACommandRunsOnTheTargetAndIsOnRecord(t *testing.T) {
	h := open(t, nil)
	cmd := h.ssh("ada+web1@127.0.0.1", "cat; echo to stdout; echo to stderr >&2; exit 7")
	cmd.Stdin = strings.NewReader("from stdin\n")
	got := h.run(cmd)
	if want := (outcome{"from stdin\nto stdout\n", "to stderr\n", 7}); got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
	sum := h.recorded()
	if sum.Name != "ada@web1" || sum.Cause != session.Done || sum.Detail != "exit status 7" || sum.Transport != "ssh" ||
		sum.Service != "bastion" || sum.Terminal != "" || sum.ReceivedBytes != 11 || sum.SentBytes != 31 {
		t.Errorf("got %+v", sum)
	}
	r := h.record(sum.ID)
	if r[session.Received] != "from stdin\n" || r[session.Sent] != "from stdin\nto stdout\n" || r[session.SentErr] != "to stderr\n" {
		t.Errorf("got %q", r)
	}
	for _, want := range []string{"ada came in by public key SHA256:", "exec: cat; echo", "at web1 (127.0.0.1:", "host key ssh-ed25519 SHA256:"} {
		if !strings.Contains(r[session.Noted], want) {
			t.Errorf("the notes are %q; want %q in them", r[session.Noted], want)
		}
	}
}

func TestAShellHasATerminalWhoseSizeIsOnRecord(t *testing.T) {
	h := open(t, nil)
	cmd := h.ssh("-tt", "ada+web1@127.0.0.1")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 100, Rows: 30})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	go io.Copy(io.Discard, terminal) // ends with the terminal
	sum := h.sessions(session.Live, 1)[0]
	if sum.Terminal != "100x30" {
		t.Errorf("the terminal is %q; want 100x30", sum.Terminal)
	}
	io.WriteString(terminal, "PS1='> '; stty size; echo rea''dy\n")
	h.says(sum.ID, "30 100\r\nready")
	if err := pty.Setsize(terminal, &pty.Winsize{Cols: 120, Rows: 40}); err != nil {
		t.Fatal(err)
	}
	h.follow(sum.ID, func(e session.Event) bool { return e.Kind != session.Resized })
	io.WriteString(terminal, "stty size; exit 3\n")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("ssh ended with %v; want exit status 3", err)
	}
	r := h.record(h.recorded().ID)
	if r[session.Resized] != "120x40\n" || !strings.Contains(r[session.Sent], "40 120") || !strings.Contains(r[session.Noted], "shell\n") {
		t.Errorf("got %q", r)
	}
}

func TestSignalsReachTheProgram(t *testing.T) {
	h := openWithPassword(t)
	sc := h.client("ada+db1", h.key("ada"), ssh.KeyboardInteractive(typed("open sesame")))
	s, err := sc.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := s.StdoutPipe()
	if err := s.Start("cat"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if err := s.Signal(ssh.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *ssh.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.Signal() != "TERM" {
		t.Errorf("it ended with %v; want signal TERM", err)
	}
	sum := h.recorded()
	if sum.Detail != "ended by signal TERM" || !strings.Contains(h.record(sum.ID)[session.Noted], "signal TERM\n") {
		t.Errorf("got %+v", sum)
	}
}

func TestTheEnvironmentReachesTheProgramAndIsNoted(t *testing.T) {
	h := open(t, nil)
	got := h.run(h.ssh("-o", "SetEnv=COLOUR=blue", "ada+web1@127.0.0.1", "echo $COLOUR"))
	if got.out != "blue\n" {
		t.Errorf("got %+v; want blue", got)
	}
	if notes := h.record(h.recorded().ID)[session.Noted]; !strings.Contains(notes, "env COLOUR=blue\n") {
		t.Errorf("the notes are %q", notes)
	}
}

func TestTwoSessionsShareAConnectionAndAreTwoRecords(t *testing.T) {
	h := open(t, nil)
	control := []string{"-o", "ControlPath=" + h.file("control")}
	master := h.ssh(append(control, "-o", "ControlMaster=yes", "ada+web1@127.0.0.1", "echo first; read x; exit 1")...)
	in, _ := master.StdinPipe()
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	first := h.sessions(session.Live, 1)[0]
	h.says(first.ID, "first")
	got := h.run(h.ssh(append(control, "-o", "ControlMaster=no", "ada+web1@127.0.0.1", "echo second; exit 2")...))
	if got.out != "second\n" || got.status != 2 {
		t.Errorf("got %+v", got)
	}
	second := h.recorded()
	if second.Remote != first.Remote || second.Detail != "exit status 2" {
		t.Errorf("got %+v; want a session of the connection of %+v", second, first)
	}
	in.Close()
	if master.Wait(); master.ProcessState.ExitCode() != 1 {
		t.Errorf("the first ended with %v; want 1", master.ProcessState)
	}
	h.sessions(session.Recorded, 2)
}

func TestTheExitStatusComesBehindTheEndOfTheOutput(t *testing.T) {
	h := open(t, nil)
	began := time.Now()
	got := h.run(h.ssh("ada+web1@127.0.0.1", "echo out; exec >&- 2>&-; sleep 2; exit 5"))
	if want := (outcome{"out\n", "", 5}); got != want || time.Since(began) < 2*time.Second {
		t.Errorf("got %+v after %v; want %+v", got, time.Since(began), want)
	}
	// Who still speaks is told that no more comes, before the program ends.
	cmd := h.ssh("ada+web1@127.0.0.1", "echo out; exec >&- 2>&-; cat; exit 6")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(out); string(text) != "out\n" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	in.Close()
	cmd.Wait()
}

func TestAKickEndsTheSessionAtOnceAndLeavesTheConnection(t *testing.T) {
	h := open(t, nil)
	control := []string{"-o", "ControlPath=" + h.file("control")}
	master := h.ssh(append(control, "-o", "ControlMaster=yes", "ada+web1@127.0.0.1", "echo ready; read x; echo $x")...)
	in, _ := master.StdinPipe()
	var kept strings.Builder
	master.Stdout = &kept
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	h.says(h.sessions(session.Live, 1)[0].ID, "ready")
	first := h.sessions(session.Live, 1)[0].ID
	other := h.ssh(append(control, "-o", "ControlMaster=no", "ada+web1@127.0.0.1", "echo ready; sleep 20")...)
	ended := make(chan outcome)
	go func() { ended <- h.run(other) }()
	var second session.ID
	for _, sum := range h.sessions(session.Live, 2) {
		if sum.ID != first {
			second = sum.ID
		}
	}
	h.says(second, "ready")
	if err := h.sb.Hub().Kick(t.Context(), second, "grace", "main\x1b[2Jtenance"); err != nil {
		t.Fatal(err)
	}
	got := <-ended
	if got.status != 255 || !strings.Contains(got.err, "switchboard: kicked by grace: main.[2Jtenance") {
		t.Errorf("got %+v", got)
	}
	sum := h.recorded()
	if r := h.record(second); sum.Cause != session.Kicked || sum.By != "grace" || strings.Contains(r[session.Sent]+r[session.SentErr], "kicked") {
		t.Errorf("got %+v, %q; want nothing of the message on record", sum, r)
	}
	io.WriteString(in, "still here\n")
	if err := master.Wait(); err != nil || kept.String() != "ready\nstill here\n" {
		t.Errorf("the other session ended with %v, %q", err, kept.String())
	}
}

func TestAKickMayCloseTheConnection(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.Kick = "connection" })
	sc := h.client("ada+web1", h.key("ada"))
	s, err := sc.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.StdinPipe(); err != nil { // or else it is closed at once, and cat ends
		t.Fatal(err)
	}
	if err := s.Start("cat"); err != nil {
		t.Fatal(err)
	}
	if err := h.sb.Hub().Kick(t.Context(), h.sessions(session.Live, 1)[0].ID, "grace", ""); err != nil {
		t.Fatal(err)
	}
	sc.Wait()
	h.recorded()
}

func TestASlowReaderHoldsTheProgramUpAndNothingElse(t *testing.T) {
	h := open(t, nil)
	sc := h.client("ada+web1", h.key("ada"))
	s, err := sc.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := s.StdoutPipe()
	if err := s.Start("head -c 64M /dev/zero"); err != nil {
		t.Fatal(err)
	}
	id := h.sessions(session.Live, 1)[0].ID
	// What is not read stops within the windows of both connections.
	before := h.settled(id)
	if before > 8<<20 {
		t.Errorf("%d bytes were taken of a program whose reader sleeps; want the windows at most", before)
	}
	if got := h.run(h.ssh("ada+web1@127.0.0.1", "echo beside")); got.out != "beside\n" {
		t.Errorf("beside it: %+v", got)
	}
	if n, err := io.Copy(io.Discard, out); n != 64<<20 || err != nil {
		t.Errorf("got %d bytes, %v; want 64 MiB", n, err)
	}
	if err := s.Wait(); err != nil {
		t.Error(err)
	}
}

func TestAKickPassesAReaderThatSleeps(t *testing.T) {
	h := open(t, nil)
	cmd := h.ssh("ada+web1@127.0.0.1", "cat /dev/zero")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id := h.sessions(session.Live, 1)[0].ID
	h.settled(id)
	cmd.Process.Signal(syscall.SIGSTOP)
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if err := h.sb.Hub().Kick(t.Context(), id, "grace", ""); err != nil {
		t.Fatal(err)
	}
	if sum := h.recorded(); sum.Cause != session.Kicked {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestAClientThatDoesNotAnswerIsCutOff(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.PingInterval, l.Bastion.PingTimeout = "200ms", "3s" })
	cmd := h.ssh("ada+web1@127.0.0.1", "sleep 20")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.sessions(session.Live, 1)
	cmd.Process.Signal(syscall.SIGSTOP)
	sum := h.recorded()
	cmd.Process.Kill()
	cmd.Wait()
	if sum.Cause != session.Reset || sum.Detail != "no answer to a ping" {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestATargetThatDoesNotAnswerIsGivenUp(t *testing.T) {
	var between *proxy
	h := open(t, func(l *switchboard.ListenerConfig) {
		b := l.Bastion
		between = startProxy(t, b.Targets[0].Address)
		text, err := os.ReadFile(b.KnownHosts[0])
		if err != nil {
			t.Fatal(err)
		}
		_, key, _ := strings.Cut(string(text), " ")
		if err := os.WriteFile(b.KnownHosts[0], []byte(knownhosts.Normalize(between.addr)+" "+key), 0o600); err != nil {
			t.Fatal(err)
		}
		b.Targets[0].Address, b.PingInterval, b.PingTimeout = between.addr, "300ms", "3s"
	})
	ended := make(chan outcome)
	cmd := h.ssh("ada+web1@127.0.0.1", "echo ready; cat")
	in, _ := cmd.StdinPipe()
	defer in.Close()
	go func() { ended <- h.run(cmd) }()
	h.says(h.sessions(session.Live, 1)[0].ID, "ready")
	between.stop()
	if got := <-ended; got.status != 255 || !strings.Contains(got.err, "switchboard: upstream: no answer to a ping") {
		t.Errorf("got %+v", got)
	}
	if sum := h.recorded(); sum.Cause != session.Reset || sum.Detail != "upstream: no answer to a ping" {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestAClientThatAnswersIsKept(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.PingInterval = "100ms" })
	got := h.run(h.ssh("-o", "ServerAliveInterval=1", "ada+web1@127.0.0.1", "sleep 2; echo done"))
	if got.out != "done\n" {
		t.Errorf("got %+v", got)
	}
}

func TestAnIdleSessionEnds(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Idle = "300ms" })
	got := h.run(h.ssh("ada+web1@127.0.0.1", "sleep 20"))
	if got.status != 255 || !strings.Contains(got.err, "switchboard: idle") {
		t.Errorf("got %+v", got)
	}
	if sum := h.recorded(); sum.Cause != session.Idle {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestAClientThatGoesEndsItsProgram(t *testing.T) {
	h := open(t, nil)
	cmd := h.ssh("ada+web1@127.0.0.1", "echo $$; exec cat")
	in, _ := cmd.StdinPipe()
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.says(h.sessions(session.Live, 1)[0].ID, "\n")
	cmd.Process.Kill()
	cmd.Wait()
	if sum := h.recorded(); sum.Cause != session.HungUp && sum.Cause != session.Reset {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestShutdownTellsThoseWhoAreIn(t *testing.T) {
	h := open(t, nil)
	cmd := h.ssh("ada+web1@127.0.0.1", "echo ready; sleep 20")
	ended := make(chan outcome)
	go func() { ended <- h.run(cmd) }()
	h.says(h.sessions(session.Live, 1)[0].ID, "ready")
	if err := h.sb.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-ended; got.status != 255 || !strings.Contains(got.err, "switchboard: shutdown") {
		t.Errorf("got %+v", got)
	}
}

func TestBytesPassOnlyOnceTheyAreOnDisk(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Record = "strict" })
	cmd := h.ssh("ada+web1@127.0.0.1", "cat; echo err >&2")
	cmd.Stdin = strings.NewReader("strict\n")
	if got, want := h.run(cmd), (outcome{"strict\n", "err\n", 0}); got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
}

func TestTooManySessionsAreRefusedWithAReason(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Max = 1 })
	cmd := h.ssh("ada+web1@127.0.0.1", "sleep 20")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	h.sessions(session.Live, 1)
	if got := h.run(h.ssh("ada+web1@127.0.0.1", "true")); got.status == 0 || !strings.Contains(got.err, "too many sessions") {
		t.Errorf("got %+v", got)
	}
}

func TestOpenSSHMayChooseItsCipher(t *testing.T) {
	h := open(t, nil)
	for _, cipher := range []string{"aes256-gcm@openssh.com", "aes128-ctr"} {
		got := h.run(h.ssh("-v", "-c", cipher, "ada+web1@127.0.0.1", "echo through"))
		if got.out != "through\n" || !strings.Contains(got.err, "server->client cipher: "+cipher) {
			t.Errorf("%s: got %q; %s", cipher, got.out, got.err)
		}
	}
}
