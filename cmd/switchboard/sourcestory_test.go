package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
)

// threeEnds is a server whose source is "switchboard source".
func threeEnds(t *testing.T, args ...string) (*station, *program) {
	t.Helper()
	p, addr := sourcing(t, args...)
	s := &station{t: t, conf: switchboard.Config{Data: t.TempDir(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Sources: []switchboard.SourceConfig{{Name: "demo", Kinds: map[string]string{"ssh": addr}}}}}
	s.start()
	return s, p
}

func TestTheThreeEndsInOneMinute(t *testing.T) {
	s, source := threeEnds(t)
	watching := start(t, s.with("watch", "ssh:demo")...)
	watching.out.until("你好")
	id := s.await(1, "--live")[0].ID
	if said := s.do("kick", "ssh:demo", "--reason", "enough"); !strings.Contains(said, "会话已结束！ (code 3") {
		t.Errorf("the kick was answered %q", said)
	}
	source.out.until("kicks demo (code 3)")
	watching.out.until("kicked by admin: enough")
	watching.exit()
	sum := s.await(1, "--recorded", "--cause", string(session.Kicked))[0]
	if sum.ID != id || sum.Name != "ssh:demo" || sum.Code != 3 || sum.By != "admin" {
		t.Errorf("the record says %+v", sum)
	}
	if out := s.do("screen", string(id)); !strings.Contains(out, "A source of Switchboard") {
		t.Errorf("its screen was %q", out)
	}
	if said := s.refuses("watch", "ssh:nothing"); !strings.Contains(said, "会话已结束！") {
		t.Errorf("what is not there was answered %q", said)
	}
}

func TestTheExampleOfSourcesIsWhatSourceSaysOfItself(t *testing.T) {
	conf, err := switchboard.LoadConfig(filepath.Join("..", "..", "examples", "sources.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	kind, addr := "", ""
	for kind, addr = range conf.Sources[0].Kinds {
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	help := regexp.MustCompile(`\(` + regexp.QuoteMeta("`"+addr+"`") + `\)`)
	if _, _, err := net.SplitHostPort(addr); err != nil || kind != "ssh" || !help.Match(text) {
		t.Errorf("the example has %s at %s: %v", kind, addr, err)
	}
}
