package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// FindCmd finds what passed in a session.
type FindCmd struct {
	serverFlags
	Hex       bool   `xor:"form" help:"TEXT is hex digits; spaces, colons and 0x between them do not matter."`
	Case      bool   `xor:"form" help:"Upper and lower case are not alike."`
	Direction string `enum:"received,sent,both" default:"both" help:"Which way the bytes went: received, sent or both."`
	Limit     int    `default:"1000" placeholder:"N" help:"At most so many places: 1 to 10000 (${default})."`
	JSON      bool   `name:"json" help:"A line of JSON for each place, as in the REST interface."`
	ID        string `arg:"" help:"The session's id, or the first characters of it."`
	Text      string `arg:"" help:"What to find. It may begin in one event and end in another."`
}

// found is where something was found, or, with Done, how it ended.
type found struct {
	Number   uint64 `json:"number"`
	At       int64  `json:"at"` // µs since the session's start
	Kind     string `json:"kind"`
	Before   string `json:"before"`
	Match    string `json:"match"`
	After    string `json:"after"`
	Done     bool   `json:"done"`
	Hits     int    `json:"hits"`
	Complete bool   `json:"complete"`
}

// Run prints the places as they are found, and fails if there is none.
func (c *FindCmd) Run(ctx context.Context, std *stdio) error {
	if c.Limit < 1 || c.Limit > maxFound {
		return badUsage("--limit %d: must be from 1 to %d", c.Limit, maxFound)
	}
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	if c.Hex {
		data, err := parseHex(c.Text)
		if err != nil {
			return err
		}
		query.Set("hex", hex.EncodeToString(data))
	} else {
		query.Set("text", c.Text)
		query.Set("case", strconv.FormatBool(c.Case))
	}
	if c.Text == "" || c.Hex && query.Get("hex") == "" {
		return badUsage("find what? the text is empty")
	}
	if c.Direction != "both" {
		query.Set("direction", c.Direction)
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	sum, err := server.session(ctx, c.ID)
	if err != nil {
		return err
	}
	body, err := server.open(ctx, http.MethodGet, sessionPath(string(sum.ID))+"/find", query, "", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	last, err := c.print(ctx, std, body)
	switch {
	case err != nil:
		return err
	case last.Hits == 0:
		return fmt.Errorf("%s is not found in %s", c.what(), sum.ID)
	case !last.Complete:
		std.note("these are the first %d; there may be more: see --limit", last.Hits)
	}
	return nil
}

const maxFound = 10_000

func (c *FindCmd) what() string {
	if c.Hex {
		return printable(c.Text)
	}
	return strconv.Quote(c.Text)
}

// print prints what comes, and returns how it ended.
func (c *FindCmd) print(ctx context.Context, std *stdio, body io.Reader) (last found, err error) {
	bold, plain := "", ""
	if asTerminal(std.out) != nil {
		bold, plain = "\x1b[1m", "\x1b[0m"
	}
	in := bufio.NewReader(body)
	for {
		line, err := in.ReadBytes('\n')
		var at found
		if err == nil {
			err = json.Unmarshal(line, &at)
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return at, context.Cause(ctx)
		case err != nil:
			return at, fmt.Errorf("the search is not complete: %w", err)
		}
		if c.JSON {
			_, err = std.out.Write(line)
		} else if !at.Done {
			_, err = fmt.Fprintf(std.out, "%11s %s %-9s %-6s \"%s%s%s%s%s\"\n", formatOffset(at.At, true), arrowOf(at.Kind), at.Kind,
				"#"+strconv.FormatUint(at.Number, 10), quoted(at.Before), bold, quoted(at.Match), plain, quoted(at.After))
		}
		if err != nil || at.Done {
			return at, err
		}
	}
}

// arrowOf shows a direction, as lines of events do.
func arrowOf(kind string) string {
	if strings.HasPrefix(kind, "sent") {
		return "→"
	}
	return "←"
}

// quoted is a text as it stands between quotes.
func quoted(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
