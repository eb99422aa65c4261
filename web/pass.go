package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
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

// errPassInput says that a pass does not show what was typed: passwords are, which no terminal showed.
var errPassInput = fmt.Errorf("%w: this pass shows what the terminal showed, not what was typed: leave input out, or have an "+
	"operator make another with {\"input\": true}", errForbidden)

// lookThing is what a pass to look at a session is for, and at what was typed as well.
func lookThing(id session.ID, input bool) string {
	if input {
		return "look at all of " + string(id)
	}
	return "look at " + string(id)
}

// pass makes one that lets whoever has it look at a session, in pages that cannot send a token.
func (s *server) pass(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	var body struct {
		For   string `json:"for"`
		Input bool   `json:"input"`
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
	pass := s.passes.Make(who(r).Name, lookThing(sum.ID, body.Input), expires)
	if pass == "" {
		return errNoToken // taken away just now
	}
	s.Logger.Info("a pass was made", "session", sum.ID, "by", who(r).Name, "expires", expires)
	base := s.address(r) + "/api/v1/sessions/" + string(sum.ID)
	query := "?" + url.Values{"pass": {pass}}.Encode()
	more := ""
	if body.Input {
		more = "&input=true"
	}
	writeJSON(w, http.StatusOK, map[string]any{"pass": pass, "expires": expires.UnixMicro(),
		"alis": "ws" + base[len("http"):] + "/alis" + query + more, "segmented": base + "/segmented.json" + query + more,
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
	q, session, now := r.URL.Query(), session.ID(r.PathValue("id")), time.Now()
	id, ok := s.passes.Check(q.Get("pass"), lookThing(session, true), now)
	if !ok {
		if id, ok = s.passes.Check(q.Get("pass"), lookThing(session, false), now); !ok {
			return id, errPass
		}
		if input, err := strconv.ParseBool(q.Get("input")); input || q.Has("input") && err != nil {
			return id, errPassInput
		}
	}
	id.Role = auth.Viewer
	return id, nil
}
