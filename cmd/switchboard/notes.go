package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// NoteCmd writes a note about a session, or about a moment of it.
type NoteCmd struct {
	serverFlags
	At   string  `placeholder:"TIME" help:"The moment that it is about, from the session's start: 1m30s, 1:30."`
	ID   string  `arg:"" help:"The session's id, or the first characters of it."`
	Text *string `arg:"" optional:"" help:"What to write; with --at it may be left out."`
}

// Run writes it.
func (c *NoteCmd) Run(ctx context.Context, std *stdio) error {
	var note struct {
		At   *int64 `json:"at,omitempty"`
		Text string `json:"text"`
	}
	if c.At != "" {
		at, ok := parseClock(c.At)
		if !ok {
			var err error
			if at, err = time.ParseDuration(c.At); err != nil || at < 0 {
				return badUsage("--at %s: must be a time from the session's start (1m30s, 1:30)", c.At)
			}
		}
		us := at.Microseconds()
		note.At = &us
	}
	if c.Text != nil {
		note.Text = *c.Text
	}
	if note.Text == "" && note.At == nil {
		return badUsage("note what? a text is needed; only with --at it may be left out")
	}
	body, err := json.Marshal(note)
	if err != nil {
		return err
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	sum, err := server.session(ctx, c.ID)
	if err != nil {
		return err
	}
	if err := server.call(ctx, http.MethodPost, sessionPath(string(sum.ID))+"/notes", nil, body, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s noted\n", sum.ID)
	return err
}

// NotesCmd lists a session's notes.
type NotesCmd struct {
	serverFlags
	JSON bool   `name:"json" help:"An array of objects."`
	ID   string `arg:"" help:"The session's id, or the first characters of it."`
}

// Run prints the list.
func (c *NotesCmd) Run(ctx context.Context, std *stdio) error {
	server, err := c.find()
	if err != nil {
		return err
	}
	sum, err := server.session(ctx, c.ID)
	if err != nil {
		return err
	}
	var list []session.Note
	if err := server.call(ctx, http.MethodGet, sessionPath(string(sum.ID))+"/notes", nil, nil, &list); err != nil {
		return err
	}
	if c.JSON {
		return writeIndented(std, list)
	}
	if len(list) == 0 {
		std.note("%s has no notes: \"switchboard note\" writes one", sum.ID)
		return nil
	}
	rows := make([][]string, len(list))
	for i, n := range list {
		at := ""
		if n.At != nil {
			at = formatOffset(*n.At, true)
		}
		rows[i] = []string{at, printable(n.By), formatAge(time.Since(time.UnixMicro(n.Time))) + " ago", printable(n.Text)}
	}
	return writeTable(std.out, noteColumns, rows, terminalWidth(std.out))
}

var noteColumns = []column{
	{title: "AT", right: true},
	{title: "BY", keep: 1},
	{title: "WRITTEN", keep: 2, right: true},
	{title: "NOTE", least: 20},
}
