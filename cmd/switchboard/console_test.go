package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/auth"
)

// signIn does what the console's page does with a link, and returns who is signed in then; "" if the code is not known.
func signIn(t *testing.T, link string) (name string) {
	t.Helper()
	base, code, found := strings.Cut(strings.TrimSpace(link), "/#code=")
	if !found {
		t.Fatalf("no link: %q", link)
	}
	resp, err := http.Post(base+"/api/v1/login", "application/json", strings.NewReader(fmt.Sprintf(`{"code":%q}`, code)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var who struct{ Name string }
	if err := json.NewDecoder(resp.Body).Decode(&who); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK && resp.Header.Get("Set-Cookie") == "" {
		t.Error("no cookie came")
	}
	return who.Name
}

func TestConsolePrintsALinkThatSignsInOnce(t *testing.T) {
	s := open(t)
	link := s.do("console")
	if !strings.HasPrefix(link, s.sb.URL()+"/#code=") || strings.Count(link, "\n") != 1 {
		t.Errorf("got %q; want one line, at %s", link, s.sb.URL())
	}
	for i, want := range []string{"admin", ""} {
		if got := signIn(t, link); got != want {
			t.Errorf("time %d: signed in as %q; want %q", i+1, got, want)
		}
	}
	if again := s.do("console"); again == link {
		t.Errorf("twice the same: %q", link)
	}
}

func TestTheLinkIsAtTheAddressByWhichTheServerWasFoundAndOfTheTokensHolder(t *testing.T) {
	s := open(t)
	s.conf.HTTP.Tokens = []switchboard.TokenConfig{{Name: "ann", Role: "viewer", SHA256: auth.Hash("ann's token")}}
	if err := s.sb.Reload(s.conf); err != nil {
		t.Fatal(err)
	}
	server := strings.Replace(s.sb.URL(), "127.0.0.1", "localhost", 1)
	code, out, said := runOnce(t, "console", "--server", server, "--token", "ann's token")
	if code != exitOK || !strings.HasPrefix(out, server+"/#code=") {
		t.Fatalf("got exit code %d, %q, %q", code, out, said)
	}
	if got := signIn(t, out); got != "ann" {
		t.Errorf("signed in as %q; want ann", got)
	}
}

func TestWhereThereIsNoConsoleThatIsSaid(t *testing.T) {
	s := open(t)
	if err := s.sb.Close(); err != nil {
		t.Fatal(err)
	}
	off := false
	s.conf.HTTP.Console = &off
	s.start()
	if said := s.refuses("console"); !strings.Contains(said, "http.console: false") {
		t.Errorf("got %q", said)
	}
}

func TestOnATerminalConsoleSaysHowLongTheLinkIsGood(t *testing.T) {
	s := open(t)
	newConsole(t, 24, 100, s.with("console")...).await(`/#code=[\w-]{22}\r?\nswitchboard: it signs in once, until \d\d:\d\d`)
}

func TestServePrintsALinkToTheConsoleAndDoesNotLogIt(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "line.yaml")
	writeFile(t, file, "http: {listen: '127.0.0.1:0'}\n")
	p := start(t, "serve", "--config", file, "--data", filepath.Join(dir, "data"), "--log-level", "debug")
	p.out.until("none: the configuration has no listeners")
	p.out.until("\n")
	line := p.out.next()
	link, found := strings.CutPrefix(line, "Console      ")
	if !found {
		t.Fatalf("the first line behind the listeners is %q; want the console's", line)
	}
	if next := p.out.next(); !strings.HasPrefix(next, "REST         http://") {
		t.Errorf("then comes %q; want REST", next)
	}
	for i, want := range []string{"admin", ""} {
		if got := signIn(t, link); got != want {
			t.Errorf("time %d: signed in as %q; want %q", i+1, got, want)
		}
	}
	p.stop()
	_, code, _ := strings.Cut(strings.TrimSpace(link), "#code=")
	if log := p.err.rest(); strings.Contains(log, code) || !strings.Contains(log, "signed in") {
		t.Errorf("the log should have the sign-in, and not its code:\n%s", log)
	}
	if got := p.exit(); got != exitOK {
		t.Errorf("exit code %d", got)
	}
}

func TestServeWithoutAConsolePrintsNoLink(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "line.yaml")
	writeFile(t, file, "http: {listen: '127.0.0.1:0', console: false}\n")
	p := start(t, "serve", "--config", file, "--data", filepath.Join(dir, "data"))
	p.out.until("Stop with")
	if printed := strings.Join(p.out.seen, ""); strings.Contains(printed, "\nConsole") || strings.Contains(printed, " console") {
		t.Errorf("serve prints\n%s", printed)
	}
	p.stop()
	p.exit()
	if _, out, _ := runOnce(t, "check", file); !strings.Contains(out, "Console      none") {
		t.Errorf("check prints\n%s", out)
	}
}
