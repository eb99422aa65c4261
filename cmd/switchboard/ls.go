package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// LsCmd lists sessions.
type LsCmd struct {
	serverFlags
	Live      bool   `xor:"state" help:"Only those that are connected now."`
	Recorded  bool   `xor:"state" help:"Only those that have ended."`
	Listener  string `placeholder:"NAME" help:"Only those of this listener."`
	Name      string `placeholder:"TEXT" help:"Only those whose name contains this."`
	Remote    string `placeholder:"TEXT" help:"Only those whose far end's address contains this."`
	Transport string `placeholder:"NAME" help:"Only those over tcp, tls, udp, unix, …"`
	Cause     string `placeholder:"CAUSE" help:"Only those that ended so: hung up, kicked, idle, …"`
	Since     string `placeholder:"TIME" help:"Only those that were there then or later: 2h, 3d, 15:04, 2026-11-30."`
	Until     string `placeholder:"TIME" help:"Only those that began before this."`
	Rooms     bool   `help:"The rooms' own recordings as well."`
	Limit     int    `default:"1000" help:"At most so many, the newest."`
	JSON      bool   `name:"json" help:"An array of objects."`
}

// listed is a session as ls --json shows it: the fields that people filter by are always there.
type listed struct {
	session.Summary
	Name string `json:"name"`
}

// Run prints the list.
func (c *LsCmd) Run(ctx context.Context, std *stdio) error {
	query, err := c.query(time.Now())
	if err != nil {
		return err
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	var list []session.Summary
	if err := server.call(ctx, http.MethodGet, "/api/v1/sessions", query, nil, &list); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(std, list)
	}
	if len(list) == 0 {
		std.note("no session is like that")
		return nil
	}
	width := terminalWidth(std.out)
	columns, rows := sessionColumns, sessionRows(list, time.Now())
	if width > 0 {
		columns, rows = withoutEmpty(columns, rows)
	}
	err = writeTable(std.out, columns, rows, width)
	if err == nil && len(list) == c.Limit {
		std.note("these are the newest %d: there may be more, see --limit", c.Limit)
	}
	return err
}

func (c *LsCmd) query(now time.Time) (url.Values, error) {
	if c.Limit < 1 {
		return nil, badUsage("--limit %d: must be 1 or more", c.Limit)
	}
	q := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	switch {
	case c.Live:
		set("state", string(session.Live))
	case c.Recorded:
		set("state", string(session.Recorded))
	}
	if c.Cause != "" {
		if _, err := session.ParseCause(c.Cause); err != nil {
			return nil, badUsage("--cause: no cause is named %q; the causes are %s", c.Cause, causeNames())
		}
	}
	since, err := parseMoment("since", c.Since, now)
	if err != nil {
		return nil, err
	}
	until, err := parseMoment("until", c.Until, now)
	if err != nil {
		return nil, err
	}
	set("since", since)
	set("until", until)
	set("listener", c.Listener)
	set("name", c.Name)
	set("remote", c.Remote)
	set("transport", c.Transport)
	set("cause", c.Cause)
	if c.Rooms {
		set("rooms", "true")
	}
	return q, nil
}

func causeNames() string {
	names := make([]string, len(session.Causes))
	for i, cause := range session.Causes {
		names[i] = string(cause)
	}
	return strings.Join(names, ", ")
}

func writeJSON(std *stdio, list []session.Summary) error {
	out := make([]listed, len(list))
	for i, s := range list {
		out[i] = listed{s, s.Name}
	}
	return writeIndented(std, out)
}

var sessionColumns = []column{
	{title: "ID"},
	{title: "STATE", least: 8},
	{title: "NAME", keep: 2, least: 8},
	{title: "LISTENER", keep: 3, least: 6},
	{title: "REMOTE", keep: 1, least: 12},
	{title: "BEGAN", keep: 4, right: true},
	{title: "LASTED", keep: 5, right: true},
	{title: "RECEIVED", keep: 6, right: true},
	{title: "SENT", keep: 7, right: true},
	{title: "EVENTS", keep: 9, right: true},
	{title: "WATCHERS", keep: 10, right: true},
	{title: "BY", keep: 8, least: 6},
}

// sessionRows fills sessionColumns.
func sessionRows(list []session.Summary, now time.Time) [][]string {
	rows := make([][]string, len(list))
	for i, s := range list {
		state, end, watchers := "live", now.UnixMicro(), ""
		if s.State != session.Live {
			state, end = string(s.Cause), s.End
		}
		if s.Pinned {
			state += ", pinned"
		}
		if s.Watchers > 0 {
			watchers = strconv.Itoa(s.Watchers)
		}
		by := s.By
		if s.Reason != "" {
			by += ": " + s.Reason
		}
		rows[i] = []string{
			s.ID.Short(), state, printable(s.Name), s.Listener, printable(s.Remote),
			formatAge(now.Sub(time.UnixMicro(s.Start))) + " ago", formatAge(micros(end - s.Start)),
			formatBytes(s.ReceivedBytes), formatBytes(s.SentBytes), strconv.FormatUint(s.Events, 10), watchers,
			printable(by),
		}
	}
	return rows
}

// withoutEmpty drops the columns that have nothing in any row, which saves room on a terminal. In a pipe each column
// keeps its place.
func withoutEmpty(columns []column, rows [][]string) ([]column, [][]string) {
	used := make([]bool, len(columns))
	for i, c := range columns {
		used[i] = c.keep == 0 || slices.ContainsFunc(rows, func(row []string) bool { return row[i] != "" })
	}
	pick := func(row []string) (kept []string) {
		for i, cell := range row {
			if used[i] {
				kept = append(kept, cell)
			}
		}
		return kept
	}
	var kept []column
	for i, c := range columns {
		if used[i] {
			kept = append(kept, c)
		}
	}
	out := make([][]string, len(rows))
	for i, row := range rows {
		out[i] = pick(row)
	}
	return kept, out
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

// printable makes what a far end said harmless to a terminal: control characters become visible.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
