package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/session"
)

var activityRoutes = []route{
	{"GET /api/v1/sessions/{id}/activity", auth.Viewer, (*server).activity},
}

const (
	defaultBuckets = 600
	maxBuckets     = 2000
)

// activity answers with how many bytes passed in a session over time.
func (s *server) activity(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	for key := range q {
		if key != "buckets" && key != "since" && key != "until" {
			return bad("no parameter is called %q: use buckets, since, until", key)
		}
	}
	buckets, err := bucketsOf(q)
	if err != nil {
		return err
	}
	since, err := offset(q, "since", sum.Start)
	if err != nil {
		return err
	}
	until, err := offset(q, "until", sum.Start)
	if err != nil {
		return err
	}
	if until != 0 && until < since {
		return bad("the end lies before the beginning")
	}
	if sum.Record == session.RecordOff {
		return errNotRecorded
	}
	a, err := s.Hub.Activity(r.Context(), sum.ID, since, until, buckets)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, a)
	return nil
}

func bucketsOf(q url.Values) (int, error) {
	text := q.Get("buckets")
	if text == "" {
		return defaultBuckets, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxBuckets {
		return 0, bad("buckets %q: must be a number from 1 to %d", text, maxBuckets)
	}
	return n, nil
}
