//go:build linux

// Command sources measures three-end sources: the parser of what they send, what the way from a source to a watcher takes, a
// thousand sessions of one source, kicks, ten thousand sessions that come and go, and sources that mean harm.
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
	sessions = flag.Int("sessions", 1_000, "sessions of one source")
	rate     = flag.Int("rate", 20, "frames a second of each")
	size     = flag.Int("size", 100, "bytes of a frame's payload")
	lasts    = flag.Duration("lasts", 10*time.Second, "how long they stream")
	visits   = flag.Int("visits", 10_000, "sessions that are opened and end")
	rounds   = flag.Int("rounds", 5, "rounds of the way to a watcher")
	harmful  = flag.String("harm", "", "hostile: only what has this in its name")
	only     = flag.String("only", "", "some of parser,way,many,kick,churn,hostile; default: all")
)

// figure is one thing that is measured.
type figure struct {
	name string
	take func(r *benchkit.Run) error
}

var figures = []figure{{"parser", parser}, {"way", way}, {"many", many}, {"kick", kick}, {"churn", churn}, {"hostile", hostile}}

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "sources",
		About: "three-end sources: from a source's socket to a watcher's, many sessions, kicks, and what sources may do wrong",
		Run:   run,
		Roles: map[string]benchkit.Role{sourceRole: serveSource, watchersRole: serveWatchers},
	})
}

func run(r *benchkit.Run) error {
	r.Progress("building")
	if _, err := r.Build(); err != nil {
		return err
	}
	names := strings.FieldsFunc(*only, func(c rune) bool { return c == ',' })
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

// configure is a configuration with sources of one kind each: the name of a source is that of its kind as well.
func configure(settings string, addrs map[string]string) string {
	var b strings.Builder
	b.WriteString("listeners: []\nsources:\n")
	for name, addr := range addrs {
		fmt.Fprintf(&b, "  - {name: %s, kinds: {%s: %q}%s}\n", name, name, addr, settings)
	}
	return b.String()
}

// opened is what REST says of a session that was opened.
type opened struct {
	ID string `json:"id"`
}

type openRequest struct {
	Session string `json:"session"`
}

// open opens a session of a source over REST.
func open(server *benchkit.Server, ref string) (id string, err error) {
	var o opened
	err = server.Post("/api/v1/sources/open", openRequest{ref}, &o)
	return o.ID, err
}
