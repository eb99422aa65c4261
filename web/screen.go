package web

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/screen"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/socketio"
	"github.com/switchboard-relay/switchboard/terminal"
)

const screenPattern = "GET /api/v1/sessions/{id}/screen"

var screenRoutes = []route{
	{screenPattern, auth.Viewer, (*server).screen},
}

// screenLimit is how long it may take to find out what a terminal shows: where that is not kept, all that was sent is read.
const screenLimit = 30 * time.Second

// errScreenLate is said of a screen that took longer.
var errScreenLate = fmt.Errorf("%w: what the terminal showed there is still being found out: try again in a moment", errUnavailable)

// screenFormats are the forms that a screen is told in.
var screenFormats = map[string]func(w http.ResponseWriter, t *terminal.Terminal, s *screen.Screen, start int64) error{
	"json": writeScreenJSON,
	"text": func(w http.ResponseWriter, t *terminal.Terminal, _ *screen.Screen, _ int64) error {
		var b []byte
		for _, row := range rowsOf(t) {
			b = append(append(b, row...), '\n')
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, err := w.Write(b)
		return err
	},
	"ansi": func(w http.ResponseWriter, _ *terminal.Terminal, s *screen.Screen, _ int64) error {
		w.Header().Set("Content-Type", "application/octet-stream")
		_, err := w.Write(s.Data)
		return err
	},
	"svg": func(w http.ResponseWriter, t *terminal.Terminal, _ *screen.Screen, _ int64) error {
		w.Header().Set("Content-Type", export.SVGType)
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
		_, err := w.Write(export.AppendSVG(nil, t))
		return err
	},
}

// screen answers with what a session's terminal shows, now or behind one of its events.
func (s *server) screen(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	for key := range q {
		if key != "time" && key != "number" && key != "format" && key != "pass" {
			return bad("no parameter is called %q: use time, number, format, pass", key)
		}
	}
	format := q.Get("format")
	if format == "" {
		format = "json"
	}
	write := screenFormats[format]
	if write == nil {
		return bad("format %q: use json, text, ansi or svg", format)
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), screenLimit, errScreenLate)
	defer cancel()
	number, err := s.screenPlace(ctx, q, &sum)
	if err != nil {
		return err
	}
	shown, err := s.Hub.Screen(ctx, sum.ID, number)
	if err != nil {
		return err
	}
	t := terminal.New(shown.Size.Cols, shown.Size.Rows)
	t.Write(shown.Data)
	write(w, t, &shown, sum.Start) // an error means that the client is gone
	return nil
}

// screenPlace is the number of the last event that a question is about.
func (s *server) screenPlace(ctx context.Context, q url.Values, sum *session.Summary) (uint64, error) {
	switch {
	case q.Has("number") && q.Has("time"):
		return 0, bad("number and time both say which screen: give one of them")
	case q.Has("number"):
		n, err := strconv.ParseUint(q.Get("number"), 10, 63)
		if err != nil {
			return 0, bad("number %q: must be that of an event", q.Get("number"))
		}
		return n, nil
	case q.Has("time"):
		at, err := screenTime(q, sum.Start)
		if err != nil {
			return 0, err
		}
		next, err := s.Hub.NumberAt(ctx, sum.ID, at+1)
		return max(next, 1) - 1, err
	}
	return math.MaxUint64, nil
}

// screenTime reads a moment: µs since the session's start, or what offset reads. Unix µs.
func screenTime(q url.Values, start int64) (int64, error) {
	us, err := strconv.ParseUint(q.Get("time"), 10, 63)
	if err != nil {
		at, err := offset(q, "time", start)
		return max(at, start), err
	}
	return start + min(int64(us), math.MaxInt64-start-1), nil
}

func rowsOf(t *terminal.Terminal) []string {
	_, rows := t.Size()
	list := make([]string, rows)
	for y := range list {
		list[y] = string(t.AppendRow(nil, y))
	}
	return list
}

// screenJSON is a screen as programs get it.
type screenJSON struct {
	Number uint64 `json:"number"`
	Time   int64  `json:"time"` // µs since the session's start
	Cols   int    `json:"cols"`
	Rows   int    `json:"rows"`
	Title  string `json:"title"`
	Cursor struct {
		Col   int  `json:"col"` // from 0
		Row   int  `json:"row"`
		Shown bool `json:"shown"`
	} `json:"cursor"`
	Text []string `json:"rows_text"`
	Data []byte   `json:"data"`
}

func writeScreenJSON(w http.ResponseWriter, t *terminal.Terminal, s *screen.Screen, start int64) error {
	j := screenJSON{Number: s.Number, Time: max(s.Time-start, 0), Cols: s.Size.Cols, Rows: s.Size.Rows, Title: t.Title(),
		Text: rowsOf(t), Data: s.Data}
	j.Cursor.Col, j.Cursor.Row, j.Cursor.Shown = t.Cursor()
	writeJSON(w, http.StatusOK, j)
	return nil
}

// shownScreen is a screen as viewers get it.
type shownScreen struct {
	Number uint64          `json:"number"`
	Time   int64           `json:"time"` // µs since the session's start
	Cols   int             `json:"cols"`
	Rows   int             `json:"rows"`
	Title  string          `json:"title"`
	Data   socketio.Binary `json:"data"`
}

// showScreen is what a stream begins with that was asked to begin at an event of a number: the screen before that, or, of one
// that follows and was not told where to begin, the screen now.
func (v *viewer) showScreen(ctx context.Context, sum *session.Summary, ask *watchAsk, at uint64) (*shownScreen, error) {
	number := at - 1
	if ask.From == 0 && ask.Time == nil && ask.follows(sum) {
		number = math.MaxUint64
	}
	ctx, cancel := context.WithTimeoutCause(ctx, screenLimit, errScreenLate)
	defer cancel()
	s, err := v.viewers.server.Hub.Screen(ctx, sum.ID, number)
	if err != nil {
		return nil, err
	}
	t := terminal.New(s.Size.Cols, s.Size.Rows)
	t.Write(s.Data)
	return &shownScreen{Number: s.Number, Time: max(s.Time-sum.Start, 0), Cols: s.Size.Cols, Rows: s.Size.Rows, Title: t.Title(),
		Data: s.Data}, nil
}

// mostScreen is the longest screen that a batch has, bytes.
const mostScreen = 1 << 20

// addScreen has the batch tell what the terminal shows behind its last resize: how a terminal that is scaled breaks its lines
// anew is not what the real one does. If that cannot be told, the viewer makes do with the size.
func (st *stream) addScreen(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, screenLimit, errScreenLate)
	defer cancel()
	s, err := st.viewer.viewers.server.Hub.Screen(ctx, st.id, st.batch.resized)
	if err == nil && s.Number == st.batch.resized && len(s.Data) <= mostScreen {
		st.batch.insertScreen(s.Data)
	}
}
