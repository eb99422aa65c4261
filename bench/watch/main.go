//go:build linux

// Command watch measures what watchers do to the session that they watch: its throughput with nobody watching, and
// with 500 watchers of which 100 have stopped reading.
package main

import (
	"flag"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
)

var (
	reading = flag.Int("watchers", 400, "watchers that read")
	stuck   = flag.Int("stuck", 100, "watchers that stop reading")
	rate    = flag.Int("rate", 100, "messages a second of the paced flow")
	size    = flag.Int("size", 256, "bytes of a message of the paced flow")
)

const (
	rounds    = 3
	lasts     = 2 * time.Second
	roundTrip = 64 // bytes
)

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "watch",
		About: "a session's throughput with watchers over REST against none",
		Run:   run,
		Roles: map[string]benchkit.Role{watchersRole: serveWatchers},
	})
}

// bench is two sessions, those who use them, and those who watch one of them at a time.
type bench struct {
	*benchkit.Run
	server     *benchkit.Server
	flow, echo line
	watchers   *benchkit.Child

	alone, watched figures
	jumps          uint64
	wrong          string
}

// line is one session and the client that uses it.
type line struct {
	id session.ID
	*benchkit.Lines
}

// figures are taken with nobody watching, or with everybody.
type figures struct {
	trips, flow, cpu benchkit.Series
	lines            benchkit.Series // a second, read by all watchers together
	behind           benchkit.Series // seconds until every watcher had seen every event
}

func run(r *benchkit.Run) error {
	r.Progress("building")
	sink, echo := benchkit.FreeAddr("tcp"), benchkit.FreeAddr("tcp")
	server, err := r.Server(benchkit.ServerOptions{Config: fmt.Sprintf(`listeners:
  - {name: flow, listen: "tcp://%s", service: sink, record: on}
  - {name: echo, listen: "tcp://%s", service: echo, reply: plain, record: on}
`, sink, echo)})
	if err != nil {
		return err
	}
	b := &bench{Run: r, server: server}
	if b.flow, err = b.open("flow", sink); err != nil {
		return err
	}
	if b.echo, err = b.open("echo", echo); err != nil {
		return err
	}
	if b.watchers, err = r.Spawn(watchersRole); err != nil {
		return err
	}
	for round := range rounds {
		r.Progress("round %d of %d: nobody watches", round+1, rounds)
		if err := b.paced(&b.alone, "alone"); err != nil {
			return fmt.Errorf("paced flow: %w", err)
		}
		if err := b.trips(&b.alone, "alone"); err != nil {
			return fmt.Errorf("round trips: %w", err)
		}
		r.Progress("round %d of %d: %d watchers and %d stuck ones", round+1, rounds, *reading, *stuck)
		err := b.whileWatched(b.flow, func() error { return b.paced(&b.watched, "watched") })
		if err != nil {
			return fmt.Errorf("paced flow, watched: %w", err)
		}
		err = b.whileWatched(b.echo, func() error { return b.trips(&b.watched, "watched") })
		if err != nil {
			return fmt.Errorf("round trips, watched: %w", err)
		}
	}
	b.report()
	if b.jumps > 0 {
		return fmt.Errorf("%d times a watcher did not see the next event: %s", b.jumps, b.wrong)
	}
	return nil
}

// open makes a session.
func (b *bench) open(listener, addr string) (l line, err error) {
	if l.Lines, err = b.Lines(); err != nil {
		return l, err
	}
	if _, err := l.Order(benchkit.LinesOrder{Do: "open", Addr: addr, Count: 1}); err != nil {
		return l, err
	}
	if err := b.server.WaitLive(listener, 1, 5*time.Second); err != nil {
		return l, err
	}
	list, err := b.server.Sessions(url.Values{"state": {"live"}, "listener": {listener}})
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("%d live sessions, want 1", len(list))
	}
	if err != nil {
		return l, err
	}
	l.id = list[0].ID
	return l, nil
}

// summary is a session as REST shows it.
func (b *bench) summary(id session.ID) (sum session.Summary, err error) {
	return sum, b.server.Get("/api/v1/sessions/"+string(id), &sum)
}

// whileWatched attaches the watchers to a session from its next event on, runs f, and detaches them.
func (b *bench) whileWatched(l line, f func() error) error {
	sum, err := b.summary(l.id)
	if err != nil {
		return err
	}
	var seen watchCounts
	err = b.watchers.Call(watchOrder{Do: "attach", Addr: strings.TrimPrefix(b.server.URL, "http://"), Token: b.server.Token,
		Path:  fmt.Sprintf("/api/v1/sessions/%s/events?follow=true&from=%d", l.id, sum.Events+1),
		Count: *reading, Stuck: *stuck}, &seen)
	if err == nil && seen.Watching != *reading+*stuck {
		err = fmt.Errorf("%d watchers of %d are there", seen.Watching, *reading+*stuck)
	}
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	if err := b.watchers.Call(watchOrder{Do: "detach"}, nil); err != nil {
		return err
	}
	return benchkit.Until(b.Context, 15*time.Second, "the watchers are gone", func() (bool, error) {
		sum, err := b.summary(l.id)
		return err == nil && sum.Watchers == 0, err
	})
}

// trips makes round trips as fast as they go.
func (b *bench) trips(f *figures, name string) error {
	wait := b.server.Profile("watch-trips-"+name, lasts)
	defer wait()
	rep, err := b.echo.Order(benchkit.LinesOrder{Do: "rounds", Size: roundTrip, Lasts: lasts})
	f.trips = append(f.trips, float64(rep.Count)/rep.Seconds)
	return err
}

// paced sends one way at a fixed rate and counts what the session has received. Every watcher that reads must have seen
// every event soon after.
func (b *bench) paced(f *figures, name string) error {
	wait := b.server.Profile("watch-paced-"+name, lasts)
	defer wait()
	var before, after watchCounts
	if err := b.watchers.Call(watchOrder{Do: "count"}, &before); err != nil {
		return err
	}
	start, err := b.summary(b.flow.id)
	if err != nil {
		return err
	}
	cpu, err := benchkit.CPU(b.server.PID())
	if err != nil {
		return err
	}
	rep, err := b.flow.Order(benchkit.LinesOrder{Do: "paced", Size: *size, Every: time.Second / time.Duration(*rate),
		Lasts: lasts})
	if err != nil {
		return err
	}
	end, err := b.summary(b.flow.id)
	if err != nil {
		return err
	}
	cpuAfter, err := benchkit.CPU(b.server.PID())
	if err != nil {
		return err
	}
	f.flow = append(f.flow, float64(end.ReceivedBytes-start.ReceivedBytes)/rep.Seconds)
	f.cpu = append(f.cpu, (cpuAfter-cpu).Seconds()/rep.Seconds)
	if f == &b.alone {
		return nil
	}
	sent := time.Now()
	err = benchkit.Until(b.Context, 10*time.Second, "every watcher has seen every event", func() (bool, error) {
		err := b.watchers.Call(watchOrder{Do: "count"}, &after)
		return after.Last >= end.Events, err
	})
	f.behind = append(f.behind, time.Since(sent).Seconds())
	f.lines = append(f.lines, float64(after.Lines-before.Lines)/rep.Seconds)
	b.jumps += after.Jumps
	if after.Error != "" {
		b.wrong = after.Error
	}
	return err
}

func (b *bench) report() {
	target := benchkit.RatioAtLeast(0.95)
	const nobody = "nobody watching"
	b.Add(benchkit.Row{Name: fmt.Sprintf("paced flow, one way, %d × %d B a second", *rate, *size), Ours: b.watched.flow,
		Peer: b.alone.flow, PeerName: nobody, Unit: func(v float64) string { return fmt.Sprintf("%.1f kB/s", v/1e3) },
		Target: target})
	b.Add(benchkit.Row{Name: "paced flow: server's CPU, of one core", Ours: b.watched.cpu, Peer: b.alone.cpu, PeerName: nobody,
		Unit: benchkit.PercentOf1})
	b.Add(benchkit.Row{Name: "round trips as fast as possible, 64 B", Ours: b.watched.trips, Peer: b.alone.trips,
		PeerName: nobody, Unit: benchkit.PerSecond, Target: target})
	b.Note("%d watchers read the session's events over REST in a process of their own, %d more stopped reading after the "+
		"answer's head. In the paced flow those that read saw every event once and in order: %s lines a second, and the last "+
		"of them %.2f s after the last message.", *reading, *stuck, benchkit.Number(b.watched.lines.Median()),
		b.watched.behind.Median())
	b.Note("The round trips saturate the machine by themselves; the watchers and the program that reads for them take part " +
		"of the same cores.")
}
