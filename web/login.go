package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
)

var loginRoutes = []route{
	{"GET /api/v1/me", auth.Viewer, (*server).me},
	{"POST /api/v1/links", auth.Viewer, (*server).link},
}

// openRoutes need no token: one signs in and out there, or has a pass in the address.
var openRoutes = []route{
	{"POST /api/v1/login", "", (*server).login},
	{"POST /api/v1/logout", "", (*server).logout},
	{"GET " + streamsPath + "/{id}/{pass}", "", (*server).produce},
}

const (
	cookieLife  = 30 * 24 * time.Hour
	renewAfter  = 24 * time.Hour // so old a cookie is given anew
	linkLife    = 10 * time.Minute
	maxFailures = 10 // sign-ins that may fail in failurePeriod
)

var failurePeriod = time.Second

var (
	errNoConsole = errors.New("this server has no console: its configuration says http.console: false")
	errFailures  = errors.New("too many sign-ins failed just now: try again in a second")
	errNoSignIn  = errors.New("this signs nobody in: a code works once, and for a while; \"switchboard console\" prints " +
		"another, and a token works until it is taken away")
)

// open serves without a token.
func (s *server) open(serve handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := serve(s, w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// login gives a cookie to who has a code or a token. A foreign page could sign somebody in as somebody else.
func (s *server) login(w http.ResponseWriter, r *http.Request) error {
	switch {
	case s.cookies == nil:
		return errNoConsole
	case isForeignPage(r):
		return errForeignPage
	case s.failures.areMany(time.Now()):
		w.Header().Set("Retry-After", "1")
		return errFailures
	}
	id, err := s.signIn(w, r)
	if errors.Is(err, errNoSignIn) {
		s.failures.add(time.Now())
		s.Logger.Warn("a sign-in failed", "remote", r.RemoteAddr)
	}
	if err != nil {
		return err
	}
	s.Logger.Info("signed in", "name", id.Name, "remote", r.RemoteAddr)
	s.giveCookie(w, id.Name, isOverTLS(r))
	writeJSON(w, http.StatusOK, map[string]any{"name": id.Name, "role": id.Role})
	return nil
}

// signIn reads who signs in.
func (s *server) signIn(w http.ResponseWriter, r *http.Request) (auth.Identity, error) {
	var body struct {
		Code  string `json:"code"`
		Token string `json:"token"`
	}
	arrived := awaitBody(w)
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(&body)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("it goes on behind its JSON")
		}
	}
	arrived()
	const want = `the body must be {"code": "…"} or {"token": "…"}`
	switch {
	case err != nil:
		return auth.Identity{}, bad(want+": %w", err)
	case (body.Code == "") == (body.Token == ""):
		return auth.Identity{}, bad(want)
	}
	var id auth.Identity
	var known bool
	if body.Code != "" {
		id, known = s.codes.Take(strings.TrimSpace(body.Code), time.Now())
	} else {
		id, known = s.Auth.Check(strings.TrimSpace(body.Token))
	}
	if !known {
		return id, errNoSignIn
	}
	return id, nil
}

// giveCookie signs the browser in. The cookie cannot be read by scripts, and is sent by pages of this site alone.
func (s *server) giveCookie(w http.ResponseWriter, name string, secure bool) {
	expires := time.Now().Add(cookieLife)
	http.SetCookie(w, s.cookieOf(s.cookies.Make(name, expires), int(cookieLife/time.Second), secure))
}

func (s *server) cookieOf(value string, age int, secure bool) *http.Cookie {
	c := &http.Cookie{Name: s.cookies.Name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: secure,
		SameSite: http.SameSiteStrictMode}
	if secure {
		c.Name = securePrefix + c.Name
	}
	return c
}

// isOverTLS reports whether the browser speaks TLS, to us or to a proxy: its page's origin says so.
func isOverTLS(r *http.Request) bool {
	return r.TLS != nil || isOwnPage(r) && strings.HasPrefix(r.Header.Get("Origin"), "https://")
}

// logout takes the cookie away. Others of the same token stay.
func (s *server) logout(w http.ResponseWriter, r *http.Request) error {
	switch {
	case s.cookies == nil:
		return errNoConsole
	case isForeignPage(r):
		return errForeignPage
	}
	http.SetCookie(w, s.cookieOf("", -1, false))
	if isOverTLS(r) {
		http.SetCookie(w, s.cookieOf("", -1, true))
	}
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}

// renew gives a cookie anew to who came by one that is not of today: who comes back within its life stays signed in.
func (s *server) renew(w http.ResponseWriter, r *http.Request, id auth.Identity) {
	if c, ok := s.cookie(r); ok && c.Identity == id && time.Until(c.expires) < cookieLife-renewAfter {
		s.giveCookie(w, id.Name, c.secure)
	}
}

// me says who asks, and whom.
func (s *server) me(w http.ResponseWriter, r *http.Request) error {
	id := who(r)
	writeJSON(w, http.StatusOK, map[string]any{"name": id.Name, "role": id.Role, "node": s.Node, "version": s.Version,
		"start": s.Start.UnixMicro(), "build": s.build()})
	return nil
}

// link makes a link that signs in once as who asks, under the address by which they asked.
func (s *server) link(w http.ResponseWriter, r *http.Request) error {
	if s.cookies == nil {
		return errNoConsole
	}
	expires := time.Now().Add(linkLife)
	code := s.codes.Make(who(r).Name, expires)
	if code == "" {
		return errNoToken // taken away just now
	}
	s.Logger.Info("a link that signs in was made", "by", who(r).Name)
	writeJSON(w, http.StatusOK, map[string]any{"url": s.address(r) + LinkPath(code), "code": code,
		"expires": expires.UnixMicro()})
	return nil
}

// LinkPath is where a code signs in, behind a server's address. What stands behind the # is not sent to any server.
func LinkPath(code string) string { return "/#code=" + code }

// Code makes a code that signs in once as the holder of the token of a name, "" if there is no console. It is good until it
// is used.
func (h *Handler) Code(name string) string {
	if h.server.cookies == nil {
		return ""
	}
	return h.server.codes.Make(name, time.Time{})
}

// failures counts sign-ins that failed. Beyond a number the next ones are refused unseen, so that who guesses fills
// neither the processor nor the log; tokens and codes are too long to be guessed at any rate.
type failures struct {
	mu    sync.Mutex
	since time.Time
	n     int
}

func (f *failures) areMany(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n >= maxFailures && now.Sub(f.since) < failurePeriod
}

func (f *failures) add(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.since) >= failurePeriod {
		f.since, f.n = now, 0
	}
	f.n++
}
