package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/socketio/engine"
)

var errForeignPage = errors.New("by a cookie, only pages of this server may ask for changes: Sec-Fetch-Site: same-origin, " +
	"or an Origin with the request's own host. Programs send Authorization: Bearer TOKEN instead; a proxy has to pass Host on")

// identify tells who sends a request: whose token is in its Authorization header, else whose cookie comes with it. A
// cookie that a foreign page may have made the browser send is none.
func (s *server) identify(r *http.Request) (auth.Identity, bool) {
	id, err := s.sender(r)
	return id, err == nil
}

// sender is identify with a reason.
func (s *server) sender(r *http.Request) (auth.Identity, error) {
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		if id, known := s.Auth.Check(strings.TrimSpace(token)); known {
			return id, nil
		}
		return auth.Identity{}, errNoToken
	}
	if _, password, basic := r.BasicAuth(); basic && basicPatterns[r.Pattern] && !isForeignPage(r) {
		if id, known := s.Auth.Check(password); known {
			return id, nil
		}
		return auth.Identity{}, errNoToken
	}
	if takesPass(r) {
		return s.passHolder(r)
	}
	c, known := s.cookie(r)
	switch {
	case !known:
		return auth.Identity{}, errNoToken
	case isOwnPage(r), changesNothing(r) && !isForeignPage(r):
		return c.Identity, nil
	}
	return auth.Identity{}, errForeignPage
}

// securePrefix is of the cookie's name where it came over TLS. Browsers take such a cookie only from the host itself, over
// TLS: a page of a neighbouring name, or one in the clear, cannot put another in its place.
const securePrefix = "__Host-"

// cookie is what a request's cookie says.
type cookie struct {
	auth.Identity
	secure  bool // set over TLS
	expires time.Time
}

func (s *server) cookie(r *http.Request) (cookie, bool) {
	if s.cookies == nil {
		return cookie{}, false
	}
	for _, prefix := range []string{securePrefix, ""} {
		for _, sent := range r.CookiesNamed(prefix + s.cookies.Name) { // others on this host can set more of that name
			if id, expires, ok := s.cookies.Check(sent.Value, time.Now()); ok {
				return cookie{id, prefix != "", expires}, true
			}
		}
	}
	return cookie{}, false
}

// basicPatterns are where programs that know nothing else may send a token as a password, under any name. Browsers remember
// passwords, and would send them for any page.
var basicPatterns = map[string]bool{"POST " + importPath: true, "POST " + uploadPath: true, "POST " + streamsPath: true,
	"GET " + namedStreamsPath: true}

func changesNothing(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// isOwnPage reports whether a browser says that a page of this very server asks. Pages cannot write either header. Where
// both are there Sec-Fetch-Site decides: a page of http://example.org is none of https://example.org, whatever the host.
// See https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header.
func isOwnPage(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	return r.Header.Get("Origin") != "" && engine.AllowsOrigin(nil, r)
}

// isForeignPage reports whether a browser says that any other page asks.
func isForeignPage(r *http.Request) bool {
	if isOwnPage(r) {
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("Origin") != "" || site != "" && site != "none" // none: a person, by the address or a bookmark
}
