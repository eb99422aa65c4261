package web

import (
	"net/http"
	"strings"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/session"
)

// identify tells who makes a request.
func (s *server) identify(r *http.Request) (auth.Identity, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	id, known := s.Auth.Check(strings.TrimSpace(token))
	return id, known && strings.EqualFold(scheme, "Bearer")
}

func (s *server) build() string { return "" }

func terminalOf(*session.Info) string { return "" }
