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
	size    = flag.Int("size", 512, "bytes of a message of the paced flow")
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

// bench is one session, those who use it, and those who watch it.
type bench struct {
	*benchkit.Run
	server   *benchkit.Server
	id       session.ID
	lines    *benchkit.Lines
	watchers *benchkit.Child

	alone, watched figures
	jumps          uint64
	wrong          string
}

// figures are taken with nobody watching, or with everybody.
type figures struct {
	trips, flow, p50, p99, cpu benchkit.Series
	lines                      benchkit.Series // a second, read by all watchers together
}

func run(r *benchkit.Run) error {
	r.Progress("building")
	addr := benchkit.FreeAddr("tcp")
	server, err := r.Server(benchkit.ServerOptions{Config: fmt.Sprintf(
		`listeners: [{name: echo, listen: "tcp://%s", service: echo, reply: plain, record: on}]`, addr)})
	if err != nil {
		return err
	}
	b := &bench{Run: r, server: server}
	if b.lines, err = r.Lines(); err != nil {
		return err
	}
	if _, err := b.lines.Order(benchkit.LinesOrder{Do: "open", Addr: addr, Count: 1}); err != nil {
		return err
	}
	if b.watchers, err = r.Spawn(watchersRole); err != nil {
		return err
	}
	if err := server.WaitLive("echo", 1, 5*time.Second); err != nil {
		return err
	}
	list, err := server.Sessions(url.Values{"state": {"live"}})
	if err != nil || len(list) != 1 {
		return fmt.Errorf("%d live sessions, want 1: %w", len(list), err)
	}
	b.id = list[0].ID
	for round := range rounds {
		r.Progress("round %d of %d: nobody watches", round+1, rounds)
		if err := b.measure(&b.alone, "alone"); err != nil {
			return err
		}
		r.Progress("round %d of %d: %d watchers and %d stuck ones", round+1, rounds, *reading, *stuck)
		if err := b.attach(); err != nil {
			return err
		}
		if err := b.measure(&b.watched, "watched"); err != nil {
			return err
		}
		if err := b.detach(); err != nil {
			return err
		}
	}
	b.report()
	if b.jumps > 0 {
		return fmt.Errorf("%d times a watcher did not see the next event: %s", b.jumps, b.wrong)
	}
	return nil
}

// events is how many events the session has.
func (b *bench) events() (uint64, error) {
	var sum session.Summary
	err := b.server.Get("/api/v1/sessions/"+string(b.id), &sum)
	return sum.Events, err
}

func (b *bench) attach() error {
	n, err := b.events()
	if err != nil {
		return err
	}
	var seen watchCounts
	err = b.watchers.Call(watchOrder{Do: "attach", Addr: strings.TrimPrefix(b.server.URL, "http://"), Token: b.server.Token,
		Path:  fmt.Sprintf("/api/v1/sessions/%s/events?follow=true&from=%d", b.id, n+1),
		Count: *reading, Stuck: *stuck}, &seen)
	if err == nil && seen.Watching != *reading+*stuck {
		err = fmt.Errorf("%d watchers of %d are there", seen.Watching, *reading+*stuck)
	}
	return err
}

func (b *bench) detach() error {
	if err := b.watchers.Call(watchOrder{Do: "detach"}, nil); err != nil {
		return err
	}
	return benchkit.Until(b.Context, 10*time.Second, "the watchers are gone", func() (bool, error) {
		var sum session.Summary
		err := b.server.Get("/api/v1/sessions/"+string(b.id), &sum)
		return sum.Watchers == 0, err
	})
}

func (b *bench) measure(f *figures, name string) error {
	if err := b.paced(f, name); err != nil {
		return fmt.Errorf("paced flow: %w", err)
	}
	wait := b.server.Profile("watch-trips-"+name, lasts)
	defer wait()
	rep, err := b.lines.Order(benchkit.LinesOrder{Do: "rounds", Size: roundTrip, Lasts: lasts})
	if err != nil {
		return fmt.Errorf("round trips: %w", err)
	}
	f.trips = append(f.trips, float64(rep.Count)/rep.Seconds)
	return nil
}

// paced sends at a fixed rate and times each echo. Every watcher that reads must have seen every event soon after.
func (b *bench) paced(f *figures, name string) error {
	wait := b.server.Profile("watch-paced-"+name, lasts)
	defer wait()
	var before, after watchCounts
	if err := b.watchers.Call(watchOrder{Do: "count"}, &before); err != nil {
		return err
	}
	cpu, err := benchkit.CPU(b.server.PID())
	if err != nil {
		return err
	}
	rep, err := b.lines.Order(benchkit.LinesOrder{Do: "paced", Size: *size, Every: time.Second / time.Duration(*rate),
		Lasts: lasts, Echoed: true})
	if err != nil {
		return err
	}
	cpuAfter, err := benchkit.CPU(b.server.PID())
	if err != nil {
		return err
	}
	f.flow = append(f.flow, float64(rep.Bytes)/rep.Seconds)
	f.p50, f.p99 = append(f.p50, rep.P50), append(f.p99, rep.P99)
	f.cpu = append(f.cpu, (cpuAfter-cpu).Seconds()/rep.Seconds)
	if f == &b.alone {
		return nil
	}
	events, err := b.events()
	if err != nil {
		return err
	}
	err = benchkit.Until(b.Context, 10*time.Second, "every watcher has seen every event", func() (bool, error) {
		err := b.watchers.Call(watchOrder{Do: "count"}, &after)
		return after.Last >= events, err
	})
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
	b.Add(benchkit.Row{Name: fmt.Sprintf("paced flow, %d × %d B a second and back", *rate, *size), Ours: b.watched.flow,
		Peer: b.alone.flow, PeerName: nobody, Unit: func(v float64) string { return fmt.Sprintf("%.1f kB/s", v/1e3) },
		Target: target})
	b.Add(benchkit.Row{Name: "paced flow: echo, median", Ours: b.watched.p50, Peer: b.alone.p50, PeerName: nobody,
		Unit: benchkit.Micros})
	b.Add(benchkit.Row{Name: "paced flow: echo, 99 of 100", Ours: b.watched.p99, Peer: b.alone.p99, PeerName: nobody,
		Unit: benchkit.Micros})
	b.Add(benchkit.Row{Name: "paced flow: server's CPU, of one core", Ours: b.watched.cpu, Peer: b.alone.cpu, PeerName: nobody,
		Unit: benchkit.PercentOf1})
	b.Add(benchkit.Row{Name: "round trips as fast as possible, 64 B", Ours: b.watched.trips, Peer: b.alone.trips,
		PeerName: nobody, Unit: benchkit.PerSecond, Target: target})
	b.Note("%d watchers read the session's events over REST in a process of their own, %d more stopped reading after the "+
		"answer's head. In the paced flow those that read saw every event once and in order: %s lines a second.", *reading,
		*stuck, benchkit.Number(b.watched.lines.Median()))
	b.Note("The round trips saturate the machine by themselves; the watchers and the program that reads for them take part " +
		"of the same cores.")
}
