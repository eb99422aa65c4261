package web

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/find"
	"github.com/switchboard-relay/switchboard/session"
)

var findRoutes = []route{
	{"GET /api/v1/sessions/{id}/find", auth.Viewer, (*server).findIn},
}

const (
	defaultFindLimit = 1000
	maxFindLimit     = 10_000
	findFlushEvery   = 50 * time.Millisecond // at the most often, while there is something to say
)

var findKeys = map[string]bool{"text": true, "hex": true, "case": true, "direction": true, "since": true, "until": true,
	"limit": true}

// wanted is what is looked for in a session, and where.
type wanted struct {
	span
	needle *find.Needle
	limit  int
}

func parseFind(q url.Values, sum *session.Summary) (f wanted, err error) {
	for key := range q {
		if !findKeys[key] {
			return f, bad("no parameter is called %q: use text or hex, case, direction, since, until, limit", key)
		}
	}
	if f.needle, err = parseNeedle(q); err != nil {
		return f, err
	}
	f.limit = defaultFindLimit
	if text := q.Get("limit"); text != "" {
		if f.limit, err = strconv.Atoi(text); err != nil || f.limit < 1 || f.limit > maxFindLimit {
			return f, bad("limit %q: must be a number from 1 to %d", text, maxFindLimit)
		}
	}
	place := url.Values{"follow": {"false"}}
	for _, key := range []string{"direction", "since", "until"} {
		place.Set(key, q.Get(key))
	}
	f.span, err = parseSpan(place, sum)
	return f, err
}

func parseNeedle(q url.Values) (n *find.Needle, err error) {
	text, digits := q.Get("text"), q.Get("hex")
	exact := false
	if c := q.Get("case"); c != "" {
		if exact, err = strconv.ParseBool(c); err != nil {
			return nil, bad("case %q: use true or false", c)
		}
	}
	switch {
	case (text == "") == (digits == ""):
		return nil, bad("what to find is missing, or there twice: give text, or hex, such as hex=0d0a")
	case digits != "":
		data, err := hex.DecodeString(digits)
		if err != nil {
			return nil, bad("hex %.40q: must be two hex digits for each byte, such as 0d0a", digits)
		}
		n, err = find.Bytes(data)
		if err != nil {
			return nil, badRequest{err}
		}
		return n, nil
	case exact:
		n, err = find.Bytes([]byte(text))
	default:
		n, err = find.Text(text)
	}
	if err != nil {
		return nil, badRequest{err}
	}
	return n, nil
}

// findIn answers with the places of a session at which something stands, as lines of JSON, as they are found.
func (s *server) findIn(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	f, err := parseFind(r.URL.Query(), &sum)
	if err != nil {
		return err
	}
	if sum.Record == session.RecordOff {
		return errNotRecorded
	}
	if f.since != 0 {
		if f.from, err = s.Hub.NumberAt(r.Context(), sum.ID, f.since); err != nil {
			return err
		}
	}
	events, err := s.Hub.Events(r.Context(), sum.ID, f.from)
	if err != nil {
		return err
	}
	events.Bare()
	defer events.Close()
	if sum, err = s.Hub.Find(r.Context(), string(sum.ID)); err != nil { // with what was recorded right now
		return err
	}
	f.to = sum.Events // a session that goes on faster than it is read would have no end
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	out := &hits{lines: lines{w: w, ctl: http.NewResponseController(w), limit: flushLimit, span: f.span}, start: sum.Start}
	out.out = bufio.NewWriterSize(&out.lines, 32<<10)
	if err := out.flush(); err != nil {
		return nil
	}
	if err := out.run(r.Context(), events, f); err != nil && r.Context().Err() == nil {
		s.Logger.Debug("a search ended early", "session", sum.ID, "error", err)
		panic(http.ErrAbortHandler) // cuts the connection, so that the client sees that it is not whole
	}
	return nil
}

// hits writes what is found.
type hits struct {
	lines
	start   int64 // of the session, Unix µs
	count   int
	told    bool // nothing waits to be flushed
	flushed time.Time
}

// run looks through what is recorded until now.
func (h *hits) run(ctx context.Context, events source, f wanted) error {
	finder := find.New(f.needle, f.limit, h.hit)
	h.told = true
	err := h.search(ctx, events, finder)
	if err == nil {
		err = finder.End()
	}
	complete := !errors.Is(err, find.ErrLimit)
	if err != nil && complete {
		return err
	}
	h.buf = append(h.buf[:0], `{"done":true,"hits":`...)
	h.buf = strconv.AppendInt(h.buf, int64(h.count), 10)
	h.buf = append(h.buf, `,"complete":`...)
	h.buf = append(strconv.AppendBool(h.buf, complete), '}', '\n')
	if _, err := h.out.Write(h.buf); err != nil {
		return err
	}
	return h.flush()
}

func (h *hits) search(ctx context.Context, events source, finder *find.Finder) error {
	for {
		batch, err := events.TryNext()
		for _, e := range batch {
			if e.Number > h.span.to || h.span.until != 0 && e.Time > h.span.until {
				return nil
			}
			if e.Time < h.span.since || !h.span.direction.Shows(e.Kind) {
				continue
			}
			if err := finder.Event(e); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), len(batch) == 0 && err == nil:
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if err := h.tell(); err != nil {
			return err
		}
	}
}

// tell flushes, if there is anything to flush and the last time was not just now.
func (h *hits) tell() error {
	if h.told || time.Since(h.flushed) < findFlushEvery {
		return nil
	}
	h.told, h.flushed = true, time.Now()
	return h.flush()
}

func (h *hits) hit(hit find.Hit) error {
	h.count++
	h.told = false
	b := append(h.buf[:0], `{"number":`...)
	b = strconv.AppendUint(b, hit.Number, 10)
	b = append(b, `,"at":`...)
	b = strconv.AppendInt(b, max(hit.Time-h.start, 0), 10)
	b = append(b, `,"kind":"`...)
	b = append(b, hit.Kind.String()...)
	b = append(b, `","offset":`...)
	b = strconv.AppendInt(b, int64(hit.Offset), 10)
	b = append(b, `,"length":`...)
	b = strconv.AppendInt(b, int64(hit.Length), 10)
	b = export.AppendString(append(b, `,"before":`...), hit.Before)
	b = export.AppendString(append(b, `,"match":`...), hit.Match)
	b = export.AppendString(append(b, `,"after":`...), hit.After)
	h.buf = append(b, '}', '\n')
	_, err := h.out.Write(h.buf)
	return err
}
