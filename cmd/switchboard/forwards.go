package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/device"
)

// ForwardsCmd lists the forwards, or has one stop or go on.
type ForwardsCmd struct {
	serverFlags
	JSON   bool   `name:"json" help:"An array of objects."`
	Pause  string `placeholder:"NAME" help:"Stop a forward until it is resumed."`
	Resume string `placeholder:"NAME" help:"Let a forward go on."`
}

// Run prints a line for each forward.
func (c *ForwardsCmd) Run(ctx context.Context, std *stdio) error {
	if c.Pause != "" && c.Resume != "" {
		return badUsage("--pause and --resume do not go together")
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	for name, verb := range map[string]string{c.Pause: "pause", c.Resume: "resume"} {
		if name == "" {
			continue
		}
		if err := server.call(ctx, http.MethodPost, "/api/v1/forwards/"+url.PathEscape(name)+"/"+verb, nil, nil, nil); err != nil {
			return err
		}
	}
	var list struct {
		Forwards []device.ForwardStatus `json:"forwards"`
	}
	if err := server.call(ctx, http.MethodGet, "/api/v1/forwards", nil, nil, &list); err != nil {
		return err
	}
	if c.JSON {
		return writeIndented(std, list.Forwards)
	}
	if len(list.Forwards) == 0 {
		std.note("there are no forwards: add one below forwards in the configuration, or a web_server to a listener of devices")
		return nil
	}
	var rows [][]string
	for _, f := range list.Forwards {
		rows = append(rows, forwardRow(&f))
	}
	columns, width := forwardColumns, terminalWidth(std.out)
	if width > 0 {
		columns, rows = withoutEmpty(columns, rows)
	}
	return writeTable(std.out, columns, rows, width)
}

func forwardRow(f *device.ForwardStatus) []string {
	oldest, behind := "", ""
	if f.Oldest != 0 {
		oldest = formatAge(time.Since(time.UnixMicro(f.Oldest)))
	}
	if f.Devices > 0 {
		behind = strconv.Itoa(f.Devices)
	}
	refused := ""
	if f.Refused > 0 {
		refused = strconv.FormatUint(f.Refused, 10)
	}
	return []string{printable(f.Name), printable(strings.Join(f.Fleets, ",")), printable(f.To), f.State,
		strconv.FormatUint(f.Delivered, 10), refused, behind, oldest, printable(f.Error)}
}

var forwardColumns = []column{
	{title: "FORWARD", least: 8},
	{title: "FLEETS", keep: 5, least: 6},
	{title: "TO", keep: 2, least: 12},
	{title: "STATE"},
	{title: "DELIVERED", keep: 3, right: true},
	{title: "REFUSED", keep: 4, right: true},
	{title: "BEHIND", keep: 3, right: true},
	{title: "OLDEST", keep: 3, right: true},
	{title: "LAST ERROR", keep: 1, least: 8},
}
