package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

const nightCast = `{"version": 2, "width": 40, "height": 5}
[0.0, "o", "hello \u001b[31m阀门\u001b[m"]
[0.0, "i", "x"]
`

// sourced is a server that has "switchboard source" as its source plant, with the session night, and nobody at its kind vnc.
func sourced(t *testing.T) (s *station, source *program) {
	t.Helper()
	source, addr := sourcing(t, "--again", "1ms", cast(t, "night.cast", nightCast))
	nobody, _ := deafPort(t)
	s = &station{t: t, conf: switchboard.Config{Data: t.TempDir(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Listeners: []switchboard.ListenerConfig{{Name: "echo", Listen: "tcp://127.0.0.1:0", Service: "echo"}},
		Sources:   []switchboard.SourceConfig{{Name: "plant", Kinds: map[string]string{"ssh": addr, "vnc": nobody}}}}}
	s.start()
	return s, source
}

func TestSourcesAreListedByKind(t *testing.T) {
	s, _ := sourced(t)
	lines := strings.Split(s.do("sources"), "\n")
	if len(lines) != 4 || !regexp.MustCompile(`^SOURCE +KIND +ADDRESS +STATE +SINCE +SESSIONS +LAST ERROR$`).MatchString(lines[0]) ||
		!regexp.MustCompile(`^plant +ssh +127\.0\.0\.1:\d+ +untried +0$`).MatchString(strings.TrimSpace(lines[1])) {
		t.Errorf("got %q", lines)
	}
	s.do("screen", "ssh:night")
	s.refuses("watch", "vnc:1")
	var list []threeend.SourceStatus
	if err := json.Unmarshal([]byte(s.do("sources", "--json")), &list); err != nil || len(list) != 1 || len(list[0].Kinds) != 2 ||
		list[0].Opened != 1 || list[0].Kinds[0].State != threeend.Reachable || list[0].Kinds[1].State != threeend.Unreachable {
		t.Errorf("--json: %+v, %v", list, err)
	}
	if lines := strings.Split(s.do("sources"), "\n"); !strings.Contains(lines[2], "unreachable") || !strings.Contains(lines[2], "refused") {
		t.Errorf("got %q", lines)
	}
	plain := open(t)
	code, out, said := runOnce(t, plain.with("sources")...)
	if code != exitOK || out != "" || !strings.Contains(said, "there are no sources") {
		t.Errorf("without any: %d, %q, %q", code, out, said)
	}
	if out := plain.do("sources", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("without any, --json: %q", out)
	}
}

func TestASourcesSessionIsWatchedByItsNameUntilItIsKicked(t *testing.T) {
	s, source := sourced(t)
	watcher := start(t, s.with("watch", "ssh:night")...)
	watcher.out.until("hello")
	again := start(t, s.with("watch", "--json", "plant/ssh:night")...)
	again.out.until("hello")
	if list := s.list("--live"); len(list) != 1 || list[0].Name != "ssh:night" || list[0].Terminal != "40x5" {
		t.Errorf("live are %+v", list)
	}
	const kicked = "会话已结束！ (code 3: the session was ended by a kick)\n"
	if out := s.do("kick", "--reason", "tea", "ssh:night"); out != "ssh:night: "+kicked {
		t.Errorf("kick says %q", out)
	}
	if said := watcher.err.until("code"); said != "switchboard: ssh:night: "+kicked {
		t.Errorf("watch says %q", said)
	}
	if out := watcher.out.rest(); !strings.Contains(out, "closed    kicked by admin: tea") {
		t.Errorf("watch ends with %q", out)
	}
	var last session.Event
	for line := range strings.Lines(again.out.rest()) {
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatal(err)
		}
	}
	var end session.End
	if json.Unmarshal(last.Data, &end) != nil || end.Code != 3 || end.By != "admin" {
		t.Errorf("--json ends with %s", last.Data)
	}
	if a, b := watcher.exit(), again.exit(); a != exitOK || b != exitOK {
		t.Errorf("the exit codes are %d and %d", a, b)
	}
	source.out.until("begins anew")
	gone := start(t, s.with("watch", "ssh:night")...)
	gone.out.until("hello")
	gone.stop()
	if code := gone.exit(); code != exitOK {
		t.Errorf("left by Ctrl-C: exit code %d", code)
	}
	source.out.until("leaves night")
	if list := s.await(0, "--live"); len(list) != 0 {
		t.Errorf("live are %+v", list)
	}
}

func TestAKickByIdTellsWhatTheSourceSaid(t *testing.T) {
	s, _ := sourced(t)
	watcher := start(t, s.with("watch", "ssh:night")...)
	watcher.out.until("hello")
	id := s.await(1, "--live")[0].ID
	if out := s.do("kick", id.Short()); out != string(id)+": 会话已结束！ (code 3: the session was ended by a kick)\n" {
		t.Errorf("kick says %q", out)
	}
	watcher.exit()
	if out := s.do("kick", "ssh:nobody"); out != "ssh:nobody: 会话已结束！ (code 5: the session is over, or there is no such session)\n" {
		t.Errorf("kick of what there is not says %q", out)
	}
}

func TestTheScreenOfASourcesSessionIsShownByItsName(t *testing.T) {
	s, _ := sourced(t)
	if out := s.do("screen", "ssh:night"); !strings.HasPrefix(out, "hello 阀门\n") || strings.Count(out, "\n") != 5 {
		t.Errorf("got %q", out)
	}
}

func TestWhatASourceDoesNotShowIsSaidWithItsCode(t *testing.T) {
	s, _ := sourced(t)
	for args, says := range map[string]string{
		"watch ssh:nobody":     "会话已结束！ (code 5): plant/ssh:nobody: the session is over, or there is no such session",
		"screen ssh:nobody":    "会话已结束！ (code 5): plant/ssh:nobody",
		"watch vnc:1":          "会话已结束！ (code 5): plant/vnc:1",
		"kick vnc:1":           "会话已结束！ (code 5): plant/vnc:1",
		"watch rdp:1":          "ssh",
		"kick rdp:1 ssh:night": "ssh",
	} {
		if said := s.refuses(strings.Fields(args)...); !strings.Contains(said, says) {
			t.Errorf("%s says %q; want %q", args, said, says)
		}
	}
}

func TestWhereANameIsNotEnoughTheIdIsAskedFor(t *testing.T) {
	s, _ := sourced(t)
	for args, says := range map[string]string{
		"export ssh:night": "switchboard ls --name ssh:night", "play plant/ssh:night": "switchboard ls --name ssh:night",
		"pin ssh:night": "give the id", "rm ssh:night": "give the id", "notes ssh:night": "give the id", "find ssh:night x": "give the id",
		"send ssh:night x": "nothing can be sent", "watch ssh:": "KIND:ID", "kick /ssh:1": "KIND:ID", "join --watch-only :": "terminal",
	} {
		code, out, said := runOnce(t, s.with(strings.Fields(args)...)...)
		if code != exitUsage || out != "" || !strings.Contains(said, says) || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: %d, %q, %q; want %q", args, code, out, said, says)
		}
	}
}
