package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/device"
)

// DevicesCmd lists devices, admits them or forgets them.
type DevicesCmd struct {
	List   DevicesListCmd   `cmd:"" default:"withargs" help:"List devices, connected or not."`
	Admit  DevicesAdmitCmd  `cmd:"" help:"Make names known: what is held of them goes on."`
	Forget DevicesForgetCmd `cmd:"" help:"Forget devices that are not connected."`
}

// DevicesListCmd lists devices.
type DevicesListCmd struct {
	serverFlags
	Fleet   string `placeholder:"NAME" help:"Those of one fleet."`
	State   string `enum:"online,offline,held,all" default:"all" help:"online, offline, held or all."`
	JSON    bool   `name:"json" help:"An array of objects."`
	Pattern string `arg:"" optional:"" help:"What their names contain; with a *, what they are like."`
}

const devicesPath = "/api/v1/devices"

// Run prints a line for each device, and how many there are.
func (c *DevicesListCmd) Run(ctx context.Context, std *stdio) error {
	server, err := c.find()
	if err != nil {
		return err
	}
	q := url.Values{"q": {c.Pattern}, "fleet": {c.Fleet}}
	if c.State != "all" {
		q.Set("state", c.State)
	}
	list, counts := []device.Status{}, device.Counts{}
	for more := true; more; {
		var page device.Page
		if err := server.call(ctx, http.MethodGet, devicesPath, q, nil, &page); err != nil {
			return err
		}
		list, counts = append(list, page.Devices...), page.Counts
		q.Set("after", page.Next)
		more = page.Next != ""
	}
	if c.JSON {
		return writeIndented(std, list)
	}
	var rows [][]string
	for i := range list {
		rows = append(rows, deviceRow(&list[i]))
	}
	if len(rows) > 0 {
		columns, width := deviceColumns, terminalWidth(std.out)
		if width > 0 {
			columns, rows = withoutEmpty(columns, rows)
		}
		if err := writeTable(std.out, columns, rows, width); err != nil {
			return err
		}
	}
	std.note("%d online, %d offline, %d held", counts.Online, counts.Offline, counts.Held)
	return nil
}

func deviceRow(st *device.Status) []string {
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	flagged, waiting := "", ""
	if st.Flagged > 0 {
		flagged = number(st.Flagged)
	}
	if st.Waiting > 0 {
		waiting = strconv.Itoa(st.Waiting)
	}
	return []string{printable(st.Fleet), printable(st.Name), string(st.State), ago(st.Since), ago(st.LastHeard), number(st.Messages), flagged,
		number(st.Connections), waiting, printable(st.Remote), st.Session.Short(), st.Cause}
}

// ago is how long ago a time was, Unix µs, empty if it never was.
func ago(us int64) string {
	if us == 0 {
		return ""
	}
	return formatAge(time.Since(time.UnixMicro(us))) + " ago"
}

var deviceColumns = []column{
	{title: "FLEET", keep: 6, least: 5},
	{title: "NAME", least: 15},
	{title: "STATE"},
	{title: "SINCE", keep: 4, right: true},
	{title: "HEARD", right: true},
	{title: "MESSAGES", keep: 1, right: true},
	{title: "FLAGGED", keep: 2, right: true},
	{title: "CONNECTIONS", keep: 8, right: true},
	{title: "WAITING", keep: 2, right: true},
	{title: "REMOTE", keep: 7, least: 12},
	{title: "SESSION", keep: 3},
	{title: "CAUSE", keep: 5},
}

// deviceFlags name devices.
type deviceFlags struct {
	serverFlags
	Fleet string   `placeholder:"NAME" help:"Their fleet, where several have a name."`
	Names []string `arg:"" name:"name" help:"The devices' names."`
}

// DevicesAdmitCmd makes names known.
type DevicesAdmitCmd struct{ deviceFlags }

// Run admits them one after the other.
func (c *DevicesAdmitCmd) Run(ctx context.Context, std *stdio) error {
	return c.each(ctx, std, c.Names, func(server *client, name string) error {
		st := device.Status{Fleet: c.Fleet, Name: name}
		var err error
		if c.Fleet == "" {
			st, err = server.device(ctx, "", name)
			if errors.Is(err, errNoDevice) {
				return fmt.Errorf("%w; to admit one before it comes, say its --fleet", err)
			} else if err != nil {
				return err
			}
		}
		if err := server.call(ctx, http.MethodPost, devicePath(st)+"/admit", nil, nil, &st); err != nil {
			return err
		}
		_, err = fmt.Fprintf(std.out, "%s admitted, %s\n", printable(st.Name), st.State)
		return err
	})
}

// DevicesForgetCmd forgets devices.
type DevicesForgetCmd struct{ deviceFlags }

// Run forgets them one after the other.
func (c *DevicesForgetCmd) Run(ctx context.Context, std *stdio) error {
	return c.each(ctx, std, c.Names, func(server *client, name string) error {
		st, err := server.device(ctx, c.Fleet, name)
		if err != nil {
			return err
		}
		if err := server.call(ctx, http.MethodDelete, devicePath(st), nil, nil, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(std.out, "%s forgotten\n", printable(st.Name))
		return err
	})
}

// errNoDevice says that a name is no device's.
var errNoDevice = errors.New("no device")

func devicePath(st device.Status) string {
	return devicesPath + "/" + url.PathEscape(st.Fleet) + "/" + url.PathEscape(st.Name)
}

// device is the one of a name. Without a fleet the name must be that of one device only.
func (c *client) device(ctx context.Context, fleet, name string) (found device.Status, err error) {
	if fleet != "" {
		found = device.Status{Fleet: fleet, Name: name}
		return found, c.call(ctx, http.MethodGet, devicePath(found), nil, nil, &found)
	}
	q := url.Values{"q": {name}}
	for more := true; more; {
		var page device.Page
		if err := c.call(ctx, http.MethodGet, devicesPath, q, nil, &page); err != nil {
			return found, err
		}
		for _, st := range page.Devices {
			if st.Name == name && found.Name != "" {
				return found, badUsage("%s is the name of devices of %s and %s: say which with --fleet", name, found.Fleet, st.Fleet)
			}
			if st.Name == name {
				found = st
			}
		}
		q.Set("after", page.Next)
		more = page.Next != ""
	}
	if found.Name == "" {
		return found, fmt.Errorf("%w is called %q: \"switchboard devices\" lists them", errNoDevice, name)
	}
	return found, nil
}

// DeviceCmd shows a device.
type DeviceCmd struct {
	serverFlags
	Fleet string `placeholder:"NAME" help:"The device's fleet, where several have the name."`
	JSON  bool   `name:"json" help:"An object, without messages."`
	Hex   bool   `help:"Messages as hex dumps."`
	Name  string `arg:"" help:"The device's name."`
}

// Run prints its state, its newest connections, and what it said last.
func (c *DeviceCmd) Run(ctx context.Context, std *stdio) error {
	server, err := c.find()
	if err != nil {
		return err
	}
	st, err := server.device(ctx, c.Fleet, c.Name)
	if err != nil {
		return err
	}
	var d struct {
		device.Status
		List []device.Connection `json:"connections_list"`
	}
	if err := server.call(ctx, http.MethodGet, devicePath(st), nil, nil, &d); err != nil {
		return err
	}
	if c.JSON {
		return writeIndented(std, d)
	}
	state := string(d.State)
	if d.Cause != "" {
		state += " (" + d.Cause + ")"
	}
	if d.Since != 0 {
		state += ", since " + ago(d.Since)
	} else {
		state += ", never connected"
	}
	pairs := [][]string{{"Name", printable(d.Name)}, {"Fleet", printable(d.Fleet)}, {"State", state},
		{"Heard", ago(d.LastHeard)}, {"First seen", ago(d.FirstSeen)},
		{"Messages", fmt.Sprintf("%d, %d with something wrong", d.Messages, d.Flagged)},
		{"Received", formatBytes(d.Received)}, {"Sent", formatBytes(d.Sent)}, {"Commands", fmt.Sprintf("%d wait", d.Waiting)}}
	for _, p := range pairs {
		fmt.Fprintf(std.out, "%-12s%s\n", p[0], p[1])
	}
	fmt.Fprintf(std.out, "\nConnections  %d\n", d.Connections)
	var rows [][]string
	for _, l := range d.List[:min(len(d.List), 10)] {
		lasted, cause := time.Since(time.UnixMicro(l.Start)), "online"
		if l.End != 0 {
			lasted, cause = time.Duration(l.End-l.Start)*time.Microsecond, string(l.Cause)
		}
		rows = append(rows, []string{l.Session.Short(), printable(l.Remote), ago(l.Start), formatAge(lasted),
			strconv.FormatUint(l.Messages, 10), cause})
	}
	if len(rows) > 0 {
		if err := writeTable(std.out, connectionColumns, rows, terminalWidth(std.out)); err != nil {
			return err
		}
	}
	if d.Session == "" {
		return nil
	}
	fmt.Fprintln(std.out, "\nMessages")
	list, err := server.messages(ctx, string(d.Session), url.Values{"limit": {"10"}})
	if err != nil {
		std.note("the newest messages: %s", oneLine(err))
		return nil
	}
	return writeMessages(std.out, list.Messages, c.Hex)
}

var connectionColumns = []column{{title: "SESSION"}, {title: "REMOTE", keep: 1, least: 12}, {title: "BEGAN", right: true},
	{title: "LASTED", right: true}, {title: "MESSAGES", keep: 2, right: true}, {title: "CAUSE"}}
