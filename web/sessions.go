package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/session"
)

var sessionRoutes = []route{
	{"GET /api/v1/sessions", auth.Viewer, (*server).list},
	{"GET /api/v1/sessions/{id}", auth.Viewer, (*server).one},
	{"GET /api/v1/sessions/{id}/events", auth.Viewer, (*server).events},
	{"GET /api/v1/sessions/{id}/export", auth.Viewer, (*server).export},
	{"POST /api/v1/sessions/{id}/kick", auth.Operator, (*server).kick},
	{"POST /api/v1/sessions/{id}/send", auth.Operator, (*server).send},
	{"PUT /api/v1/sessions/{id}/pin", auth.Operator, (*server).pin},
	{"DELETE /api/v1/sessions/{id}/pin", auth.Operator, (*server).pin},
	{"DELETE /api/v1/sessions/{id}", auth.Admin, (*server).remove},
}

const (
	defaultListLimit = 1000
	maxListLimit     = 1_000_000
)

// list answers with the sessions that the query chooses, the newest first.
func (s *server) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	state, f, err := filter(q, time.Now())
	if err != nil {
		return err
	}
	list, err := s.Hub.List(r.Context(), state, f)
	if err != nil {
		return err
	}
	if list == nil {
		list = []session.Summary{}
	}
	for i := range list {
		list[i].Frame = "" // which all of a listener have, and is long
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

var listKeys = map[string]bool{"state": true, "listener": true, "name": true, "remote": true, "transport": true,
	"cause": true, "since": true, "until": true, "limit": true, "rooms": true}

func filter(q url.Values, now time.Time) (state session.State, f index.Filter, err error) {
	for key := range q {
		if !listKeys[key] {
			return "", f, bad("no filter is called %q: use state, listener, name, remote, transport, cause, since, until, "+
				"limit, rooms", key)
		}
	}
	switch state = session.State(q.Get("state")); state {
	case "", session.Live, session.Recorded:
	default:
		return "", f, bad("state %q: use live or recorded, or leave it out for both", state)
	}
	f = index.Filter{Listener: q.Get("listener"), Name: q.Get("name"), Remote: q.Get("remote"),
		Transport: q.Get("transport"), Limit: defaultListLimit}
	if cause := q.Get("cause"); cause != "" {
		if f.Cause, err = session.ParseCause(cause); err != nil {
			return "", f, badRequest{err}
		}
	}
	if f.Since, err = moment(q.Get("since"), now); err != nil {
		return "", f, err
	}
	if f.Until, err = moment(q.Get("until"), now); err != nil {
		return "", f, err
	}
	if limit := q.Get("limit"); limit != "" {
		if f.Limit, err = strconv.Atoi(limit); err != nil || f.Limit < 1 || f.Limit > maxListLimit {
			return "", f, bad("limit %q: must be a number from 1 to %d", limit, maxListLimit)
		}
	}
	if rooms := q.Get("rooms"); rooms != "" {
		if f.Rooms, err = strconv.ParseBool(rooms); err != nil {
			return "", f, bad("rooms %q: use true or false", rooms)
		}
	}
	return state, f, nil
}

// moment reads a time: RFC 3339, or a duration ago. Unix µs; 0 for none.
func moment(text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UnixMicro(), nil
	}
	ago, err := parseDuration(text)
	if err != nil {
		return 0, bad("time %q: write 2006-01-02T15:04:05Z, or how long ago, as in 90s, 2h or 7d", text)
	}
	return now.Add(-ago).UnixMicro(), nil
}

func parseDuration(text string) (time.Duration, error) {
	if days, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.ParseFloat(days, 64)
		return time.Duration(n * float64(24*time.Hour)), err
	}
	return time.ParseDuration(text)
}

func (s *server) one(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	if sum.Service == "device" && sum.Fleet == "" && sum.Record != session.RecordOff {
		// The index does not have it. A recording that cannot be read is a session all the same.
		if info, err := s.opened(r.Context(), sum.ID); err == nil {
			sum.Fleet, sum.Frame = info.Fleet, info.Frame
		}
	}
	writeJSON(w, http.StatusOK, sum)
	return nil
}

// kick ends a session in the name of who asks.
func (s *server) kick(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	var body struct {
		Reason string `json:"reason"`
	}
	defer awaitBody(w)()
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		return bad("the body must be JSON such as {\"reason\": \"maintenance\"}: %w", err)
	}
	kicked, err := s.kickSession(r.Context(), &sum, who(r).Name, body.Reason)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, kicked)
	return nil
}

// send writes the body to the session's far end.
func (s *server) send(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	data, err := readBody(w, r)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return bad("the body is empty: it is what is sent to the far end")
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandPeriod)
	defer cancel()
	if err := s.Hub.Send(ctx, sum.ID, who(r).Name, data); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", errUnavailable, err)
		}
		return err
	}
	s.Logger.Info("sent", "session", sum.ID, "by", who(r).Name, "bytes", len(data))
	writeJSON(w, http.StatusOK, map[string]any{"id": sum.ID, "bytes": len(data)})
	return nil
}

// pin keeps a recording from retention, or, for DELETE, gives it back.
func (s *server) pin(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	pinned := r.Method == http.MethodPut
	if err := s.Hub.Pin(r.Context(), sum.ID, pinned); err != nil {
		return err
	}
	s.changed(sum.ID, "pin")
	writeJSON(w, http.StatusOK, map[string]any{"id": sum.ID, "pinned": pinned})
	return nil
}

func (s *server) remove(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	if err := s.Hub.Delete(r.Context(), sum.ID); err != nil {
		return err
	}
	s.Logger.Info("a recording was removed", "session", sum.ID, "by", who(r).Name)
	s.changed(sum.ID, "removed")
	writeJSON(w, http.StatusOK, map[string]any{"id": sum.ID, "removed": true})
	return nil
}
