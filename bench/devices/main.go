//go:build linux

// Command devices measures fleets of devices: framers, idle devices, registrations, messages on their way to the web server, takeovers,
// commands, a target that is away, and ten thousand devices that do what devices do.
package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

var (
	devices     = flag.Int("devices", 10_000, "devices of idle, fleet and storm")
	rounds      = flag.Int("rounds", 3, "rounds of idle and throughput")
	messageRate = flag.Int("rate", 50_000, "throughput: messages a second")
	lasts       = flag.Duration("lasts", 0, "how long throughput (10s), commands (10s) and fleet (60s) last")
	away        = flag.Duration("away", 10*time.Minute, "outage: how long the target is away")
	only        = flag.String("only", "", "some of framers,idle,registration,throughput,takeover,commands,outage,fleet,storm; default: all")
)

// figure is one thing that is measured.
type figure struct {
	name string
	take func(r *benchkit.Run) error
}

var figures = []figure{{"framers", framers}, {"idle", idle}, {"registration", registration}, {"throughput", throughput}, {"takeover", takeover},
	{"commands", commands}, {"outage", outage}, {"fleet", wholeFleet}, {"storm", storm}}

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "devices",
		About: "fleets of devices: framing, registering, forwarding, commands",
		Run:   run,
		Roles: map[string]benchkit.Role{loadRole: serveLoad},
	})
}

func run(r *benchkit.Run) error {
	names := strings.FieldsFunc(*only, func(c rune) bool { return c == ',' })
	for _, name := range names {
		if !slices.ContainsFunc(figures, func(f figure) bool { return f.name == name }) {
			return fmt.Errorf("-only %s: there is no such figure", name)
		}
	}
	if limit := benchkit.FileLimit(); limit < *devices+600 {
		return fmt.Errorf("this process may open %d files and needs %d: ulimit -n", limit, *devices+600)
	}
	r.Progress("building")
	if _, err := r.Build(); err != nil {
		return err
	}
	for _, f := range figures {
		if len(names) > 0 && !slices.Contains(names, f.name) {
			continue
		}
		if err := f.take(r); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// lasting is how long a figure is taken.
func lasting(usual time.Duration) time.Duration {
	if *lasts > 0 {
		return *lasts
	}
	return usual
}
