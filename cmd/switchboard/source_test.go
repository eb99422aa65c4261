package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// sourcing runs "switchboard source" on a free port, and returns its address.
func sourcing(t *testing.T, args ...string) (p *program, addr string) {
	t.Helper()
	p = start(t, append([]string{"source", "--listen", "127.0.0.1:0"}, args...)...)
	said := p.out
	for _, a := range args {
		if a == "--" {
			said = p.err
		}
	}
	line := said.until("answers at")
	m := regexp.MustCompile(`answers at (\S+):`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("no address in %q", line)
	}
	return p, m[1]
}

// viewing is a connection to a source, and what came over it.
type viewing struct {
	t      *testing.T
	conn   net.Conn
	parser threeend.Parser

	shown, typed strings.Builder
	sizes        []string
	code         threeend.Code
}

func (v *viewing) Data(kind threeend.Type, p []byte) error {
	if kind == threeend.Display {
		v.shown.Write(p)
	} else {
		v.typed.Write(p)
	}
	return nil
}

func (v *viewing) View(cols, rows int) error {
	v.sizes = append(v.sizes, session.Size{Cols: cols, Rows: rows}.String())
	return nil
}

func (v *viewing) Control(c threeend.Code) error { v.code = c; return nil }

// ask sends a source some bytes.
func ask(t *testing.T, addr string, bytes []byte) *viewing {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write(bytes); err != nil {
		t.Fatal(err)
	}
	return &viewing{t: t, conn: conn}
}

func viewOf(t *testing.T, addr, id string) *viewing {
	t.Helper()
	return ask(t, addr, threeend.AppendRequest(nil, false, id))
}

// until reads until something is so.
func (v *viewing) until(what string, so func() bool) {
	v.t.Helper()
	buf := make([]byte, 4096)
	for !so() {
		n, err := v.conn.Read(buf)
		if err := v.parser.Feed(buf[:n], v); err != nil {
			v.t.Fatal(err)
		}
		if err != nil && !so() {
			v.t.Fatalf("%v instead of %s: shown %q, typed %q, sizes %q, code %c", err, what, v.shown.String(), v.typed.String(), v.sizes, v.code)
		}
	}
}

func (v *viewing) untilShown(text string) {
	v.t.Helper()
	v.until(text, func() bool { return strings.Contains(v.shown.String(), text) })
}

// ends reads up to the end of the connection, which a code has to be before.
func (v *viewing) ends(code threeend.Code) {
	v.t.Helper()
	v.until("an end with code "+string(rune(code)), func() bool { return v.code != 0 })
	if rest, err := io.ReadAll(v.conn); v.code != code || err != nil || len(rest) > 0 {
		v.t.Errorf("it ended with code %c, then %q, %v; want code %c and nothing", v.code, rest, err, code)
	}
}

// cast writes a recording of asciinema's.
func cast(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestARecordingIsASessionOfTheSource(t *testing.T) {
	path := cast(t, "night shift.cast", `{"version": 2, "width": 90, "height": 20}
[0.0, "o", "hello \u001b[31m阀门"]
[0.3, "i", "x\r"]
[0.3, "r", "100x30"]
[0.4, "o", "later"]
`)
	p, addr := sourcing(t, path)
	v := viewOf(t, addr, "night shift")
	p.out.until("views night shift")
	v.until("a whole play", func() bool { // the first, unless its beginning was missed
		return strings.HasSuffix(strings.Join(v.sizes, " "), "90x20 100x30") && strings.HasSuffix(v.typed.String(), "x\r") &&
			strings.HasSuffix(v.shown.String(), "later")
	})
	if !strings.Contains(v.shown.String(), "阀门") {
		t.Errorf("got %q shown", v.shown.String())
	}
	late := viewOf(t, addr, "night shift")
	late.untilShown("阀门later")
	if got := late.sizes[0]; got != "100x30" {
		t.Errorf("who comes late is told the size %s", got)
	}
	v.conn.Close()
	p.out.until("leaves night shift")
	p.stop()
	late.ends(threeend.Over)
	if code := p.exit(); code != exitOK {
		t.Errorf("got exit code %d", code)
	}
}

func TestAKickEndsASourcesSessionForAllAndItBeginsAnew(t *testing.T) {
	_, addr := sourcing(t, "--again", "1h")
	views := []*viewing{viewOf(t, addr, "demo"), viewOf(t, addr, "demo"), viewOf(t, addr, "1")}
	for _, v := range views {
		v.until("its size", func() bool { return len(v.sizes) > 0 })
	}
	ask(t, addr, threeend.AppendRequest(nil, true, "demo")).ends(threeend.Kicked)
	views[0].ends(threeend.Kicked)
	views[1].ends(threeend.Kicked)
	viewOf(t, addr, "demo").ends(threeend.Over)
	ask(t, addr, threeend.AppendRequest(nil, true, "demo")).ends(threeend.Over)
	views[2].untilShown("lin@plant")
	if views[2].code != 0 {
		t.Error("another session ended as well")
	}
	p, addr := sourcing(t, "--again", "1ms")
	ask(t, addr, threeend.AppendRequest(nil, true, "demo")).ends(threeend.Kicked)
	p.out.until("demo begins anew")
	viewOf(t, addr, "demo").untilShown("你好")
}

func TestTheDemonstrationHasAllKindsOfFrames(t *testing.T) {
	_, addr := sourcing(t)
	v := viewOf(t, addr, "1")
	v.until("keys", func() bool {
		return strings.Contains(v.typed.String(), "uname") && strings.Contains(v.shown.String(), "uname")
	})
	viewOf(t, addr, "2").untilShown("\r\n")
	v = viewOf(t, addr, "3")
	v.untilShown(v.sizesSoon())
}

// sizesSoon is the size that is shown.
func (v *viewing) sizesSoon() string {
	v.until("its size", func() bool { return len(v.sizes) > 0 })
	return v.sizes[0]
}

func TestASourceThatIsAskedForWhatItHasNotSaysThatItIsOver(t *testing.T) {
	_, addr := sourcing(t)
	for _, request := range []string{
		"[flag]=0&[sessionid]=4", "[flag]=1&[sessionid]=4\n", "[flag]=0&[sessionid]=\n", "[flag]=2&[sessionid]=demo",
		"GET / HTTP/1.1\r\n\r\n", "[flag]=0&[sessionid]=" + strings.Repeat("x", 2000), "\x00",
	} {
		ask(t, addr, []byte(request)).ends(threeend.Over)
	}
}

func TestARequestMayComeInPieces(t *testing.T) {
	_, addr := sourcing(t)
	v := ask(t, addr, nil)
	v.conn.(*net.TCPConn).SetNoDelay(true)
	for _, b := range threeend.AppendRequest(nil, false, "") {
		v.conn.Write([]byte{b})
	}
	v.conn.Write([]byte("demo")) // whole: a pause in it would end it
	v.untilShown("你好")
}

func TestWhoDoesNotReadIsTakenToAFreshScreen(t *testing.T) {
	s := holdSession("x")
	v, _ := s.view()
	v.take()
	for range 1000 {
		s.show([]byte(strings.Repeat("x", 1000)))
	}
	s.show([]byte("\x1b[2J\x1b[Hlast"))
	if len(v.waiting) > viewerBehind {
		t.Errorf("%d bytes wait", len(v.waiting))
	}
	frames, code := v.take()
	got := &viewing{t: t}
	if err := got.parser.Feed(frames, got); err != nil || code != 0 || !got.parser.Between() {
		t.Fatal(err, code)
	}
	if len(got.sizes) != 1 || !strings.Contains(got.shown.String(), "last") || len(frames) > 10_000 {
		t.Errorf("got %d bytes: %.200q", len(frames), frames)
	}
	s.end(threeend.Over)
	if _, code := v.take(); code != threeend.Over {
		t.Errorf("got the code %c", code)
	}
}

func TestAFileThatIsNoRecordingIsSaidAtOnce(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		said string
	}{
		{[]string{"/no/such/file.cast"}, exitFailed, "no such file"},
		{[]string{cast(t, "a.cast", "nothing")}, exitFailed, "a.cast"},
		{[]string{"--", "no-such-program"}, exitNotFound, "no program no-such-program"},
		{[]string{"--"}, exitUsage, "which program"},
		{[]string{"x.cast", "--kind", "ssh"}, exitUsage, "flags stand before the files"},
		{[]string{"--listen", "0.0.0.0:0"}, exitUsage, "add --insecure"},
		{[]string{"--listen", ":0"}, exitUsage, "add --insecure"},
		{[]string{"--listen", "7001"}, exitUsage, "must be HOST:PORT"},
		{[]string{"--kind", "s h"}, exitUsage, "--kind"},
		{[]string{"--id", "", "--", "true"}, exitUsage, "--id"},
		{[]string{"--again=-1s"}, exitUsage, "must not be negative"},
	} {
		code, out, said := runOnce(t, append([]string{"source"}, c.args...)...)
		if code != c.code || out != "" || !strings.Contains(said, c.said) || strings.Count(said, "\n") != 1 {
			t.Errorf("%q: got exit code %d, %q, %q", c.args, code, out, said)
		}
	}
}

func TestAPortThatIsTakenIsSaid(t *testing.T) {
	_, addr := sourcing(t)
	code, _, said := runOnce(t, "source", "--listen", addr)
	if code != exitFailed || !strings.Contains(said, "choose another address with --listen") {
		t.Errorf("got exit code %d, %q", code, said)
	}
}

func TestNothingIsLeftOfASource(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	end := newSourceEnd(ln, t.Logf)
	s := end.hold("x", session.Size{})
	var wg sync.WaitGroup
	wg.Go(func() { end.serve(ctx) })
	for range 300 {
		v := viewOf(t, ln.Addr().String(), "x")
		v.until("its size", func() bool { return len(v.sizes) > 0 })
		v.conn.Close()
	}
	stop()
	wg.Wait()
	if len(s.viewers) != 0 || len(end.room) != 0 {
		t.Errorf("%d viewers, %d connections are left", len(s.viewers), len(end.room))
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it still listens: closing it again gives %v", err)
	}
}
