package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/web"
)

// browser has a page of the server open: it keeps cookies, and says where its requests come from.
type browser struct {
	h      *house
	client http.Client
	header http.Header // of every request
}

func (h *house) browser() *browser {
	h.t.Helper()
	jar, err := cookiejar.New(nil)
	check(h.t, err)
	return &browser{h: h, client: http.Client{Jar: jar}, header: http.Header{"Sec-Fetch-Site": {"same-origin"}}}
}

// send makes a request; headers are pairs of name and value, an empty value takes one away.
func (b *browser) send(method, path, body string, headers ...string) *http.Response {
	b.h.t.Helper()
	req, err := http.NewRequestWithContext(b.h.t.Context(), method, b.h.base+path, strings.NewReader(body))
	check(b.h.t, err)
	req.Header = b.header.Clone()
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	resp, err := b.client.Do(req)
	check(b.h.t, err)
	return resp
}

func (b *browser) do(method, path, body string, headers ...string) (int, string) {
	b.h.t.Helper()
	return b.h.read(b.send(method, path, body, headers...))
}

// signIn posts what signs in, and returns the cookie that came.
func (b *browser) signIn(key, value string, headers ...string) *http.Cookie {
	b.h.t.Helper()
	resp := b.send("POST", "/api/v1/login", fmt.Sprintf("{%q:%q}", key, value), headers...)
	status, body := b.h.read(resp)
	if status != http.StatusOK || len(resp.Cookies()) != 1 {
		b.h.t.Fatalf("sign in by %s: %d %s with %d cookies; want 200 and one", key, status, body, len(resp.Cookies()))
	}
	return resp.Cookies()[0]
}

// me is who the server takes the browser for, "" if for nobody.
func (b *browser) me() string {
	b.h.t.Helper()
	status, body := b.do("GET", "/api/v1/me", "")
	if status == http.StatusUnauthorized {
		return ""
	}
	var me struct{ Name, Role string }
	if err := json.Unmarshal([]byte(body), &me); err != nil || status != http.StatusOK {
		b.h.t.Fatalf("me: %d %s", status, body)
	}
	return me.Name + " " + me.Role
}

func TestWhoShowsATokenOnceStaysSignedIn(t *testing.T) {
	h := open(t)
	b := h.browser()
	c := b.signIn("token", "otto\n") // as pasted
	if !strings.HasPrefix(c.Name, "switchboard-") || c.Path != "/" || !c.HttpOnly || c.Secure || c.Domain != "" ||
		c.SameSite != http.SameSiteStrictMode || c.MaxAge != 30*24*60*60 {
		t.Errorf("the cookie is %s", c.Raw)
	}
	if strings.Contains(c.Value, "otto") {
		t.Errorf("the cookie has the token in it: %s", c.Value)
	}
	var me map[string]any
	_, body := b.do("GET", "/api/v1/me", "")
	check(t, json.Unmarshal([]byte(body), &me))
	start, _ := me["start"].(float64)
	delete(me, "start")
	want := map[string]any{"name": "otto", "role": "operator", "node": "n1", "version": "v9", "build": web.Build()}
	if fmt.Sprint(me) != fmt.Sprint(want) || time.Since(time.UnixMicro(int64(start))).Abs() > time.Hour {
		t.Errorf("me: %s; want %v and the server's start", body, want)
	}
	if log := h.log.String(); !strings.Contains(log, "signed in") || !strings.Contains(log, "name=otto") {
		t.Errorf("the log does not say who signed in:\n%s", log)
	}
}

func TestARequestIsLetInByTheCookieAsByTheToken(t *testing.T) {
	h := open(t)
	id := h.call(h.listen("a")).id
	b := h.browser()
	b.signIn("token", "otto")
	for _, c := range []struct {
		method, path, body string
		want               int
	}{{"GET", "/api/v1/sessions", "", 200}, {"HEAD", "/api/v1/sessions", "", 200}, {"GET", "/metrics", "", 200},
		{"DELETE", sessionPath(id, ""), "", 403}, {"POST", sessionPath(id, "/kick"), "", 200}} {
		if status, body := b.do(c.method, c.path, c.body); status != c.want {
			t.Errorf("%s %s: %d %s; want %d", c.method, c.path, status, body, c.want)
		}
	}
	if sum := h.one(id); sum.By != "otto" {
		t.Errorf("the kick is by %q; want otto", sum.By)
	}
}

func TestATokenWinsOverTheCookie(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.signIn("token", "otto")
	for header, want := range map[string]string{"Bearer ada": "ada admin", "bearer vera": "vera viewer", "Bearer wrong": "",
		"Basic YTpi": "otto operator"} { // what a proxy asked for is not for us
		b.header.Set("Authorization", header)
		if got := b.me(); got != want {
			t.Errorf("Authorization: %s: taken for %q; want %q", header, got, want)
		}
	}
}

func TestAForeignPageCannotUseTheCookie(t *testing.T) {
	h := open(t)
	id := h.call(h.listen("a")).id
	b := h.browser()
	b.signIn("token", "otto")
	other := "http://127.0.0.1:1"
	for _, c := range []struct {
		site, origin string
		get, post    int
	}{
		{"same-origin", "", 200, 200}, {"same-origin", h.base, 200, 200}, {"", h.base, 200, 200},
		{"same-origin", other, 200, 200},                              // a proxy that changed the host
		{"", strings.Replace(h.base, "http:", "https:", 1), 200, 200}, // a proxy that speaks TLS
		{"", "", 200, 403}, {"none", "", 200, 403},
		{"cross-site", "", 403, 403}, {"same-site", "", 403, 403}, {"", other, 403, 403}, {"", "null", 403, 403},
		{"same-site", other, 403, 403}, {"", "https://evil.example", 403, 403},
		{"cross-site", h.base, 403, 403}, {"same-site", h.base, 403, 403}, // of the same host, in the clear or by another port
	} {
		headers := []string{"Sec-Fetch-Site", c.site, "Origin", c.origin}
		if status, body := b.do("GET", "/api/v1/sessions", "", headers...); status != c.get {
			t.Errorf("GET, Sec-Fetch-Site %q, Origin %q: %d %s; want %d", c.site, c.origin, status, body, c.get)
		}
		want := c.post
		status, body := b.do("POST", sessionPath(id, "/send"), "x", headers...)
		if status != want || want == 403 && !strings.Contains(body, "Authorization: Bearer") {
			t.Errorf("POST, Sec-Fetch-Site %q, Origin %q: %d %s; want %d", c.site, c.origin, status, body, want)
		}
		headers = append(headers, "Authorization", "Bearer otto")
		if status, body := b.do("POST", sessionPath(id, "/send"), "x", headers...); status != 200 {
			t.Errorf("with a token, Sec-Fetch-Site %q, Origin %q: %d %s; want 200", c.site, c.origin, status, body)
		}
	}
	for _, path := range []string{"/api/v1/login", "/api/v1/logout"} {
		if status, body := b.do("POST", path, `{"token":"vera"}`, "Sec-Fetch-Site", "cross-site"); status != 403 {
			t.Errorf("%s from a foreign page: %d %s; want 403", path, status, body)
		}
	}
	if got := b.me(); got != "otto operator" {
		t.Errorf("in the end the browser is %q", got)
	}
}

func TestACookieOfTheSameNameThatIsWorthNothingDoesNotHideTheOther(t *testing.T) {
	h := open(t)
	b := h.browser()
	c := b.signIn("token", "otto")
	b.client.Jar = nil
	b.header.Set("Cookie", c.Name+"=set by another port of this host; "+c.Name+"="+c.Value)
	if got := b.me(); got != "otto operator" {
		t.Errorf("taken for %q; want otto", got)
	}
}

func TestALinkSignsInOnceAsWhoAskedForIt(t *testing.T) {
	h := open(t)
	vera := h.browser()
	vera.signIn("token", "vera")
	var link struct {
		URL, Code string
		Expires   int64
	}
	status, body := vera.do("POST", "/api/v1/links", "")
	check(t, json.Unmarshal([]byte(body), &link))
	left := time.Until(time.UnixMicro(link.Expires))
	if status != 200 || link.URL != h.base+"/#code="+link.Code || left > 10*time.Minute || left < 9*time.Minute {
		t.Fatalf("a link: %d %s", status, body)
	}
	phone := h.browser()
	phone.signIn("code", link.Code)
	if got := phone.me(); got != "vera viewer" {
		t.Errorf("the link signs in as %q; want vera", got)
	}
	status, body = h.browser().do("POST", "/api/v1/login", fmt.Sprintf(`{"code":%q}`, link.Code))
	if status != 401 || !strings.Contains(body, "switchboard console") {
		t.Errorf("the second time: %d %s; want 401 and what to do", status, body)
	}
	if log := h.log.String(); strings.Contains(log, link.Code) || !strings.Contains(log, "by=vera") {
		t.Errorf("the log should say who made a link, and not which:\n%s", log)
	}
}

func TestTheServersOwnCodeSignsInWithoutAnEnd(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.signIn("code", h.web.Code("ada"))
	if got := b.me(); got != "ada admin" {
		t.Errorf("signed in as %q; want ada", got)
	}
	if code := h.web.Code("nobody"); code != "" {
		t.Errorf("a code for nobody: %q", code)
	}
}

func TestWhatSignsNobodyInSaysSo(t *testing.T) {
	h := open(t)
	h.refused("", "POST", "/api/v1/login", `{"token":"wrong"}`, 401, "signs nobody in")
	h.refused("", "POST", "/api/v1/login", `{"code":"wrong"}`, 401, "signs nobody in")
	for _, body := range []string{"", "{}", "[]", `{"token":""}`, `{"token":"vera","code":"x"}`, `{"name":"vera"}`,
		`{"token":"vera"} {}`, `{"token":5}`} {
		h.refused("", "POST", "/api/v1/login", body, 400, `{"code": "…"} or {"token": "…"}`)
	}
	h.refused("", "GET", "/api/v1/me", "", 401, "switchboard console")
	h.refused("", "POST", "/api/v1/links", "", 401, "Authorization: Bearer")
	h.refused("", "POST", "/api/v1/login", `{"token":"`+strings.Repeat("x", 1<<20)+`"}`, 413, "bytes")
}

func TestWhoFailsOftenIsAskedToWait(t *testing.T) {
	t.Cleanup(web.SetFailurePeriod(time.Hour))
	h := open(t)
	b := h.browser()
	b.signIn("token", "vera")
	for range 10 {
		h.refused("", "POST", "/api/v1/login", `{"token":"wrong"}`, 401, "signs nobody in")
	}
	resp := h.browser().send("POST", "/api/v1/login", `{"token":"vera"}`)
	if status, body := h.read(resp); status != 429 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("after ten failures: %d %s", status, body)
	}
	if got := b.me(); got != "vera viewer" {
		t.Errorf("who is signed in is taken for %q", got)
	}
	if n := strings.Count(h.log.String(), "a sign-in failed"); n != 10 {
		t.Errorf("the log has %d lines of failures; want 10", n)
	}
}

func TestAfterFailuresOneSignsInAgainSoon(t *testing.T) {
	t.Cleanup(web.SetFailurePeriod(time.Nanosecond))
	h := open(t)
	for range 20 {
		h.refused("", "POST", "/api/v1/login", `{"token":"wrong"}`, 401, "signs nobody in")
	}
	h.browser().signIn("token", "vera")
}

func TestSignOutTakesTheCookieAway(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.signIn("token", "ada")
	if status, body := b.do("POST", "/api/v1/logout", ""); status != 200 || body != "{}\n" {
		t.Errorf("sign out: %d %s", status, body)
	}
	if got := b.me(); got != "" {
		t.Errorf("signed out, and taken for %q", got)
	}
	if status, body := b.do("POST", "/api/v1/logout", ""); status != 200 {
		t.Errorf("the second time: %d %s", status, body)
	}
}

func TestATokenThatIsTakenAwayEndsItsCookiesAndLinks(t *testing.T) {
	h := open(t)
	ada, otto := h.browser(), h.browser()
	ada.signIn("token", "ada")
	otto.signIn("token", "otto")
	code := h.web.Code("otto")
	check(t, h.auth.Replace([]auth.Token{{Name: "ada", Role: auth.Viewer, SHA256: auth.Hash("ada")},
		{Name: "otto", Role: auth.Operator, SHA256: auth.Hash("another")}}))
	if got := ada.me(); got != "ada viewer" {
		t.Errorf("ada, who has another role now, is taken for %q", got)
	}
	if got := otto.me(); got != "" {
		t.Errorf("otto, whose token is another now, is taken for %q", got)
	}
	h.refused("", "POST", "/api/v1/login", fmt.Sprintf(`{"code":%q}`, code), 401, "signs nobody in")
}

func TestACookieOutlivesARestartOfTheServer(t *testing.T) {
	before, after := open(t), open(t)
	b := before.browser()
	c := b.signIn("token", "vera")
	b.h = after
	b.client.Jar = nil
	b.header.Set("Cookie", c.Name+"="+c.Value)
	if got := b.me(); got != "vera viewer" {
		t.Errorf("after a restart: taken for %q", got)
	}
	other := open(t, func(o *web.Options) { o.Secret = "another administrator's token" })
	b.h = other
	if got := b.me(); got != "" {
		t.Errorf("at another server: taken for %q", got)
	}
}

func TestACookieIsRenewedOnceADay(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.client.Jar = nil
	cookies := auth.NewCookies(h.auth, "the administrator's token")
	for age, want := range map[time.Duration]int{time.Hour: 0, 25 * time.Hour: 1, 29 * 24 * time.Hour: 1} {
		value := cookies.Make("vera", time.Now().Add(30*24*time.Hour-age))
		resp := b.send("GET", "/api/v1/sessions", "", "Cookie", cookies.Name+"="+value)
		h.read(resp)
		if got := resp.Cookies(); len(got) != want || want == 1 && (got[0].MaxAge != 30*24*60*60 || got[0].Value == value) {
			t.Errorf("%v old: %v; want %d new ones", age, got, want)
		}
	}
	resp := b.send("GET", "/api/v1/me", "", "Cookie", "__Host-"+cookies.Name+"="+cookies.Make("vera", time.Now().Add(time.Hour)))
	h.read(resp)
	if got := resp.Cookies(); len(got) != 1 || !got[0].Secure || got[0].Name != "__Host-"+cookies.Name {
		t.Errorf("one of TLS: %v; want another of TLS", got)
	}
}

func TestOverTLSTheCookieIsForTLSAlone(t *testing.T) {
	h := open(t)
	b := h.browser() // behind a proxy that speaks TLS for us
	b.client.Jar = nil
	b.header.Set("Origin", strings.Replace(h.base, "http:", "https:", 1))
	c := b.signIn("token", "vera")
	if !c.Secure || !strings.HasPrefix(c.Name, "__Host-switchboard-") || c.Path != "/" || c.Domain != "" {
		t.Errorf("the cookie is %s", c.Raw)
	}
	b.header.Set("Cookie", c.Name+"="+c.Value)
	if got := b.me(); got != "vera viewer" {
		t.Errorf("taken for %q", got)
	}
	if _, body := b.do("POST", "/api/v1/links", ""); !strings.Contains(body, `"https://`) {
		t.Errorf("a link: %s; want one of https", body)
	}
	resp := b.send("POST", "/api/v1/logout", "")
	h.read(resp)
	gone := map[string]bool{}
	for _, c := range resp.Cookies() {
		gone[c.Name] = c.MaxAge < 0
	}
	if !gone[c.Name] || !gone[strings.TrimPrefix(c.Name, "__Host-")] {
		t.Errorf("signing out takes away %v", resp.Header["Set-Cookie"])
	}
}

func TestARequestIsIdentifiedByWhatItCarries(t *testing.T) {
	h := open(t)
	cookies := auth.NewCookies(h.auth, "the administrator's token")
	cookie := cookies.Name + "=" + cookies.Make("otto", time.Now().Add(time.Hour))
	for _, c := range []struct {
		name, value, origin string
		want                string
	}{{"Authorization", "Bearer vera", "", "vera"}, {"Authorization", "Bearer nobody", "", ""}, {"Cookie", cookie, "", "otto"},
		{"Cookie", cookie, h.base, "otto"}, {"Cookie", cookie, "http://evil.example", ""}, {"Cookie", cookie + "x", "", ""},
		{"X-Nothing", "", "", ""}} {
		req, err := http.NewRequest("GET", h.base+"/api/v1/socket.io/", nil)
		check(t, err)
		req.Header.Set(c.name, c.value)
		if c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		if id, ok := h.web.Identify(req); ok != (c.want != "") || id.Name != c.want {
			t.Errorf("%s: %s, Origin %q: %v, %v; want %q", c.name, c.value, c.origin, id, ok, c.want)
		}
	}
}

func TestWithoutAConsoleThereAreNeitherPagesNorCookies(t *testing.T) {
	h := open(t, func(o *web.Options) { o.Secret = "" })
	for _, path := range []string{"/", "/sessions/x", "/favicon.svg", "/assets/x.js"} {
		h.refused("vera", "GET", path, "", http.StatusNotFound, "/api/v1/")
	}
	for _, path := range []string{"/api/v1/login", "/api/v1/logout", "/api/v1/links"} {
		h.refused("vera", "POST", path, `{"token":"vera"}`, http.StatusNotFound, "http.console: false")
	}
	cookies := auth.NewCookies(h.auth, "")
	b := h.browser()
	b.header.Set("Cookie", cookies.Name+"="+cookies.Make("vera", time.Now().Add(time.Hour)))
	if got := b.me(); got != "" {
		t.Errorf("a cookie that is sealed with nothing: taken for %q", got)
	}
	if code := h.web.Code("ada"); code != "" {
		t.Errorf("a code without a console: %q", code)
	}
	if status, _ := h.do("vera", "GET", "/api/v1/me", ""); status != 200 {
		t.Errorf("me by a token: %d", status)
	}
}
