package engine_test

import (
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

func TestPagesOfTheOriginsThatAreNamedMayConnect(t *testing.T) {
	list := []string{"https://example.org", "http://127.0.0.1:*", "http://[::1]:*", "https://*.example.net",
		"http://port.example:8080"}
	for _, c := range []struct {
		origins []string
		origin  string
		want    bool
	}{
		{list, "", true},
		{list, "SELF", true},
		{list, "https://example.org", true},
		{list, "https://EXAMPLE.org", true},
		{list, "https://example.org:443", true},
		{list, "http://example.org", false},
		{list, "https://example.org:444", false},
		{list, "https://example.org.evil.example", false},
		{list, "https://evil-example.org", false},
		{list, "http://127.0.0.1", true},
		{list, "http://127.0.0.1:5173", true},
		{list, "http://[::1]:99", true},
		{list, "http://127.0.0.2:1", false},
		{list, "https://a.example.net", true},
		{list, "https://a.b.example.net", true},
		{list, "https://example.net", false},
		{list, "https://aexample.net", false},
		{list, "http://port.example:8080", true},
		{list, "http://port.example", false},
		{list, "null", false},
		{nil, "https://example.org", false},
		{[]string{"*"}, "https://example.org", true},
		{[]string{"*"}, "null", true},
	} {
		h := newHouse(t, options{Options: engine.Options{Origins: c.origins}})
		origin := c.origin
		if origin == "SELF" {
			origin = h.web.URL
		}
		var header []string
		if origin != "" {
			header = []string{"Origin", origin}
		}
		a := h.ask("GET", h.url(4, "polling", ""), "", header...)
		if (a.status == 200) != c.want {
			t.Errorf("origin %q: got %d, want it to be let in: %v", c.origin, a.status, c.want)
		}
		want := ""
		if c.want && origin != "" && origin != h.web.URL {
			want = origin
		}
		if got := a.header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("origin %q: got Access-Control-Allow-Origin %q, want %q", c.origin, got, want)
		}
	}
}

func TestCookiesAreForOriginsThatAreNamed(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{Origins: []string{"*", "https://example.org"}, Credentials: true}})
	for origin, want := range map[string]string{"https://example.org": "true", "https://other.example": ""} {
		a := h.ask("GET", h.url(4, "polling", ""), "", "Origin", origin)
		if got := a.header.Get("Access-Control-Allow-Credentials"); a.status != 200 || got != want {
			t.Errorf("origin %s: got %d, credentials %q, want 200, %q", origin, a.status, got, want)
		}
	}
}

func TestAPreflightIsAnswered(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{Origins: []string{"https://example.org"}, Credentials: true}})
	a := h.ask("OPTIONS", h.url(4, "polling", "&sid=x"), "", "Origin", "https://example.org",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-mine")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      "https://example.org",
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "GET, POST",
		"Access-Control-Allow-Headers":     "x-mine",
		"Vary":                             "Origin",
	} {
		if got := a.header.Get(name); a.status != 204 || got != want {
			t.Errorf("%s: got %d, %q, want 204, %q", name, a.status, got, want)
		}
	}
	if a := h.ask("OPTIONS", h.url(4, "polling", ""), "", "Origin", "https://other.example"); a.status != 403 {
		t.Errorf("another origin: got %d, want 403", a.status)
	}
}

func TestAnOriginThatCannotBeIsNamed(t *testing.T) {
	for _, s := range []string{"", "example.org", "https://", "https://example.org/", "https://*",
		"https://a.*.example.org", "https://*example.org", "https://example.org:port", "https://*."} {
		if err := engine.CheckOrigin(s); err == nil || !strings.Contains(err.Error(), "must be as") {
			t.Errorf("%q: got %v, want an error that says what would be right", s, err)
		}
	}
	for _, s := range []string{"*", "https://example.org", "http://localhost:*", "https://*.example.org:8443",
		"http://[::1]:80"} {
		if err := engine.CheckOrigin(s); err != nil {
			t.Errorf("%q: got %v, want no error", s, err)
		}
	}
}
