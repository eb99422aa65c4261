package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// ScreenCmd shows what a session's terminal shows.
type ScreenCmd struct {
	serverFlags
	At     string `placeholder:"TIME|#N" help:"As it was then: a time (1m30s, 1:30) or behind an event (#12); without it, as it is now."`
	Format string `enum:"text,ansi,json,svg" default:"text" help:"text; ansi, which draws it on a terminal of its size; json; or svg, a picture."`
	ID     string `arg:"" help:"The session's id, the first characters of it, or a source's session as KIND:ID."`
}

// Run prints the screen.
func (c *ScreenCmd) Run(ctx context.Context, std *stdio) error {
	at, err := parseAt(c.At)
	if err != nil {
		return err
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	if isRef(c.ID) {
		sum, err := server.settled(ctx, c.ID)
		if err != nil {
			return err
		}
		c.ID = string(sum.ID)
	}
	query := at.query()
	query.Set("format", c.Format)
	body, err := server.open(ctx, http.MethodGet, sessionPath(c.ID)+"/screen", query, "", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(std.out, body); err != nil {
		return fmt.Errorf("the screen is not complete: %w", err)
	}
	return nil
}

// moment is when a screen was: behind an event, or at a time, or now.
type moment struct {
	number *uint64
	time   *time.Duration // since the session's start
}

func parseAt(text string) (m moment, err error) {
	number, offset, err := parsePlace("--at", text)
	switch {
	case err != nil || text == "":
	case number > 0:
		m.number = &number
	default:
		m.time = &offset
	}
	return m, err
}

func (m moment) query() url.Values {
	q := url.Values{}
	switch {
	case m.number != nil:
		q.Set("number", strconv.FormatUint(*m.number, 10))
	case m.time != nil:
		q.Set("time", strconv.FormatInt(m.time.Microseconds(), 10))
	}
	return q
}

// shot is a screen, and the number of the last event that is in it.
type shot struct {
	Number uint64 `json:"number"`
	Data   []byte `json:"data"` // draws it
}

// shot asks what a session's terminal showed.
func (c *client) shot(ctx context.Context, id session.ID, m moment) (s shot, err error) {
	err = c.call(ctx, http.MethodGet, sessionPath(string(id))+"/screen", m.query(), nil, &s)
	return s, err
}

// draws reports whether the bytes of a session are drawn by a terminal here: then what it showed before comes first.
func (f viewFlags) draws(std *stdio, sum *session.Summary) bool {
	return f.Raw && f.Direction != "received" && asTerminal(std.out) != nil && sum.Terminal != "" && sum.Record != session.RecordOff
}

// before is the moment right before a place.
func (p place) before() moment {
	if p.number > 0 {
		number := p.number - 1
		return moment{number: &number}
	}
	return moment{time: &p.offset}
}
