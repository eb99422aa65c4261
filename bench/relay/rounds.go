//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	message   = 64 // bytes
	turnLasts = 250 * time.Millisecond
	many      = 64 // connections
)

// latency is the round trip of one small message at a time, less that of the direct way.
func (b *bench) latency() error {
	const direct = "direct"
	took := map[string]benchkit.Series{}
	err := b.each(func(way, addr string) error {
		rep, err := b.pingPong(addr, 1)
		took[way] = append(took[way], rep.P50)
		return err
	}, b.upstream.Echo)
	if err != nil {
		return err
	}
	peer := added(took[haproxy], took[direct])
	for _, mode := range []string{off, none, group} {
		row := benchkit.Row{Name: "latency added, 64 B, median, recording " + mode, Ours: added(took[mode], took[direct]),
			Unit: benchkit.Micros, Target: benchkit.RatioAtMost(1.6)}
		if b.haproxy != nil {
			row.Peer, row.PeerName = peer, haproxy
		}
		b.Add(row)
	}
	b.Note("Direct to the upstream the round trip took %s.", benchkit.Micros(took[direct].Median()))
	return nil
}

// roundTrips is how many of them 64 connections make.
func (b *bench) roundTrips() error {
	rate := map[string]benchkit.Series{}
	err := b.each(func(way, addr string) error {
		var wait func()
		if s := b.servers[way]; s != nil {
			wait = s.Profile("rounds-"+way, time.Second)
			defer wait()
		}
		rep, err := b.pingPong(addr, many)
		rate[way] = append(rate[way], float64(rep.Count)/rep.Seconds)
		return err
	}, "")
	if err != nil {
		return err
	}
	for _, mode := range []string{off, none, group} {
		target := benchkit.RatioAtLeast(0.8)
		b.Add(benchkit.Row{Name: fmt.Sprintf("round trips, %d connections, recording %s", many, mode), Ours: rate[mode],
			Peer: rate[haproxy], PeerName: haproxy, Unit: benchkit.PerSecond, Target: target})
	}
	return nil
}

const haproxy = "HAProxy"

// each calls f for every way to the echoing upstream, in turns; direct is the way without a relay, if that counts.
func (b *bench) each(f func(way, addr string) error, direct string) error {
	turns := 3 * *rounds
	for round := range turns {
		ways := []struct{ name, addr string }{{"direct", direct}, {haproxy, b.peer.echo}}
		for _, mode := range []string{off, none, group} {
			ways = append(ways, struct{ name, addr string }{mode, b.servers[mode].echo})
		}
		for _, way := range ways {
			if way.addr == "" {
				continue
			}
			b.Progress("round trips, round %d of %d: %s", round+1, turns, way.name)
			if err := f(way.name, way.addr); err != nil {
				return fmt.Errorf("%s: %w", way.name, err)
			}
		}
	}
	return nil
}

func (b *bench) pingPong(addr string, connections int) (rep benchkit.LinesReport, err error) {
	lines, err := b.Lines()
	if err != nil {
		return rep, err
	}
	defer lines.Close()
	if _, err := lines.Order(benchkit.LinesOrder{Do: "open", Addr: addr, Count: connections}); err != nil {
		return rep, err
	}
	warm := benchkit.LinesOrder{Do: "rounds", Size: message, Lasts: turnLasts / 5}
	if _, err := lines.Order(warm); err != nil {
		return rep, err
	}
	return lines.Order(benchkit.LinesOrder{Do: "rounds", Size: message, Lasts: turnLasts})
}
