package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

const (
	indexPattern   = "GET /api/v1/sessions/{id}/segmented.json"
	segmentPattern = "GET /api/v1/sessions/{id}/segmented/{number}"
)

var segmentedRoutes = []route{
	{indexPattern, auth.Viewer, (*server).segmentIndex},
	{segmentPattern, auth.Viewer, (*server).segment},
}

var (
	errSegmentsLive = errors.New("the session is live: follow it at /api/v1/sessions/{id}/alis")
	errNoSegment    = errors.New("no segment begins behind that event: segmented.json says where they are")
)

// segmented is a recording in the parts that asciinema's player loads. They begin where screens are kept.
type segmented struct {
	export.Segments
	sum   session.Summary
	query url.Values // of the request, and of those for segments
	input bool
}

func (s *server) segments(ctx context.Context, r *http.Request) (*segmented, error) {
	sum, err := s.find(r)
	if err != nil {
		return nil, err
	}
	g := &segmented{sum: sum, query: r.URL.Query()}
	for key := range g.query {
		if key != "input" && key != "pass" {
			return nil, bad("no parameter is called %q: use input, pass", key)
		}
	}
	if text := g.query.Get("input"); text != "" {
		if g.input, err = strconv.ParseBool(text); err != nil {
			return nil, bad("input %q: use true or false", text)
		}
	}
	if sum.State == session.Live {
		return nil, errSegmentsLive
	}
	places, err := s.Hub.Screens(ctx, sum.ID)
	if err != nil {
		return nil, err
	}
	g.Start, g.Duration, g.Size = sum.Start, max(sum.End-sum.Start, 0), hub.FirstSize(&sum)
	g.Begin(0, sum.Start)
	for _, p := range places {
		g.Begin(p.Number, p.Time)
	}
	return g, nil
}

// segmentIndex answers with where the segments are.
func (s *server) segmentIndex(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), screenLimit)
	defer cancel()
	g, err := s.segments(ctx, r)
	if err != nil {
		return err
	}
	if g.Marks, err = s.segmentMarks(ctx, g.sum.ID); err != nil {
		return err
	}
	more := ""
	if len(g.query) > 0 {
		more = "?" + g.query.Encode()
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(g.AppendIndex(nil, func(number uint64) string {
		return "segmented/" + strconv.FormatUint(number, 10) + more
	}))
	return nil
}

// segmentMarks are the marks that people made in the recording.
func (s *server) segmentMarks(ctx context.Context, id session.ID) (marks []export.SegmentMark, err error) {
	notes, err := s.Hub.Notes(ctx, id)
	for _, n := range notes {
		if n.At != nil {
			marks = append(marks, export.SegmentMark{At: max(*n.At, 0), Text: n.Text})
		}
	}
	slices.SortStableFunc(marks, func(a, b export.SegmentMark) int { return int(a.At - b.At) })
	return marks, err
}

// segment answers with one of them: what is read of the recording is little more.
func (s *server) segment(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), screenLimit)
	defer cancel()
	g, err := s.segments(ctx, r)
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 63)
	if err != nil || !g.Has(number) {
		return errNoSegment
	}
	size, data := g.Size, []byte(nil)
	if number > 0 {
		shown, err := s.Hub.Screen(ctx, g.sum.ID, number)
		if err != nil {
			return err
		}
		size, data = shown.Size, shown.Data
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	out := &lines{w: w, ctl: http.NewResponseController(w), limit: flushLimit}
	err = g.Write(out, number, size, data, g.input, func() (export.Reader, error) {
		return s.bareEvents(ctx, g.sum.ID, number+1)
	})
	if err != nil {
		s.Logger.Debug("a segment ended early", "session", g.sum.ID, "error", err)
		panic(http.ErrAbortHandler) // cuts the connection, so that the client sees that it is not whole
	}
	return nil
}
