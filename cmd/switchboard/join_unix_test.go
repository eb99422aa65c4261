//go:build linux || darwin

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

func TestSomebodyTypesAlongFromATerminalOfAnotherSize(t *testing.T) {
	s := open(t)
	r := s.running("--", "sh", "-c", `printf '\033[31mready\033[0m\n\033[10;90Hfar\r\n'; read a; echo "<$a>"; read b`)
	r.await("far")
	id := s.list("--live")[0].ID
	c := newConsole(t, 20, 60, s.with("join", string(id))...)
	c.await(`\x1b\[0;31mready`)
	r.await("\x1b\\[22;2t\x1b\\]2;admin types along\a")
	c.press("from afar\r")
	r.await("<from afar>")
	c.await("<from afar>")
	c.press("~.")
	if code := c.exit(); code != 0 {
		t.Errorf("join ended with exit code %d", code)
	}
	r.await("\x1b\\[23;2t")
	r.press("\r")
	r.exit()
	sum := s.await(1, "--recorded")[0]
	if got := s.do("export", string(sum.ID), "--format", "jsonl"); !strings.Contains(got, `"kind":"typed","by":"admin"`) ||
		!strings.Contains(got, `"kind":"watched","value":{"by":"admin","types":true,"left":true}`) {
		t.Errorf("on record is %s", got)
	}
	if got := s.exported(id, "sent"); strings.Contains(got, "admin") {
		t.Errorf("sent: %q", got)
	}
}

func TestWhoOnlyLooksOnTypesNothingAndIsToldOfTheEnd(t *testing.T) {
	s := open(t)
	r := s.running("--announce", "line", "--", "sh", "-c", `echo ready; read a; echo "<$a>"`)
	r.await("ready")
	id := s.list("--live")[0].ID
	c := newConsole(t, 30, 100, s.with("join", "--watch-only", string(id))...)
	c.await("looking on in|ready")
	c.press("not typed\r")
	r.press("typed\r")
	r.await("<typed>")
	c.await(`session \w+ ended: done`)
	if code := c.exit(); code != 0 {
		t.Errorf("join ended with exit code %d", code)
	}
}

func TestTheReasonOfAKickCommandsNoTerminal(t *testing.T) {
	s := open(t)
	r := s.running("--", "sh", "-c", "echo ready; read a")
	r.await("ready")
	id := s.list("--live")[0].ID
	c := newConsole(t, 30, 100, s.with("join", string(id))...)
	c.await("typing along in|ready")
	w := newConsole(t, 30, 100, s.with("watch", "--raw", string(id))...)
	w.await("ready")
	s.do("kick", string(id), "--reason", "\x1b]2;mine\ano")
	for _, c := range []*console{c, w} {
		c.await(`session \w+(-\w+)? ended: kicked by admin: \\x1b\]2;mine\\ano`)
		c.exit()
	}
	r.press("\r")
	r.exit()
}

func TestJoinSaysWhatIsMissing(t *testing.T) {
	s := open(t)
	var out, said bytes.Buffer
	if code := run(t.Context(), s.with("join", "zzz"), strings.NewReader(""), &out, &said); code != 2 ||
		!strings.Contains(said.String(), "needs a terminal") {
		t.Errorf("without a terminal: exit code %d, %q", code, said.String())
	}
	c := newConsole(t, 30, 100, s.with("join", "zzz")...)
	c.await(`no id begins with "zzz"`)
	if code := c.exit(); code != 1 {
		t.Errorf("join ended with exit code %d", code)
	}
}

func TestTheKeysThatLeaveAreThoseOfOtherPrograms(t *testing.T) {
	for _, c := range []struct {
		typed []string
		want  string
		leave bool
	}{
		{[]string{"ls\r"}, "ls\r", false},
		{[]string{"a\x1db"}, "a", true},
		{[]string{"~."}, "", true},
		{[]string{"~", "."}, "", true},
		{[]string{"ls\r", "~."}, "ls\r", true},
		{[]string{"~~."}, "~.", false},
		{[]string{"~a."}, "~a.", false},
		{[]string{"a~.\n~x~."}, "a~.\n~x~.", false},
	} {
		l, got, left := leaver{fresh: true}, "", false
		for _, p := range c.typed {
			typed, leave := l.take([]byte(p))
			got, left = got+string(typed), left || leave
		}
		if got != c.want || left != c.leave {
			t.Errorf("%q: got %q, %v; want %q, %v", c.typed, got, left, c.want, c.leave)
		}
	}
}

// What is drawn, shown by another terminal, is what the session's shows; and where that is larger, the part with the cursor.
func TestTheViewShowsWhatTheTerminalDoes(t *testing.T) {
	data := "\x1b[31;1mred\x1b[0m 中文 \x1b[48;5;99mviolet\x1b[0;4mline\x1b[m\r\n\x1b[7m  \x1b[m \x1b[38;2;1;2;3mrgb\r\n\x1b[5;30Hfar"
	for _, size := range []session.Size{{Cols: 80, Rows: 24}, {Cols: 40, Rows: 6}, {Cols: 20, Rows: 3}, {Cols: 1, Rows: 1}, {Cols: 7, Rows: 5}} {
		var out bytes.Buffer
		v := joinView{out: &out, status: "status"}
		v.begin(session.Size{Cols: 40, Rows: 6}, []byte(data))
		v.resize(size.Cols, size.Rows)
		far := terminal.New(size.Cols, size.Rows)
		look := func() {
			t.Helper()
			out.Reset()
			if err := v.draw(); err != nil {
				t.Fatal(err)
			}
			far.Write(out.Bytes())
			for y := range min(size.Rows, 6) {
				want := map[int]terminal.Cell{}
				for x, c := range v.term.Row(v.top + y) {
					if x >= v.left && x+c.Width <= v.left+size.Cols {
						want[x-v.left] = c
					}
				}
				for x, c := range far.Row(y) {
					w := want[x]
					if x < min(size.Cols, 40-v.left) && strings.TrimSpace(c.Text) != strings.TrimSpace(w.Text) && w.Width > 0 {
						t.Fatalf("%v: at %d,%d is %+v; want %+v", size, x, y, c, w)
					}
					if w.Text != "" && (c.Style != w.Style || c.Foreground != w.Foreground || c.Background != w.Background) {
						t.Fatalf("%v: at %d,%d is %+v; want %+v", size, x, y, c, w)
					}
				}
			}
			x, y, _ := far.Cursor()
			wantX, wantY, _ := v.term.Cursor()
			if x != wantX-v.left || y != wantY-v.top {
				t.Fatalf("%v: the cursor is at %d,%d; want %d,%d less %d,%d", size, x, y, wantX, wantY, v.left, v.top)
			}
		}
		look()
		v.term.Write([]byte("\x1b[H\x1b[2Kx\x1b[3;3Hy"))
		look()
		v.term.Resize(30, 4)
		v.term.Resize(40, 6)
		look()
		if out.Reset(); v.draw() != nil || out.Len() > 0 {
			t.Errorf("%v: nothing has changed, and %q is drawn", size, out.Bytes())
		}
	}
}
