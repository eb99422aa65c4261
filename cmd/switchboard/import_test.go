package main

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

const demo = `{"version":3,"term":{"cols":100,"rows":30},"timestamp":1700000000,"title":"demo"}
[0.500, "o", "$ "]
[0.500, "i", "ls"]
[0.250, "o", "温度\r\n"]
[0.750, "r", "120x40"]
[0.500, "m", "here"]
[0.500, "o", "bye"]
[0.250, "x", "3"]
`

// file writes one for a test.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// summary is ls --json of one session.
func (s *station) summary(id string) (sum session.Summary) {
	s.t.Helper()
	for _, sum := range s.list() {
		if strings.HasPrefix(string(sum.ID), id) {
			return sum
		}
	}
	s.t.Fatalf("%s is not listed", id)
	return sum
}

func TestARecordingGoesOutAndComesBackInEveryFormatThatIsRead(t *testing.T) {
	s := open(t)
	out := s.do("import", file(t, "demo.cast", demo), "--listener", "archive")
	id, rest, _ := strings.Cut(out, " ")
	if !strings.HasPrefix(rest, "imported from ") {
		t.Fatalf("import says %q", out)
	}
	sum := s.summary(id)
	if sum.Listener != "archive" || sum.Name != "demo" || sum.Remote != "demo.cast" || sum.End-sum.Start != 3_250_000 {
		t.Errorf("listed: %+v", sum)
	}
	if got := s.do("export", id, "-f", "asciicast", "--input"); got != demo {
		t.Errorf("exported:\n%s\nwant:\n%s", got, demo)
	}
	if played := s.do("play", id, "--raw", "--direction", "sent", "--speed", "1024"); played != "$ 温度\r\nbye" {
		t.Errorf("played: %q", played)
	}
	if text := s.do("export", id, "-f", "text"); !strings.Contains(text, "done, exit status 3\n") ||
		!strings.Contains(text, "file demo.cast on archive, 2023-11-14 22:13:20.000 UTC") {
		t.Errorf("as text:\n%s", text)
	}
	for _, format := range []string{"asciicast", "asciicast2", "ttyrec"} {
		path := filepath.Join(t.TempDir(), "again."+format)
		s.do("export", id, "-f", format, "-o", path)
		back, _, _ := strings.Cut(s.do("import", path), " ")
		if got, want := s.do("export", back, "--direction", "sent"), "$ 温度\r\nbye"; got != want {
			t.Errorf("%s: the output came back as %q; want %q", format, got, want)
		}
		again := s.summary(back)
		if again.Start != sum.Start || again.Terminal != "100x30" || format != "ttyrec" && again.End != sum.End {
			t.Errorf("%s: %+v; want the times and the size of %+v", format, again, sum)
		}
	}
}

func TestAFileThatDoesNotSayWhenItWasMadeEndedWhenItWasWritten(t *testing.T) {
	s := open(t)
	path := file(t, "old.cast", `{"version":1,"width":80,"height":24,"stdout":[[60,"x"]]}`)
	at := time.Date(2015, 3, 4, 5, 6, 7, 0, time.UTC)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(s.do("import", path), " ")
	if sum := s.summary(id); sum.End != at.UnixMicro() || sum.Start != at.Add(-time.Minute).UnixMicro() {
		t.Errorf("got %s to %s", session.FormatTime(sum.Start), session.FormatTime(sum.End))
	}
}

func TestWhatCannotBeImportedIsSaidByItsName(t *testing.T) {
	s := open(t)
	good, bad := file(t, "good.cast", demo), file(t, "bad.cast", demo+"[1]\n")
	code, out, said := runOnce(t, s.with("import", bad, good, filepath.Join(t.TempDir(), "none"), t.TempDir())...)
	if code != exitFailed || strings.Count(out, "imported") != 1 || !strings.Contains(out, "good.cast") {
		t.Errorf("got exit code %d, %q", code, out)
	}
	for _, want := range []string{"bad.cast: line 9: the second of its parts", "none: open ", "it is no file",
		"3 of 4 files were not imported"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in %q", want, said)
		}
	}
	if n := len(s.list()); n != 1 {
		t.Errorf("%d sessions are listed; want one", n)
	}
}

func TestTheStandardInputIsImported(t *testing.T) {
	s := open(t)
	p := start(t, s.with("import", "-")...)
	if _, err := p.in.Write([]byte(demo)); err != nil {
		t.Fatal(err)
	}
	p.in.Close()
	if code := p.exit(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if sum := s.await(1)[0]; sum.Name != "demo" || sum.Remote != "local" {
		t.Errorf("listed: %+v", sum)
	}
}

// tool is a program of another house, which judges what is written for it.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("there is no %s: make deps installs it", name)
	}
	return path
}

func TestTtyplayPlaysWhatASessionSent(t *testing.T) {
	ttyplay := tool(t, "ttyplay")
	s := open(t)
	id := s.spoken("one\r\n", "two\x00\xff\r\n")
	path := filepath.Join(t.TempDir(), "session.ttyrec")
	s.do("export", id.Short(), "-f", "ttyrec", "-o", path)
	got, err := exec.Command(ttyplay, "-n", path).Output()
	if want := "\x1b[8;24;80tHello\none\r\ntwo\x00\xff\r\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestScriptreplayPlaysWhatASessionSent(t *testing.T) {
	replay := tool(t, "scriptreplay")
	s := open(t)
	id := s.spoken("one\r\n", "two\x00\xff\r\n")
	dir := t.TempDir()
	s.do("export", id.Short(), "-f", "script", "--input", "-o", filepath.Join(dir, "script.zip"))
	z, err := zip.OpenReader(filepath.Join(dir, "script.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]string{"out": "Hello\none\r\ntwo\x00\xff\r\n", "in": "one\r\ntwo\x00\xff\r\n"} {
		cmd := exec.Command(replay, "--divisor", "1000", "--cr-mode", "never", "--stream", stream, "-T", "timing", "-B", "typescript")
		cmd.Dir = dir
		if got, err := cmd.Output(); err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("%s: got %q, %v; want %q", stream, got, err, want)
		}
	}
}

func TestTheNameOfAFileCommandsNoTerminal(t *testing.T) {
	s := open(t)
	name := file(t, "demo\x1b[2J.cast", demo)
	if out := s.do("import", name); strings.Contains(out, "\x1b") || !strings.Contains(out, `demo\x1b[2J.cast`) {
		t.Errorf("import says %q", out)
	}
	if _, _, said := runOnce(t, s.with("import", name+"s")...); strings.Contains(said, "\x1b") {
		t.Errorf("of one that is missing it says %q", said)
	}
}
