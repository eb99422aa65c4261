package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

func TestSessionsAreListedLiveAndRecorded(t *testing.T) {
	s := open(t)
	if out := s.do("ls", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("no sessions: got %q, want an empty array", out)
	}
	recorded := s.spoken("one\n")
	live := s.dial("hello", "Hello client!")
	list := s.await(2)
	if list[0].State != session.Live || list[0].Cause != "" || list[0].Listener != "hello" ||
		list[0].Remote != live.LocalAddr().String() {
		t.Errorf("the live one comes first: got %+v", list[0])
	}
	past := list[1]
	if past.ID != recorded || past.Cause != session.HungUp || past.ReceivedBytes != 4 || past.SentBytes != 10 {
		t.Errorf("the recorded one: got %+v", past)
	}
	var fields []map[string]any
	if err := json.Unmarshal([]byte(s.do("ls", "--json")), &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "listener", "name", "remote", "state", "cause"} {
		for i := range fields {
			if _, there := fields[i][name]; !there {
				t.Errorf("session %d has no %q: %v", i, name, fields[i])
			}
		}
	}
	for _, c := range []struct {
		args []string
		n    int
	}{
		{[]string{"--live"}, 1}, {[]string{"--recorded"}, 1},
		{[]string{"--listener", "echo"}, 1}, {[]string{"--listener", "ech"}, 0},
		{[]string{"--transport", "udp"}, 0}, {[]string{"--transport", "tcp"}, 2}, {[]string{"--cause", "hung up"}, 1},
		{[]string{"--cause", "kicked"}, 0}, {[]string{"--remote", "127.0.0.1"}, 2}, {[]string{"--name", "nobody"}, 0},
		{[]string{"--since", "1h"}, 2}, {[]string{"--until", "1h"}, 0}, {[]string{"--limit", "1"}, 1},
	} {
		if list := s.list(c.args...); len(list) != c.n {
			t.Errorf("ls %q: got %d sessions, want %d", c.args, len(list), c.n)
		}
	}
}

func TestATableInAPipeIsPlainAndWhole(t *testing.T) {
	s := open(t)
	id := s.spoken("one\n")
	lines := strings.Split(s.do("ls"), "\n")
	if !strings.HasPrefix(lines[0], "ID            STATE    NAME") || strings.ContainsAny(lines[0], "\t\x1b") {
		t.Errorf("titles: got %q", lines[0])
	}
	want := regexp.MustCompile(`^` + id.Short() +
		` +hung up +echo +127\.0\.0\.1:\d+ +\d+m?s ago +\d+m?s +4 B +10 B +\d+$`)
	if !want.MatchString(lines[1]) {
		t.Errorf("row: got %q, want %s", lines[1], want)
	}
}

func TestAWatcherThatJoinsLateSeesAllOnceInOrder(t *testing.T) {
	s := open(t)
	c := s.dial("echo", "Hello\n")
	for i := range 100 {
		word := fmt.Sprintf("before %d\n", i)
		io.WriteString(c, word)
		s.expect(c, word)
	}
	id := s.await(1)[0].ID
	text := start(t, s.with("watch", id.Short())...)
	raw := start(t, s.with("watch", "--raw", "--direction", "received", id.Short())...)
	events := start(t, s.with("watch", "--json", string(id))...)
	late := start(t, s.with("watch", "--from", "now", id.Short())...)
	text.out.until(`"before 99\n"`)
	s.awaitWatchers(id, 4)
	for i := range 100 {
		word := fmt.Sprintf("after %d\n", i)
		io.WriteString(c, word)
		s.expect(c, word)
	}
	c.Close()
	var want strings.Builder
	for _, when := range []string{"before", "after"} {
		for i := range 100 {
			fmt.Fprintf(&want, "%s %d\n", when, i)
		}
	}
	if got := raw.out.rest(); got != want.String() {
		t.Errorf("--raw: got %q", got)
	}
	number := uint64(0)
	for line := range strings.Lines(events.out.rest()) {
		var ev session.Event
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatalf("--json: %v in %q", err, line)
		}
		if number++; ev.Number != number {
			t.Fatalf("--json: got event %d, want %d", ev.Number, number)
		}
	}
	got := text.out.rest()
	for i := range 100 {
		for _, arrow := range []string{"← received", "→ sent    "} {
			if line := fmt.Sprintf("%s  \"after %d\\n\"\n", arrow, i); strings.Count(got, line) != 1 {
				t.Errorf("%q is there %d times, want once", line, strings.Count(got, line))
			}
		}
	}
	if !strings.HasSuffix(got, "· closed    hung up\n") {
		t.Errorf("the last line says how it ended, got %q", got[max(0, len(got)-100):])
	}
	if got := late.out.rest(); strings.Contains(got, "before") || !strings.Contains(got, `"after 0\n"`) {
		t.Errorf("--from now: got %q", got)
	}
	for _, p := range []*program{text, raw, events, late} {
		if code := p.exit(); code != exitOK {
			t.Errorf("got exit code %d, want %d", code, exitOK)
		}
	}
}

func TestCtrlCEndsAWatchWithoutComplaint(t *testing.T) {
	s := open(t)
	s.dial("hello", "Hello client!")
	p := start(t, s.with("watch", string(s.await(1)[0].ID))...)
	p.out.until("Hello client!")
	p.stop()
	if code, said := p.exit(), p.err.rest(); code != exitOK || said != "" {
		t.Errorf("got exit code %d, %q", code, said)
	}
}

func TestAWatchOutlivesTheServer(t *testing.T) {
	s := open(t)
	c := s.dial("echo", "Hello\n")
	io.WriteString(c, "before the stop\n")
	s.expect(c, "before the stop\n")
	p := start(t, s.with("watch", string(s.await(1)[0].ID))...)
	p.out.until(`→ sent      "before the stop\n"`)
	if err := s.sb.Close(); err != nil {
		t.Fatal(err)
	}
	s.start()
	if got := p.out.rest(); strings.Contains(got, "before") || !strings.HasSuffix(got, "· closed    shutdown\n") {
		t.Errorf("after the restart: got %q", got)
	}
	if code := p.exit(); code != exitOK {
		t.Errorf("got exit code %d, want %d", code, exitOK)
	}
}
