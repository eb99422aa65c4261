//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// bulk is how fast bytes go up, over one connection and over many.
func (b *bench) bulk() error {
	disk, err := b.disk()
	if err != nil {
		return err
	}
	for _, connections := range []int{1, many} {
		rate := map[string]benchkit.Series{}
		for round := range *rounds {
			for _, way := range []string{"direct", haproxy, off, none, group} {
				b.Progress("bulk, %d connections, round %d of %d: %s", connections, round+1, *rounds, way)
				v, err := b.pass(way, connections)
				if err != nil {
					return fmt.Errorf("bulk, %d connections, %s: %w", connections, way, err)
				}
				rate[way] = append(rate[way], v...)
			}
		}
		b.addBulk(connections, rate)
	}
	b.Note("Every bulk run: %d MiB that cannot be compressed, taken whole by the upstream, and counted whole in the session's "+
		"record. The disk alone, write and fdatasync of 4 MiB at a time: %s.", *bulkMiB, benchkit.GBPerSec(disk))
	return nil
}

func (b *bench) addBulk(connections int, rate map[string]benchkit.Series) {
	for _, mode := range []string{off, none, group} {
		target := benchkit.RatioAtLeast(0.65)
		if mode == off {
			target = benchkit.RatioAtLeast(1)
		}
		b.Add(benchkit.Row{Name: fmt.Sprintf("bulk up, %d connection(s), recording %s", connections, mode), Ours: rate[mode],
			Peer: rate[haproxy], PeerName: haproxy, Unit: benchkit.GBPerSec, Target: target})
	}
	b.Note("Direct to the upstream, %d connection(s): %s.", connections, benchkit.GBPerSec(rate["direct"].Median()))
}

// pass sends the bulk one way and returns its rate, or nothing if there is no such way.
func (b *bench) pass(way string, connections int) (benchkit.Series, error) {
	ours := b.servers[way]
	addr := b.upstream.Sink
	switch {
	case ours != nil:
		addr = ours.sink
	case way == haproxy:
		addr = b.peer.sink
	}
	if addr == "" {
		return nil, nil
	}
	if ours != nil {
		wait := ours.Profile(fmt.Sprintf("bulk-%d-%s", connections, way), time.Second)
		defer wait()
	}
	before, err := b.upstream.Counts()
	if err != nil {
		return nil, err
	}
	lines, err := b.Lines()
	if err != nil {
		return nil, err
	}
	defer lines.Close()
	if _, err := lines.Order(benchkit.LinesOrder{Do: "open", Addr: addr, Count: connections}); err != nil {
		return nil, err
	}
	rep, err := lines.Order(benchkit.LinesOrder{Do: "bulk", Bytes: *bulkMiB << 20})
	if err != nil {
		return nil, err
	}
	after, err := b.upstream.Counts()
	if err != nil {
		return nil, err
	}
	if got := after.Bytes - before.Bytes; got != rep.Bytes {
		return nil, fmt.Errorf("%d bytes were sent and %d arrived", rep.Bytes, got)
	}
	if ours != nil {
		if err := b.checkRecord(ours, way != off, connections, rep.Bytes); err != nil {
			return nil, err
		}
	}
	return benchkit.One(float64(rep.Bytes) / rep.Seconds), nil
}
