//go:build linux

// Command faults does to a server what the world does: a hundred thousand connections that come and go, a stop with
// ten thousand of them open, no more descriptors, a flood of datagrams, clients that drip and clients that say nothing.
package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// fault is one thing that happens to a server.
type fault struct {
	name string
	run  func(r *benchkit.Run) error
}

var faults = []fault{{"churn", churn}, {"drain", drain}, {"files", files}, {"flood", flood}, {"drip", drip}}

var only = flag.String("only", "", "some of churn,drain,files,flood,drip; default: all")

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "faults",
		About: "what the world does to a server",
		Run:   run,
		Roles: map[string]benchkit.Role{floodRole: serveFlood, dripRole: serveDrip},
	})
}

func run(r *benchkit.Run) error {
	r.Progress("building")
	if _, err := r.Build(); err != nil {
		return err
	}
	names := strings.FieldsFunc(*only, func(c rune) bool { return c == ',' })
	for _, f := range faults {
		if len(names) > 0 && !slices.Contains(names, f.name) {
			continue
		}
		if err := f.run(r); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// echo is the configuration of one plain echo line and more settings.
func echo(addr, settings string) string {
	return fmt.Sprintf("%s\nlisteners: [{name: echo, listen: \"tcp://%s\", service: echo, reply: plain}]\n", settings, addr)
}

const message = "REG:860000000000001;"
