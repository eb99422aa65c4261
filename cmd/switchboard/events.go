package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// position says how far a reader of events has come. Several events may share a number (the messages of one delivery),
// so it takes two figures to go on exactly where one stopped.
type position struct {
	number uint64 // of the newest event seen, or of the first to ask for
	seen   int    // how many events of that number were seen
}

// pass moves the position behind an event.
func (p *position) pass(number uint64) {
	if number != p.number {
		p.number, p.seen = number, 0
	}
	p.seen++
}

// eventStream is one answer of the server, event by event.
type eventStream struct {
	ctx  context.Context
	stop context.CancelFunc
	body io.ReadCloser
	dec  *json.Decoder
	pos  *position
	skip int // events that the answer repeats
}

// span limits an eventStream. The zero span is the whole session.
type span struct {
	direction string // received or sent; else both

	to      uint64        // the last number; 0 means to the end
	since   time.Duration // offset from the session's start; used instead of the position if bySince
	follow  bool          // wait for what comes, if the session is live
	bySince bool
	bare    bool // without telnet's commands
}

// events reads a session from pos on, and moves pos along. Close it.
func (c *client) events(ctx context.Context, id session.ID, pos *position, s span) (*eventStream, error) {
	query := url.Values{"follow": {strconv.FormatBool(s.follow)}}
	if s.bySince {
		query.Set("since", s.since.String())
	} else {
		query.Set("from", strconv.FormatUint(max(pos.number, 1), 10))
	}
	if s.direction != "" {
		query.Set("direction", s.direction)
	}
	if s.bare {
		query.Set("bare", "true")
	}
	if s.to > 0 {
		query.Set("to", strconv.FormatUint(s.to, 10))
	}
	ctx, stop := context.WithCancel(ctx)
	body, err := c.open(ctx, http.MethodGet, sessionPath(string(id))+"/events", query, "", nil)
	if err != nil {
		stop()
		return nil, err
	}
	e := &eventStream{ctx: ctx, stop: stop, body: body, dec: json.NewDecoder(body), pos: pos}
	if s.bySince {
		*pos = position{}
	}
	e.skip = pos.seen
	return e, nil
}

// next waits for the next event that the position has not passed yet; io.EOF after the last.
func (e *eventStream) next() (session.Event, error) {
	for {
		var ev session.Event
		if err := e.dec.Decode(&ev); err != nil {
			if e.ctx.Err() != nil {
				err = e.ctx.Err()
			}
			if errors.Is(err, io.EOF) {
				return ev, io.EOF
			}
			return ev, fmt.Errorf("read events: %w", err)
		}
		if e.skip > 0 && ev.Number == e.pos.number {
			e.skip--
			continue
		}
		e.skip = 0
		e.pos.pass(ev.Number)
		return ev, nil
	}
}

func (e *eventStream) Close() {
	e.stop()
	e.body.Close()
}

// more reports whether part of another event has already come.
func (e *eventStream) more() bool {
	rest, ok := e.dec.Buffered().(interface{ Len() int })
	return ok && rest.Len() > 1 // one byte is the newline behind the last event
}
