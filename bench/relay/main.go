//go:build linux

// Command relay measures the relay beside HAProxy in TCP mode, which records nothing: bulk, latency, round trips, and
// what a relayed connection costs while it is idle. Everything that passed must be on the record.
package main

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

var (
	bulkMiB = flag.Int64("mib", 384, "MiB that pass in one bulk run")
	rounds  = flag.Int("rounds", 3, "rounds of bulk; three times as many of everything small")
	idle    = flag.Int("idle", 5_000, "idle relayed connections")
	only    = flag.String("only", "", "some of latency,trips,idle,bulk; default: all")
)

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "relay",
		About: "our relay beside HAProxy (TCP mode, 2 threads) in the same run",
		Run:   run,
	})
}

// bench is one run: two ways to the same upstream, and the direct one.
type bench struct {
	*benchkit.Run
	upstream *benchkit.Upstream
	haproxy  *benchkit.Program // nil if it is not there
	peer     routes
	servers  map[string]*server
}

// routes are the addresses that lead to the upstream's two ends.
type routes struct{ sink, echo string }

// server is one of ours.
type server struct {
	*benchkit.Server
	routes
}

// How our servers record.
const (
	off   = "off"
	group = "on, sync: group"
	none  = "on, sync: none"
)

func run(r *benchkit.Run) error {
	b := &bench{Run: r, servers: map[string]*server{}}
	r.Progress("building")
	var err error
	if b.upstream, err = r.Upstream(); err != nil {
		return err
	}
	program, addrs, err := r.HAProxy(*idle+1_000, b.upstream.Sink, b.upstream.Echo)
	if err != nil {
		return err
	}
	if program != nil {
		b.haproxy, b.peer = program, routes{addrs[0], addrs[1]}
	}
	for _, mode := range []string{off, none, group} {
		if b.servers[mode], err = b.serve(mode); err != nil {
			return err
		}
	}
	chosen := strings.FieldsFunc(*only, func(c rune) bool { return c == ',' })
	for _, m := range []struct {
		name    string
		measure func() error
	}{{"latency", b.latency}, {"trips", b.roundTrips}, {"idle", b.idleSessions}, {"bulk", b.bulk}} {
		if len(chosen) > 0 && !slices.Contains(chosen, m.name) {
			continue
		}
		if err := m.measure(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) serve(mode string) (*server, error) {
	record, sync := "on", "group"
	switch mode {
	case off:
		record = "off"
	case none:
		sync = "none"
	}
	s := &server{routes: routes{benchkit.FreeAddr("tcp"), benchkit.FreeAddr("tcp")}}
	var err error
	s.Server, err = b.Server(benchkit.ServerOptions{Config: fmt.Sprintf(`recording: {sync: %s}
listeners:
  - {name: bulk, listen: "tcp://%s", service: relay, upstream: "tcp://%s", record: %s}
  - {name: rounds, listen: "tcp://%s", service: relay, upstream: "tcp://%s", record: %s}
`, sync, s.sink, b.upstream.Sink, record, s.echo, b.upstream.Echo, record)})
	return s, err
}

// added is what a way costs beyond the direct one, in seconds, and at least the clock's 0.1 µs.
func added(way, direct benchkit.Series) benchkit.Series {
	out := way.Less(direct)
	for i := range out {
		out[i] = math.Max(out[i], 1e-7)
	}
	return out
}
