package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/threeend"
)

// SourcesCmd lists the three-end sources.
type SourcesCmd struct {
	serverFlags
	JSON bool `name:"json" help:"An array of objects."`
}

// Run prints a line for each kind of each source.
func (c *SourcesCmd) Run(ctx context.Context, std *stdio) error {
	server, err := c.find()
	if err != nil {
		return err
	}
	var list struct {
		Sources []threeend.SourceStatus `json:"sources"`
	}
	if err := server.call(ctx, http.MethodGet, "/api/v1/sources", nil, nil, &list); err != nil {
		return err
	}
	if c.JSON {
		return writeIndented(std, list.Sources)
	}
	var rows [][]string
	for _, s := range list.Sources {
		for _, k := range s.Kinds {
			rows = append(rows, sourceRow(s.Name, k))
		}
	}
	if len(rows) == 0 {
		std.note("there are no sources: add one below sources in the configuration, or try \"switchboard source\"")
		return nil
	}
	columns, width := sourceColumns, terminalWidth(std.out)
	if width > 0 {
		columns, rows = withoutEmpty(columns, rows)
	}
	return writeTable(std.out, columns, rows, width)
}

func sourceRow(source string, k threeend.KindStatus) []string {
	since := ""
	if k.Since != 0 {
		since = formatAge(time.Since(time.UnixMicro(k.Since))) + " ago"
	}
	return []string{printable(source), printable(k.Kind), printable(k.Address), string(k.State), since, strconv.Itoa(k.Sessions),
		printable(k.LastError)}
}

var sourceColumns = []column{
	{title: "SOURCE", least: 8},
	{title: "KIND", least: 4},
	{title: "ADDRESS", keep: 2, least: 12},
	{title: "STATE"},
	{title: "SINCE", keep: 4, right: true},
	{title: "SESSIONS", keep: 3, right: true},
	{title: "LAST ERROR", keep: 1, least: 8},
}
