//go:build unix

package main

import (
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// console is a real pseudo-terminal with a program in it.
type console struct {
	t    *testing.T
	far  *os.File // the person's side
	tty  *os.File // the program's side
	code chan int
	idle *term.State // of the terminal before the program ran

	mu   sync.Mutex
	seen strings.Builder
	more chan struct{} // something new was seen
}

// newConsole starts a command line on a terminal of some size.
func newConsole(t *testing.T, rows, columns uint16, args ...string) *console {
	t.Helper()
	far, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(tty, &pty.Winsize{Rows: rows, Cols: columns}); err != nil {
		t.Fatal(err)
	}
	idle, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	c := &console{t: t, far: far, tty: tty, idle: idle, code: make(chan int, 1), more: make(chan struct{}, 1)}
	go c.read()
	go func() { c.code <- run(ctx, args, tty, tty, tty) }()
	t.Cleanup(func() {
		stop()
		far.Close()
		tty.Close()
	})
	return c
}

// read collects what the program shows, until the terminal is closed.
func (c *console) read() {
	buf := make([]byte, 4096)
	for {
		n, err := c.far.Read(buf)
		c.mu.Lock()
		c.seen.Write(buf[:n])
		c.mu.Unlock()
		select {
		case c.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// await waits until what was shown since the last call matches, and returns all of it up to there.
func (c *console) await(pattern string) string {
	c.t.Helper()
	want := regexp.MustCompile(pattern)
	deadline := time.After(time.Minute)
	for {
		c.mu.Lock()
		seen := c.seen.String()
		if at := want.FindStringIndex(seen); at != nil {
			c.seen.Reset()
			c.seen.WriteString(seen[at[1]:])
			c.mu.Unlock()
			return seen[:at[1]]
		}
		c.mu.Unlock()
		select {
		case <-c.more:
		case <-deadline:
			c.t.Fatalf("%s was not shown, but %q", pattern, seen)
		}
	}
}

func (c *console) press(keys string) {
	c.t.Helper()
	if _, err := io.WriteString(c.far, keys); err != nil {
		c.t.Fatal(err)
	}
}

func (c *console) exit() int {
	c.t.Helper()
	select {
	case code := <-c.code:
		return code
	case <-time.After(time.Minute):
		c.t.Fatal("the program does not end")
		return 0
	}
}

// minutes makes a session in which a word comes after a while, and then two more.
func minutes(s *station) string {
	s.t.Helper()
	const words = `{"version": 2, "width": 80, "height": 24}
[0.0, "o", "Hello\n"]
[4.5, "i", "first\n"]
[4.5, "o", "first\n"]
[4.7, "i", "second\n"]
[4.7, "o", "second\n"]
[4.9, "i", "third\n"]
[4.9, "o", "third\n"]
`
	id, _, _ := strings.Cut(s.do("import", file(s.t, "words.cast", words)), " ")
	return id
}

func TestPlayOnATerminalObeysKeysAndShowsWhereItIs(t *testing.T) {
	s := open(t)
	id := minutes(s)
	c := newConsole(t, 24, 100, s.with("play", id)...)
	c.await(`"Hello\\n"\r\n`)
	c.press(" ")
	c.await(`❚❚ 0:0[0-4] / 0:04  1×  event \d+ of \d+`)
	c.press(".")
	if got := c.await(`"first\\n"\r\n`); strings.Contains(got, "second") {
		t.Errorf("one step shows one event, got %q", got)
	}
	c.press("\x1b[A")
	c.await(`2×`)
	c.press("\x1b[B\x1b[B")
	c.await(`0\.5×`)
	c.press("\x1b[D")
	c.await(`── 0:00 ──\r\n`)
	c.press(" ")
	c.await(`"Hello\\n"\r\n`)
	c.press("\x1b[C")
	c.await(`── 0:04 ──\r\n`)
	c.await(`closed    done\r\n`)
	if code := c.exit(); code != exitOK {
		t.Errorf("got exit code %d, want %d", code, exitOK)
	}
	after, err := term.GetState(int(c.tty.Fd()))
	if err != nil || *after != *c.idle {
		t.Errorf("the terminal is not as it was: %v", err)
	}
}

func TestPlayOnATerminalQuits(t *testing.T) {
	s := open(t)
	id := minutes(s)
	for _, key := range []string{"q", "\x03"} {
		c := newConsole(t, 24, 100, s.with("play", "--speed", "0.1", id)...)
		c.await(`"Hello\\n"\r\n`)
		c.press(key)
		if code := c.exit(); code != exitOK {
			t.Errorf("%q: got exit code %d, want %d", key, code, exitOK)
		}
	}
}

func TestTheStatusLineNeverWraps(t *testing.T) {
	s := open(t)
	id := minutes(s)
	c := newConsole(t, 24, 30, s.with("play", "--speed", "0.1", id)...)
	shown := c.await(`\x1b\[7m[^\x1b]*\x1b\[0m`)
	status := regexp.MustCompile(`\x1b\[7m([^\x1b]*)`).FindStringSubmatch(shown)[1]
	if width := uniseg.StringWidth(status); width >= 30 {
		t.Errorf("on 30 columns the status takes %d: %q", width, status)
	}
}

func TestTheListFitsTheTerminal(t *testing.T) {
	s := open(t)
	s.spoken("one\n")
	s.dial("hello", "Hello client!")
	s.await(1, "--live")
	for _, columns := range []uint16{40, 80, 120} {
		c := newConsole(t, 24, columns, s.with("ls")...)
		if code := c.exit(); code != exitOK {
			t.Fatalf("got exit code %d", code)
		}
		shown := c.await(`(?s)ID .*\n.*\n.*\r\n`)
		lines := strings.Split(strings.TrimSpace(shown), "\r\n")
		if len(lines) != 3 {
			t.Errorf("%d columns: got %d lines, want 3: %q", columns, len(lines), shown)
		}
		for _, line := range lines {
			if width := uniseg.StringWidth(line); width > int(columns) {
				t.Errorf("%d columns: a line takes %d: %q", columns, width, line)
			}
		}
	}
}

func TestConnectOnATerminalKeepsOutputAndNoticesApart(t *testing.T) {
	s := open(t)
	c := newConsole(t, 24, 100, "connect", "tcp://"+s.sb.Addr("hello").String())
	c.await(`Hello client!`)
	s.do("kick", s.await(1, "--live")[0].ID.Short())
	c.await(`^\r\nswitchboard: the connection ended: dialling again in 1s\r\n`)
	c.await(`Hello client!`)
}
