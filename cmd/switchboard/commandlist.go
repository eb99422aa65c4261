package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/device"
)

// CommandsCmd lists commands.
type CommandsCmd struct {
	serverFlags
	Fleet string `placeholder:"NAME" help:"Only those of this fleet."`
	State string `placeholder:"STATE" help:"Only those that are queued, writing, written, acknowledged, done, unanswered, expired, uncertain, cancelled or failed."`
	Limit int    `default:"100" help:"At most so many, the newest."`
	JSON  bool   `name:"json" help:"An array of objects."`
	Name  string `arg:"" optional:"" help:"Only those of this device."`
}

// Run prints a line for each, the newest first.
func (c *CommandsCmd) Run(ctx context.Context, std *stdio) error {
	if c.State != "" && !slices.Contains(command.States, device.CommandState(c.State)) {
		return badUsage("--state %s: the states are %s", printable(c.State), joinStates())
	}
	if c.Limit < 1 || c.Limit > command.MaxList {
		return badUsage("--limit must be from 1 to %d", command.MaxList)
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	q := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for key, value := range map[string]string{"fleet": c.Fleet, "state": c.State, "name": c.Name} {
		if value != "" {
			q.Set(key, value)
		}
	}
	var list struct {
		Commands []device.Command `json:"commands"`
	}
	if err := server.call(ctx, http.MethodGet, commandsPath, q, nil, &list); err != nil {
		return err
	}
	if c.JSON {
		return writeIndented(std, list.Commands)
	}
	if len(list.Commands) == 0 {
		std.note("there are no such commands")
		return nil
	}
	var rows [][]string
	for _, cmd := range list.Commands {
		rows = append(rows, commandRow(cmd))
	}
	columns, width := commandColumns, terminalWidth(std.out)
	if width > 0 {
		columns, rows = withoutEmpty(columns, rows)
	}
	return writeTable(std.out, columns, rows, width)
}

func joinStates() (text string) {
	for i, s := range command.States {
		if i > 0 {
			text += ", "
		}
		text += string(s)
	}
	return text
}

// shownData is how much of a command's bytes a list shows.
const shownData = 48

func commandRow(c device.Command) []string {
	data := printable(string(c.Data[:min(len(c.Data), shownData)]))
	if len(c.Data) > shownData {
		data += "…"
	}
	since := formatAge(time.Since(time.UnixMicro(c.Created))) + " ago"
	why := c.Error
	if c.ResendOf != "" {
		why = strings.TrimSuffix("repeats "+c.ResendOf+": "+why, ": ")
	}
	return []string{printable(c.ID), printable(c.Fleet), printable(c.Name), string(c.State), since, printable(c.By), data,
		printable(string(c.Answer)), printable(why)}
}

var commandColumns = []column{
	{title: "ID", least: 8},
	{title: "FLEET", keep: 5, least: 5},
	{title: "NAME", least: 8},
	{title: "STATE"},
	{title: "ASKED", keep: 3, right: true},
	{title: "BY", keep: 6, least: 4},
	{title: "DATA", keep: 2, least: 8},
	{title: "ANSWER", keep: 4, least: 6},
	{title: "WHY", keep: 1, least: 8},
}
