package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

// span is which events of a session are asked for.
type span struct {
	from, to     uint64 // numbers; to is 0 for no end
	since, until int64  // Unix µs; 0 for none
	direction    export.Direction
	follow       bool
	bare         bool // without telnet's commands
}

var spanKeys = map[string]bool{"from": true, "to": true, "since": true, "until": true, "follow": true,
	"direction": true, "bare": true}

func parseSpan(q url.Values, sum *session.Summary) (sp span, err error) {
	for key := range q {
		if !spanKeys[key] {
			return sp, bad("no parameter is called %q: use from, to, since, until, follow, direction, bare", key)
		}
	}
	if sp.from, err = number(q, "from"); err != nil {
		return sp, err
	}
	if sp.to, err = number(q, "to"); err != nil {
		return sp, err
	}
	if sp.since, err = offset(q, "since", sum.Start); err != nil {
		return sp, err
	}
	if sp.until, err = offset(q, "until", sum.Start); err != nil {
		return sp, err
	}
	if sp.direction, err = export.ParseDirection(q.Get("direction")); err != nil {
		return sp, badRequest{err}
	}
	switch {
	case sp.since != 0 && sp.from != 0:
		return sp, bad("from and since both say where to begin: give one of them")
	case sp.until != 0 && sp.to != 0:
		return sp, bad("to and until both say where to end: give one of them")
	case sp.to != 0 && sp.to < sp.from, sp.until != 0 && sp.until < sp.since:
		return sp, bad("the end lies before the beginning")
	}
	sp.follow = sum.State == session.Live
	if text := q.Get("follow"); text != "" {
		if sp.follow, err = strconv.ParseBool(text); err != nil {
			return sp, bad("follow %q: use true or false", text)
		}
	}
	if text := q.Get("bare"); text != "" {
		if sp.bare, err = strconv.ParseBool(text); err != nil {
			return sp, bad("bare %q: use true or false", text)
		}
	}
	return sp, nil
}

func number(q url.Values, key string) (uint64, error) {
	text := q.Get(key)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n == 0 {
		return 0, bad("%s %q: must be the number of an event, from 1", key, text)
	}
	return n, nil
}

// offset reads a time within a session: RFC 3339, or a duration since its start. Unix µs; 0 for none.
func offset(q url.Values, key string, start int64) (int64, error) {
	text := q.Get(key)
	if text == "" {
		return 0, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UnixMicro(), nil
	}
	d, err := parseDuration(text)
	if err != nil || d < 0 {
		return 0, bad("%s %q: write how long after the session's start, as in 1m30s, or 2006-01-02T15:04:05Z", key, text)
	}
	return start + d.Microseconds(), nil
}

// How long a client may take nothing: then it is stuck, and its answer ends.
const (
	flushLimit  = 10 * time.Second
	exportLimit = 10 * time.Minute // an export may be read page by page, and holds nothing up
)

// events answers with a session's events as lines of JSON; those of a live session as they come.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	sp, err := parseSpan(r.URL.Query(), &sum)
	if err != nil {
		return err
	}
	if sp.since != 0 {
		at, err := s.Hub.NumberAt(r.Context(), sum.ID, sp.since)
		if err != nil {
			return err
		}
		sp.from = max(sp.from, at)
	}
	events, err := s.Hub.Events(r.Context(), sum.ID, sp.from)
	if err != nil {
		return err
	}
	defer events.Close()
	if sp.follow {
		s.openings.used(sum.ID, who(r).Name)
	}
	if sp.bare {
		events.Bare()
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	stream := &lines{w: w, ctl: http.NewResponseController(w), limit: flushLimit, span: sp, pace: &s.pace}
	stream.out = bufio.NewWriterSize(stream, 32<<10)
	if err := stream.flush(); err != nil {
		return nil
	}
	ctx := r.Context()
	if sp.follow {
		s.pace.enter()
		defer s.pace.leave()
		if sp.until != 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, time.UnixMicro(sp.until+1))
			defer cancel()
		}
	}
	if err := stream.run(ctx, events); err != nil && r.Context().Err() == nil {
		s.Logger.Debug("a watcher's stream ended early", "session", sum.ID, "error", err)
		panic(http.ErrAbortHandler) // cuts the connection, so that the client sees that it is not whole
	}
	return nil
}

// source is where events come from.
type source interface {
	Next(ctx context.Context) ([]session.Event, error)
	TryNext() ([]session.Event, error)
}

// lines writes events as they come: all that there is with one flush, then it waits.
type lines struct {
	w     http.ResponseWriter
	ctl   *http.ResponseController
	limit time.Duration // how long the client may take nothing
	out   *bufio.Writer
	buf   []byte
	span  span
	pace  *pace
	turn  int // bytes written since the last rest
}

// Write is the buffer's way to the client; each write has its own deadline.
func (l *lines) Write(p []byte) (int, error) {
	l.ctl.SetWriteDeadline(time.Now().Add(l.limit))
	return l.w.Write(p)
}

func (l *lines) flush() error {
	if err := l.out.Flush(); err != nil {
		return err
	}
	l.ctl.SetWriteDeadline(time.Now().Add(l.limit))
	return l.ctl.Flush()
}

func (l *lines) run(ctx context.Context, events source) error {
	for {
		batch, err := events.TryNext()
		if len(batch) == 0 && err == nil {
			if !l.span.follow {
				return l.flush()
			}
			if err := l.flush(); err != nil {
				return err
			}
			if err = l.rest(ctx); err == nil {
				batch, err = events.Next(ctx)
			}
			if errors.Is(err, context.DeadlineExceeded) { // of until: what is there by now still counts
				l.span.follow = false
				continue
			}
		}
		done, writeErr := l.write(ctx, batch)
		switch {
		case writeErr != nil:
			return writeErr
		case done, errors.Is(err, io.EOF):
			return l.flush()
		case err != nil:
			return errors.Join(err, l.flush())
		}
	}
}

// write writes the events of the span; done means that the rest lies behind it.
func (l *lines) write(ctx context.Context, batch []session.Event) (done bool, err error) {
	for i := range batch {
		e := batch[i]
		if l.span.to != 0 && e.Number > l.span.to || l.span.until != 0 && e.Time > l.span.until {
			return true, nil
		}
		if e.Time < l.span.since || !l.span.direction.Shows(e.Kind) {
			continue
		}
		l.buf = append(export.AppendJSON(l.buf[:0], e), '\n')
		if _, err := l.out.Write(l.buf); err != nil {
			return false, err
		}
		if l.turn += len(l.buf); l.turn < turnBytes {
			continue
		}
		if err := l.rest(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return false, err
		}
	}
	if n := len(batch); n > 0 && batch[n-1].Number == l.span.to {
		l.span.follow = false // more of that number may be there, but none will come
	}
	return false, nil
}

// rest ends a turn of a stream that follows: see pace.
func (l *lines) rest(ctx context.Context) error {
	l.turn = 0
	if !l.span.follow {
		return nil
	}
	return l.pace.rest(ctx)
}

// export answers with a session's events in a form for other programs.
func (s *server) export(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	for key := range q {
		if key != "format" && key != "direction" && key != "input" {
			return bad("no parameter is called %q: use format, direction, input", key)
		}
	}
	format, err := export.ParseFormat(q.Get("format"))
	if err != nil {
		return badRequest{err}
	}
	direction, err := exportDirection(q, format)
	if err != nil {
		return err
	}
	if sum.Record == session.RecordOff {
		return errNotRecorded
	}
	open := func() (export.Reader, error) { return s.Hub.Events(r.Context(), sum.ID, 1) }
	if format == export.Text || format.Plays() {
		open = func() (export.Reader, error) { return s.bareEvents(r.Context(), sum.ID, 1) }
	}
	probe, err := open()
	if err != nil {
		return err
	}
	probe.Close()
	w.Header().Set("Content-Type", format.ContentType())
	w.Header().Set("Content-Disposition", `attachment; filename="`+sum.ID.Short()+"."+format.Extension()+`"`)
	out := &lines{w: w, ctl: http.NewResponseController(w), limit: exportLimit}
	err = export.Write(out, format, direction, open)
	if errors.Is(err, export.ErrFilm) || errors.Is(err, export.ErrNoConversation) { // nothing was written
		w.Header().Del("Content-Disposition")
		return badRequest{err}
	}
	if err != nil {
		s.Logger.Debug("an export ended early", "session", sum.ID, "error", err)
		panic(http.ErrAbortHandler) // cuts the connection, so that the client sees that it is not whole
	}
	return nil
}

// bareEvents are events as they are for a terminal, or for people: without telnet's commands.
func (s *server) bareEvents(ctx context.Context, id session.ID, from uint64) (export.Reader, error) {
	events, err := s.Hub.Events(ctx, id, from)
	if err != nil {
		return nil, err
	}
	return events.Bare(), nil
}

// exportDirection is what of a session is exported: of what a terminal showed, what was typed if input says so.
func exportDirection(q url.Values, f export.Format) (export.Direction, error) {
	if !f.Plays() {
		if q.Has("input") {
			return "", bad("input goes with what a terminal showed, as asciicast: give direction")
		}
		if f == export.Pcapng && q.Has("direction") {
			return "", bad("direction does not go with pcapng, which has both: choose one in the program that reads it")
		}
		d, err := export.ParseDirection(q.Get("direction"))
		if err != nil {
			return "", badRequest{err}
		}
		return d, nil
	}
	if q.Has("direction") {
		return "", bad("direction does not go with %s, which has what was sent; input=true adds what was received", f)
	}
	if text := q.Get("input"); text != "" {
		input, err := strconv.ParseBool(text)
		if err != nil {
			return "", bad("input %q: use true or false", text)
		}
		if input {
			return export.Both, nil
		}
	}
	return export.Sent, nil
}
