package engine

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// originPattern is one of Options.Origins.
type originPattern struct {
	any    bool
	scheme string
	host   string // ".example.org" stands for every name below
	port   string // "" is the scheme's own, "*" is any
}

// origins decides which pages may connect.
type origins struct {
	patterns    []originPattern
	credentials bool
}

func newOrigins(list []string, credentials bool) origins {
	o := origins{credentials: credentials}
	for _, s := range list {
		if p, err := parseOriginPattern(s); err == nil {
			o.patterns = append(o.patterns, p)
		}
	}
	return o
}

// CheckOrigin says what is wrong with one of Options.Origins. New leaves out what is wrong.
func CheckOrigin(s string) error {
	_, err := parseOriginPattern(s)
	return err
}

func parseOriginPattern(s string) (originPattern, error) {
	if s == "*" {
		return originPattern{any: true}, nil
	}
	scheme, host, port, ok := splitOrigin(s)
	name := strings.TrimPrefix(host, "*")
	wild := name != host
	switch _, err := strconv.ParseUint(port, 10, 16); {
	case !ok, port != "" && port != "*" && err != nil,
		strings.Contains(name, "*"), wild != strings.HasPrefix(name, "."), name == ".":
		return originPattern{}, fmt.Errorf("origin %q: must be as https://example.org, https://*.example.org, "+
			"http://127.0.0.1:* or *", s)
	}
	return originPattern{scheme: scheme, host: name, port: port}, nil
}

// splitOrigin takes "https://example.org:8443" apart. The port is empty if it is the scheme's own.
func splitOrigin(s string) (scheme, host, port string, ok bool) {
	scheme, host, ok = strings.Cut(strings.ToLower(s), "://")
	if !ok || host == "" || strings.ContainsAny(host, "/@ ") {
		return "", "", "", false
	}
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host, port = host[:i], host[i+1:]
	}
	if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		port = ""
	}
	return scheme, host, port, true
}

func (p *originPattern) matches(scheme, host, port string) bool {
	if scheme != p.scheme || port != p.port && p.port != "*" {
		return false
	}
	if strings.HasPrefix(p.host, ".") {
		return len(host) > len(p.host) && strings.HasSuffix(host, p.host)
	}
	return host == p.host
}

// allows reports whether a page of an origin may connect, and whether with cookies: "*" alone never means that.
func (o *origins) allows(origin string) (allowed, credentials bool) {
	scheme, host, port, ok := splitOrigin(origin)
	for i := range o.patterns {
		p := &o.patterns[i]
		if p.any {
			allowed = true
		} else if ok && p.matches(scheme, host, port) {
			return true, o.credentials
		}
	}
	return allowed, false
}

// sameOrigin reports whether a page came from the host that it now asks. What is in front of us may speak TLS for us,
// so the scheme says nothing.
func sameOrigin(origin, host string) bool {
	scheme, name, port, ok := splitOrigin(origin)
	if !ok {
		return false
	}
	_, ownName, ownPort, ok := splitOrigin(scheme + "://" + host)
	return ok && name == ownName && port == ownPort
}

// admit lets in the requests of pages that may connect, and answers preflights. If it returns false, the request is
// answered.
// See https://fetch.spec.whatwg.org/#http-cors-protocol.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	h := w.Header()
	if origin != "" && !sameOrigin(origin, r.Host) {
		allowed, credentials := s.origins.allows(origin)
		h.Add("Vary", "Origin")
		if !allowed {
			s.refuse(w, refusedOrigin)
			return false
		}
		h.Set("Access-Control-Allow-Origin", origin)
		if credentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
	}
	if r.Method != http.MethodOptions {
		return true
	}
	if origin != "" {
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Max-Age", "600")
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return false
}

// AllowsOrigin reports whether a request is no page's, or that of a page that may connect by patterns of
// Options.Origins, for handlers beside a Server that go by the same rules.
func AllowsOrigin(patterns []string, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || sameOrigin(origin, r.Host) {
		return true
	}
	o := newOrigins(patterns, false)
	allowed, _ := o.allows(origin)
	return allowed
}
