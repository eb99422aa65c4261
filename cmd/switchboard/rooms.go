package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

// RoomsCmd lists rooms, or the members of one.
type RoomsCmd struct {
	serverFlags
	Name *string `arg:"" optional:"" help:"A room's name: its members are listed."`
	JSON bool    `name:"json" help:"An array of objects; with NAME one object."`
}

// Run prints the list.
func (c *RoomsCmd) Run(ctx context.Context, std *stdio) error {
	if c.Name != nil {
		return c.one(ctx, std, *c.Name)
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	var list []room.Status
	if err := server.call(ctx, http.MethodGet, "/api/v1/rooms", nil, nil, &list); err != nil {
		return err
	}
	if c.JSON {
		return writeIndented(std, list)
	}
	if len(list) == 0 {
		std.note("there are no rooms: a listener with service: room makes one")
		return nil
	}
	rows := make([][]string, len(list))
	for i, r := range list {
		rows[i] = []string{printable(r.Name), strconv.Itoa(r.Members), strconv.FormatUint(r.Offset, 10),
			describeMapping(r.Mapping), r.Session.Short()}
	}
	return writeTable(std.out, roomColumns, rows, terminalWidth(std.out))
}

func (c *RoomsCmd) one(ctx context.Context, std *stdio, name string) error {
	path, err := roomPath(name)
	if err != nil {
		return err
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	var r web.Room
	if err := server.call(ctx, http.MethodGet, path, nil, nil, &r); err != nil {
		return err
	}
	if c.JSON {
		return writeIndented(std, r)
	}
	if len(r.Present) == 0 {
		std.note("nobody is in the room %s", printable(r.Name))
		return nil
	}
	rows := make([][]string, len(r.Present))
	for i, p := range r.Present {
		since := ""
		if at, err := time.Parse(time.RFC3339Nano, p.Since); err == nil {
			since = formatAge(time.Since(at)) + " ago"
		}
		rows[i] = []string{p.Session.Short(), printable(p.Name), printable(p.Transport), printable(p.Remote), since,
			printable(p.ID)}
	}
	columns, width := memberColumns, terminalWidth(std.out)
	if width > 0 {
		columns, rows = withoutEmpty(columns, rows)
	}
	return writeTable(std.out, columns, rows, width)
}

var roomColumns = []column{
	{title: "NAME", least: 8},
	{title: "MEMBERS", right: true},
	{title: "MESSAGES", keep: 1, right: true},
	{title: "FORMAT", keep: 2, least: 6},
	{title: "RECORDING", keep: 3},
}

var memberColumns = []column{
	{title: "SESSION"},
	{title: "NAME", keep: 2, least: 8},
	{title: "TRANSPORT", keep: 3},
	{title: "REMOTE", keep: 1, least: 12},
	{title: "CAME", keep: 4, right: true},
	{title: "ID", keep: 5, least: 8},
}

// describeMapping says how bytes and events become each other: text, or json as move.at.
func describeMapping(m session.Mapping) string {
	as := m.EventName()
	if m.Field != "" {
		as += "." + m.Field
	}
	if as == session.DefaultEvent {
		return string(m.Format)
	}
	return printable(string(m.Format) + " as " + as)
}

// roomPath is where a room of any name is. Points are escaped too: a name of two of them would lead a folder up.
func roomPath(name string) (string, error) {
	if name == "" {
		return "", badUsage(`an empty name names no room: "switchboard rooms" lists the names`)
	}
	return "/api/v1/rooms/" + strings.ReplaceAll(url.PathEscape(name), ".", "%2E"), nil
}

func writeIndented(std *stdio, v any) error {
	enc := json.NewEncoder(std.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
