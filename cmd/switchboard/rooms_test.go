package main

import (
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

// awaitMembers waits until so many are in a room.
func (s *station) awaitMembers(name string, n int) (r web.Room) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		if err := json.Unmarshal([]byte(s.do("rooms", "--json", name)), &r); err != nil {
			s.t.Fatal(err)
		}
		if r.Members == n && len(r.Present) == n {
			return r
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("in the room %s are %+v; want %d", name, r, n)
		}
	}
}

func TestRoomsAndTheirMembersAreListed(t *testing.T) {
	s := open(t)
	code, out, said := runOnce(t, s.with("rooms", "chat")...)
	if code != exitOK || out != "" || said != "switchboard: nobody is in the room chat\n" {
		t.Errorf("an empty room: got exit code %d, %q, %q", code, out, said)
	}
	c := s.dial("chat", "")
	r := s.awaitMembers("chat", 1)
	io.WriteString(c, "one\n")
	s.expect(c, "one\n")
	table := regexp.MustCompile("^NAME  MEMBERS  MESSAGES  FORMAT  RECORDING\n" +
		`chat        1         1  text    [0-9a-z]{12}\s$`)
	if got := s.do("rooms"); !table.MatchString(got) {
		t.Errorf("rooms: got\n%s", got)
	}
	var list []room.Status
	err := json.Unmarshal([]byte(s.do("rooms", "--json")), &list)
	if err != nil || len(list) != 1 || list[0].Name != "chat" || list[0].Members != 1 || list[0].Offset != 1 ||
		list[0].Epoch == "" || list[0].Session != r.Session {
		t.Errorf("rooms --json: got %+v, %v", list, err)
	}
	members := s.do("rooms", "chat")
	for _, want := range []string{"SESSION", "REMOTE", r.Present[0].Session.Short(), "tcp", c.LocalAddr().String(), " ago"} {
		if !strings.Contains(members, want) {
			t.Errorf("rooms chat lacks %q:\n%s", want, members)
		}
	}
	c.Close()
	s.awaitMembers("chat", 0)
}

func TestWhatIsSaidReachesTheMembersOfTheRoom(t *testing.T) {
	s := open(t)
	c := s.dial("chat", "")
	s.awaitMembers("chat", 1)
	for _, step := range []struct {
		args []string
		got  string // by the member
		out  string
	}{
		{[]string{"plain 中文"}, "plain 中文", "12 bytes said to chat\n"},
		{[]string{"-e", `a\r\n\x00`}, "a\r\n\x00", "4 bytes said to chat\n"},
		{[]string{"--hex", "ff 00 0a"}, "\xff\x00\n", "3 bytes said to chat\n"},
		{[]string{"--event", "message", `"<hello>"`, `{"and":1}`}, "<hello>\n", "event message said to chat\n"},
		{[]string{"--event", "player moved", `{"x": 1}`}, "{\"x\": 1}\n", "event player moved said to chat\n"},
		{[]string{"--event", "begins"}, "", "event begins said to chat\n"},
	} {
		if out := s.do(append([]string{"say", "chat"}, step.args...)...); out != step.out {
			t.Errorf("say %q: got %q, want %q", step.args, out, step.out)
		}
		s.expect(c, step.got)
	}
	if said := s.refuses("say", "chta", "x"); !strings.Contains(said, `choose one of "chat"`) {
		t.Errorf("a room that there is not: got %q", said)
	}
	if said := s.refuses("rooms", "a/b"); !strings.Contains(said, `"a/b": choose one of "chat"`) {
		t.Errorf("a name with a slash: got %q", said)
	}
}

func TestLinesOfTheStandardInputAreSaidAsTheyCome(t *testing.T) {
	s := open(t)
	c := s.dial("chat", "")
	s.awaitMembers("chat", 1)
	p := start(t, s.with("say", "chat", "-")...)
	for _, line := range []string{"one\n", "two\r\n"} {
		io.WriteString(p.in, line)
		s.expect(c, line)
	}
	io.WriteString(p.in, "last")
	p.in.Close()
	s.expect(c, "last")
	if got, want := p.out.next(), "13 bytes said to chat\n"; got != want {
		t.Errorf("at the end: got %q, want %q", got, want)
	}
	if r := s.awaitMembers("chat", 1); r.Offset != 3 {
		t.Errorf("%d messages; want one for each line, 3", r.Offset)
	}
}

func TestARoomsFormatIsSaidInAWord(t *testing.T) {
	for want, m := range map[string]session.Mapping{
		"text":                 {Format: session.FormatText, Event: session.DefaultEvent},
		"base64":               {Format: session.FormatBase64},
		"json as move":         {Format: session.FormatJSON, Event: "move"},
		"text as message.text": {Format: session.FormatText, Field: "text"},
		`text as \x1b`:         {Format: session.FormatText, Event: "\x1b"},
	} {
		if got := describeMapping(m); got != want {
			t.Errorf("%+v: got %q, want %q", m, got, want)
		}
	}
}
