package switchboard_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/auth"
)

// node runs what conf says, and returns what it logs.
func node(t *testing.T, conf switchboard.Config) (*switchboard.Switchboard, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer // not read before the node is closed
	sb, err := switchboard.New(conf, switchboard.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb, &log
}

// person is somebody's browser.
type person struct {
	t      *testing.T
	client http.Client
}

func newPerson(t *testing.T) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t, http.Client{Jar: jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}}
}

func (p *person) ask(method, url, body string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// open does what the page does with a link, and returns the status of the answer.
func (p *person) open(link string) int {
	p.t.Helper()
	base, code, found := strings.Cut(link, "/#code=")
	if !found {
		p.t.Fatalf("no link: %q", link)
	}
	status, _ := p.ask("POST", base+"/api/v1/login", fmt.Sprintf(`{"code":%q}`, code))
	return status
}

// name is who the server takes the person for, "" if for nobody.
func (p *person) name(sb *switchboard.Switchboard) string {
	p.t.Helper()
	_, body := p.ask("GET", sb.URL()+"/api/v1/me", "")
	var me struct{ Name string }
	if err := json.Unmarshal([]byte(body), &me); err != nil {
		p.t.Fatalf("%v in %s", err, body)
	}
	return me.Name
}

func TestTheConsolesLinkSignsInOnceAndTheLogDoesNotShowIt(t *testing.T) {
	sb, log := node(t, switchboard.Config{Data: t.TempDir(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"}})
	link, p := sb.ConsoleLink(), newPerson(t)
	if !strings.HasPrefix(link, sb.URL()+"/#code=") {
		t.Errorf("the link is %q; want it at %s", link, sb.URL())
	}
	if status := p.open(link); status != http.StatusOK || p.name(sb) != "admin" {
		t.Errorf("the link: %d, signed in as %q; want admin", status, p.name(sb))
	}
	if status := newPerson(t).open(link); status != http.StatusUnauthorized {
		t.Errorf("the second time: %d; want 401", status)
	}
	if status, page := p.ask("GET", sb.URL()+"/", ""); status != http.StatusOK || !strings.Contains(page, "<title>") {
		t.Errorf("the page: %d %.200q", status, page)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(link, "code=")
	if strings.Contains(log.String(), code) {
		t.Errorf("the log has the code:\n%s", log)
	}
}

func TestWhoIsSignedInStaysSoWhenTheServerIsStartedAgain(t *testing.T) {
	conf := switchboard.Config{Data: t.TempDir(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"}}
	sb, _ := node(t, conf)
	p := newPerson(t)
	p.open(sb.ConsoleLink())
	unused := sb.ConsoleLink()
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	again, _ := node(t, conf)
	if got := p.name(again); got != "admin" { // cookies do not tell ports apart
		t.Errorf("after a restart: %q; want admin", got)
	}
	if status := newPerson(t).open(strings.Replace(unused, sb.URL(), again.URL(), 1)); status != http.StatusUnauthorized {
		t.Errorf("a link from before: %d; want 401", status)
	}
	other, _ := node(t, switchboard.Config{Data: t.TempDir(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"}})
	if got := p.name(other); got != "" {
		t.Errorf("at another server of the machine: %q; want nobody", got)
	}
	if p.open(other.ConsoleLink()); p.name(other) != "admin" || p.name(again) != "admin" {
		t.Errorf("signed in at both: %q, %q; want admin at each", p.name(other), p.name(again))
	}
}

func TestAReloadTakesATokenAndItsCookiesAway(t *testing.T) {
	conf := switchboard.Config{Data: t.TempDir(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0", Tokens: []switchboard.TokenConfig{
		{Name: "ann", Role: "operator", SHA256: auth.Hash("ann's token")}}}}
	sb, _ := node(t, conf)
	admin, ann := newPerson(t), newPerson(t)
	admin.open(sb.ConsoleLink())
	ann.ask("POST", sb.URL()+"/api/v1/login", `{"token":"ann's token"}`)
	if got := ann.name(sb); got != "ann" {
		t.Fatalf("signed in as %q; want ann", got)
	}
	conf.HTTP.Tokens = []switchboard.TokenConfig{{Name: "bob", Role: "viewer", SHA256: auth.Hash("bob's token")}}
	if err := sb.Reload(conf); err != nil {
		t.Fatal(err)
	}
	if got := ann.name(sb); got != "" {
		t.Errorf("without her token: %q; want nobody", got)
	}
	if status, body := ann.ask("POST", sb.URL()+"/api/v1/login", `{"token":"bob's token"}`); status != http.StatusOK {
		t.Errorf("a new token: %d %s", status, body)
	}
	if got := admin.name(sb); got != "admin" {
		t.Errorf("the administrator is %q", got)
	}
}

func TestOverTLSTheLinkIsOfTLSAndTheCookieTakesNoOtherWay(t *testing.T) {
	sb, _ := node(t, switchboard.Config{Data: t.TempDir(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0", TLS: certificate(t)}})
	p := newPerson(t)
	if status := p.open(sb.ConsoleLink()); status != http.StatusOK || p.name(sb) != "admin" {
		t.Errorf("the link: %d, signed in as %q; want admin", status, p.name(sb))
	}
	resp, err := p.client.Post(sb.URL()+"/api/v1/login", "", strings.NewReader(fmt.Sprintf(`{"code":%q}`, strings.SplitN(sb.ConsoleLink(), "=", 2)[1])))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if c := resp.Header.Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-switchboard-") || !strings.Contains(c, "; Secure") {
		t.Errorf("the cookie: %q", c)
	}
}

func TestWithoutAConsoleItsPathsAreFree(t *testing.T) {
	off := false
	sb, _ := node(t, switchboard.Config{Data: t.TempDir(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0", Console: &off},
		Listeners: []switchboard.ListenerConfig{{Name: "root", Listen: "ws://127.0.0.1:0/", Service: "echo", Reply: "plain"}}})
	if link := sb.ConsoleLink(); link != "" {
		t.Errorf("a link to no console: %q", link)
	}
	s := mustWebsocket(t, sb, "/")
	s.say("x")
	if got := s.hear(); got != "x" {
		t.Errorf("the listener answers %q", got)
	}
}
