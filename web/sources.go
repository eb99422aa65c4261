package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// Sources are the three-end sources that are configured: programs that hold sessions and stream each when it is asked for.
type Sources interface {
	Status() []threeend.SourceStatus
	// Open is the live session of a reference, which its source is asked for if it is not open. Until release it counts as
	// looked at by one more. The errors are threeend's.
	Open(ctx context.Context, ref threeend.Ref, by string) (s *hub.Session, release func(), err error)
	// Kick has a source end one of its sessions, whether it is open here or not, and tells what the source said.
	Kick(ctx context.Context, ref threeend.Ref, by, reason string) (threeend.Answer, error)
}

var sourceRoutes = []route{
	{"GET /api/v1/sources", auth.Viewer, (*server).listSources},
	{"POST /api/v1/sources/open", auth.Viewer, (*server).openSource},
	{"POST /api/v1/sources/kick", auth.Operator, (*server).kickSource},
}

// errNoSources says that there is nothing to ask.
var errNoSources = fmt.Errorf("%w: none is configured: add one below sources: in the configuration", threeend.ErrNoSource)

// sourcesStatus is what is known of all sources.
func (s *server) sourcesStatus() []threeend.SourceStatus {
	list := []threeend.SourceStatus{}
	if s.Sources != nil {
		list = append(list, s.Sources.Status()...)
	}
	return list
}

type sourceList struct {
	Sources []threeend.SourceStatus `json:"sources"`
}

func (s *server) listSources(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, sourceList{s.sourcesStatus()})
	return nil
}

// openStays is for how long who opened a session over REST counts as a viewer, unless it begins to follow before.
var openStays = 10 * time.Second

// openSource opens a source's session, or finds it open.
func (s *server) openSource(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Session string `json:"session"`
	}
	if err := readObject(w, r, &body, `{"session": "ssh:42"}`); err != nil {
		return err
	}
	began := time.Now().UnixMicro()
	opened, release, err := s.openRef(r.Context(), body.Session, who(r).Name)
	if err != nil {
		return err
	}
	status, sum := http.StatusOK, summaryOf(opened) // while it is kept
	s.openings.keep(opened.ID(), who(r).Name, release)
	if sum.Start >= began {
		status = http.StatusCreated
	}
	writeJSON(w, status, sum)
	return nil
}

// openRef is the session that a text refers to.
func (s *server) openRef(ctx context.Context, text, by string) (*hub.Session, func(), error) {
	ref, err := threeend.ParseRef(text)
	if err != nil {
		return nil, nil, err
	}
	if s.Sources == nil {
		return nil, nil, errNoSources
	}
	return s.Sources.Open(ctx, ref, by)
}

// summaryOf is a session that may have ended as soon as it began.
func summaryOf(s *hub.Session) session.Summary {
	sum := s.Summary()
	if end := s.Ended(); end != nil {
		sum.SetEnd(*end)
	}
	return sum
}

// kickSource has a source end one of its sessions, in the name of who asks.
func (s *server) kickSource(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Session string `json:"session"`
		Reason  string `json:"reason"`
	}
	if err := readObject(w, r, &body, `{"session": "ssh:42", "reason": "maintenance"}`); err != nil {
		return err
	}
	kicked, err := s.kickRef(r.Context(), body.Session, who(r).Name, body.Reason)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, kicked)
	return nil
}

// refKicked is what a source answered to a kick of what a text refers to.
type refKicked struct {
	Session string `json:"session"`
	threeend.Answer
}

func (s *server) kickRef(ctx context.Context, text, by, reason string) (k refKicked, err error) {
	ref, err := threeend.ParseRef(text)
	if err == nil {
		err = checkReason(reason)
	}
	if err == nil && s.Sources == nil {
		err = errNoSources
	}
	if err != nil {
		return k, err
	}
	k.Session = ref.String()
	k.Answer, err = s.Sources.Kick(ctx, ref, by, reason)
	return k, err
}

// sessionKicked is how a kick of a session went; of a source's session, with what the source answered.
type sessionKicked struct {
	ID     session.ID    `json:"id"`
	Cause  session.Cause `json:"cause"`
	By     string        `json:"by"`
	Reason string        `json:"reason"`
	*threeend.Answer
}

// kickSession ends a live session. That of a source is the source's to end.
func (s *server) kickSession(ctx context.Context, sum *session.Summary, by, reason string) (k sessionKicked, err error) {
	if err := checkReason(reason); err != nil {
		return k, err
	}
	k = sessionKicked{ID: sum.ID, Cause: session.Kicked, By: by, Reason: reason}
	if k.Answer, err = s.Hub.KickAnswered(ctx, sum.ID, by, reason); err != nil {
		return k, err
	}
	if k.Answer != nil && k.Answer.Code != threeend.Kicked.Answer().Code {
		k.Cause = session.Done
	}
	s.Logger.Info("kicked", "session", sum.ID, "by", by, "reason", reason)
	return k, nil
}

func checkReason(reason string) error {
	if len(reason) > 1000 {
		return bad("the reason is longer than 1000 bytes")
	}
	return nil
}

// readObject reads the body, one object of JSON such as the example.
func readObject(w http.ResponseWriter, r *http.Request, into any, example string) error {
	defer awaitBody(w)()
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return bad("the body must be JSON such as %s: %w", example, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("the body goes on behind its JSON: it is one object")
	}
	return nil
}

// sourceStatusOf is the status that tells of an error of a source; 0 if it is none of those.
func sourceStatusOf(err error) int {
	var ambiguous *threeend.AmbiguousError
	var over *threeend.OverError
	switch {
	case errors.Is(err, threeend.ErrBadRef):
		return http.StatusBadRequest
	case errors.Is(err, threeend.ErrNoSource):
		return http.StatusNotFound
	case errors.Is(err, threeend.ErrBusy):
		return http.StatusServiceUnavailable
	case errors.As(err, &ambiguous):
		return http.StatusConflict
	case errors.As(err, &over) && over.Asked:
		return http.StatusNotFound
	case over != nil:
		return http.StatusBadGateway
	}
	return 0
}

// answerOf is what people are told where a source's session cannot be seen or kicked; nil for other errors.
func answerOf(err error) *threeend.Answer {
	var over *threeend.OverError
	if errors.As(err, &over) {
		return &over.Answer
	}
	return nil
}

// openings are the sessions that were opened over REST a moment ago, each held once for all whom one token stands for.
type openings struct {
	mu   sync.Mutex
	m    map[openedBy]*opening
	over bool
}

type openedBy struct {
	id session.ID
	by string
}

type opening struct {
	times   int // that it was opened, and nobody began to follow
	timer   *time.Timer
	release func()
}

// keep releases a session in a while: later, if it is opened again.
func (l *openings) keep(id session.ID, by string, release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := openedBy{id, by}
	if l.over {
		release()
		return
	}
	if before := l.m[key]; before != nil && before.timer.Stop() {
		before.times++
		before.timer.Reset(openStays)
		release()
		return
	}
	if l.m == nil {
		l.m = map[openedBy]*opening{}
	}
	o := &opening{times: 1, release: release}
	l.m[key] = o
	o.timer = time.AfterFunc(openStays, func() { l.end(key, o) })
}

func (l *openings) end(key openedBy, o *opening) {
	l.mu.Lock()
	if l.m[key] == o {
		delete(l.m, key)
	}
	l.mu.Unlock()
	o.release()
}

// used releases a session that whoever opened it follows by now.
func (l *openings) used(id session.ID, by string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.m[openedBy{id, by}]
	if o == nil {
		return
	}
	if o.times--; o.times == 0 && o.timer.Stop() {
		delete(l.m, openedBy{id, by})
		o.release()
	}
}

// close releases all of them.
func (l *openings) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for _, o := range l.m {
		if o.timer.Stop() {
			o.release()
		}
	}
	l.m = nil
}
