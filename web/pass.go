package web

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/session"
)

var passRoutes = []route{
	{"POST /api/v1/sessions/{id}/passes", auth.Operator, (*server).pass},
}

// How long a pass is good.
const (
	passLife    = time.Hour // unless it is said
	maxPassLife = 30 * 24 * time.Hour
)

var errPass = errors.New("the pass is not valid, or not any more: an operator makes another, by POST /api/v1/sessions/{id}/passes")

// lookThing is what a pass to look at a session is for.
func lookThing(id session.ID) string { return "look at " + string(id) }

// pass makes one that lets whoever has it look at a session, in pages that cannot send a token.
func (s *server) pass(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	var body struct {
		For string `json:"for"`
	}
	defer awaitBody(w)()
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		return bad("the body must be JSON such as {\"for\": \"24h\"}: %w", err)
	}
	life := passLife
	if body.For != "" {
		if life, err = parseDuration(body.For); err != nil || life <= 0 || life > maxPassLife {
			return bad("for %q: write how long it is good, as in 90s, 2h or 7d; 30d at most", body.For)
		}
	}
	expires := time.Now().Add(life)
	pass := s.passes.Make(who(r).Name, lookThing(sum.ID), expires)
	if pass == "" {
		return errNoToken // taken away just now
	}
	s.Logger.Info("a pass was made", "session", sum.ID, "by", who(r).Name, "expires", expires)
	base := s.address(r) + "/api/v1/sessions/" + string(sum.ID)
	query := "?" + url.Values{"pass": {pass}}.Encode()
	writeJSON(w, http.StatusOK, map[string]any{"pass": pass, "expires": expires.UnixMicro(),
		"alis": "ws" + base[len("http"):] + "/alis" + query, "segmented": base + "/segmented.json" + query,
		"picture": base + "/screen" + query + "&format=svg"})
	return nil
}

// address is the server's, as who asks knows it.
func (s *server) address(r *http.Request) string {
	if c, ok := s.cookie(r); isOverTLS(r) || ok && c.secure || r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// passPatterns are where a pass is taken instead of a token.
var passPatterns = map[string]bool{alisPattern: true, indexPattern: true, segmentPattern: true, screenPattern: true}

func takesPass(r *http.Request) bool { return passPatterns[r.Pattern] && r.URL.Query().Has("pass") }

// passHolder is whoever shows a pass: somebody who may look, in the name of who made it. Pages of any origin may have one.
func (s *server) passHolder(r *http.Request) (auth.Identity, error) {
	id, ok := s.passes.Check(r.URL.Query().Get("pass"), lookThing(session.ID(r.PathValue("id"))), time.Now())
	if !ok {
		return id, errPass
	}
	id.Role = auth.Viewer
	return id, nil
}
