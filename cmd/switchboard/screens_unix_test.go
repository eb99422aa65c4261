//go:build linux || darwin

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

func TestATerminalSessionIsShownFromItsScreen(t *testing.T) {
	s := open(t)
	r := s.running("--", "sh", "-c", `printf 'first\033[2J\033[3;5H\033[1mmenu\r\n'; read a; echo "<$a>"; read b; echo "last $b"`)
	r.await("menu")
	id := string(s.list("--live")[0].ID)
	for !strings.Contains(s.do("screen", id), "menu") { // the one at the program is shown it first
	}
	if got := s.do("screen", id); !strings.HasPrefix(got, "\n\n    menu\n\n") {
		t.Errorf("screen: %q", got)
	}
	var shown struct {
		Text []string `json:"rows_text"`
		Data []byte
	}
	if err := json.Unmarshal([]byte(s.do("screen", id, "--format", "json")), &shown); err != nil || shown.Text[2] != "    menu" {
		t.Errorf("as json: %+v, %v", shown, err)
	}
	if got := s.do("screen", id, "--format", "ansi"); got != string(shown.Data) || !strings.HasPrefix(got, "\x1bc") {
		t.Errorf("as ansi: %q; want %q", got, shown.Data)
	}
	w := newConsole(t, 24, 80, s.with("watch", "--raw", id)...)
	if seen := w.await("menu"); strings.Contains(seen, "first") || !strings.Contains(seen, "\x1bc") {
		t.Errorf("who watches raw sees %q; want the screen alone", seen)
	}
	r.press("on\r")
	w.await("<on>")
	r.press("word\r")
	r.exit()
	w.await("last word")
	if code := w.exit(); code != 0 {
		t.Errorf("watch ended with exit code %d", code)
	}
	s.await(1, "--recorded")
	last := uint64(0)
	for line := range strings.Lines(s.do("export", id, "--format", "jsonl")) {
		var e session.Event
		if json.Unmarshal([]byte(line), &e) == nil && e.Kind == session.Sent && strings.Contains(string(e.Data), "last word") {
			last = e.Number
		}
	}
	p := newConsole(t, 24, 80, s.with("play", "--raw", "--speed", "1000", "--from", fmt.Sprintf("#%d", last), id)...)
	if seen := p.await("last word"); strings.Contains(seen, "first") || !strings.Contains(seen, "<on>") || !strings.Contains(seen, "\x1bc") {
		t.Errorf("who plays from the last event sees %q; want the screen before it, and it", seen)
	}
	if code := p.exit(); code != 0 {
		t.Errorf("play ended with exit code %d", code)
	}
	if got := s.do("screen", id, "--at", "0s"); strings.Trim(got, "\n") != "" {
		t.Errorf("at the beginning: %q", got)
	}
	if said := s.refuses("screen", "zzz"); !strings.Contains(said, "no id begins with") {
		t.Errorf("of none: %q", said)
	}
	if code, _, said := runOnce(t, s.with("screen", "--at", "later", id)...); code != exitUsage || !strings.Contains(said, "--at later") {
		t.Errorf("at no time: exit code %d, %q", code, said)
	}
}
