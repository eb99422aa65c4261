package switchboard

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/service/fleet"
	"github.com/switchboard-relay/switchboard/web"
)

var (
	_ fleet.Commander = (*command.Queue)(nil)
	_ web.Commands    = deviceCommands{}
)

// openCommands opens what devices are to be told.
func (sb *Switchboard) openCommands() error {
	sb.setCommandDefaults(sb.conf.Listeners)
	var err error
	sb.commands, err = command.Open(command.Options{Path: filepath.Join(sb.conf.Data, "commands.db"), Logger: sb.logger,
		Defaults: func(name string) command.Defaults { return (*sb.commandDefaults.Load())[name] }})
	return err
}

// setCommandDefaults takes over what the configuration says of each fleet's commands: of a fleet with several listeners, the first.
func (sb *Switchboard) setCommandDefaults(listeners []ListenerConfig) {
	defaults := map[string]command.Defaults{}
	for i := range listeners {
		d := listeners[i].Device
		if d == nil {
			continue
		}
		name := cmp.Or(d.Fleet, listeners[i].Name)
		if _, known := defaults[name]; known {
			continue
		}
		ttl, _ := ParseDuration(cmp.Or(d.Command.TTL, defaultCommandTTL))
		defaults[name] = command.Defaults{TTL: ttl, Ack: d.Command.Ack}
	}
	sb.commandDefaults.Store(&defaults)
}

// checkCommand checks the defaults of commands.
func (c *checker) checkCommand(at string, d *DeviceCommandConfig) {
	if ttl := c.duration(at+".ttl", d.TTL, defaultCommandTTL); d.TTL != "" && (ttl <= 0 || ttl > command.MaxTTL) {
		c.wrong(at+".ttl", "must be more than 0s, and at most 90d")
	}
	if err := command.CheckAck(d.Ack); err != nil {
		c.wrong(at+".ack", "%s", strings.TrimPrefix(err.Error(), command.ErrBad.Error()+": "))
	}
}

// deviceCommands are the commands, for who knows a device by its name alone.
type deviceCommands struct {
	*command.Queue
	sb *Switchboard
}

// Add implements web.Commands.
func (d deviceCommands) Add(ctx context.Context, req device.CommandRequest, by string) (device.Command, bool, error) {
	var err error
	if req.Fleet, err = d.sb.fleetOf(req.Fleet, req.Name); err != nil {
		return device.Command{}, false, err
	}
	return d.Queue.Add(ctx, req, by)
}

// fleetOf is the fleet of the device of a name: the one that was said, or that has it. A name may be told something before it
// ever came.
func (sb *Switchboard) fleetOf(said, name string) (string, error) {
	fleets := slices.Sorted(maps.Keys(*sb.commandDefaults.Load()))
	switch {
	case len(fleets) == 0:
		return "", fmt.Errorf("%w: no listener is one of devices: add one with service: device", command.ErrBad)
	case said != "" && !slices.Contains(fleets, said):
		return "", fmt.Errorf("%w: there is no fleet %q: there is %s", command.ErrBad, said, strings.Join(fleets, ", "))
	case name == device.Unknown:
		return "", fmt.Errorf("%w: %q is what devices are called that have no name: nothing can be told to one of them", command.ErrBad, name)
	case said != "":
		return said, nil
	case len(fleets) == 1:
		return fleets[0], nil
	}
	var have []string
	for _, f := range fleets {
		if _, _, err := sb.fleets.Get(f, name); err == nil {
			have = append(have, f)
		}
	}
	switch len(have) {
	case 1:
		return have[0], nil
	case 0:
		return "", fmt.Errorf("%w: no fleet knows a device %q: say its fleet, one of %s", command.ErrBad, name, strings.Join(fleets, ", "))
	}
	return "", fmt.Errorf("%w: several fleets have a device %q: say which, of %s", command.ErrBad, name, strings.Join(have, ", "))
}
