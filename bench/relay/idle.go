//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// idleSessions is what a relayed connection holds once a message has gone each way.
func (b *bench) idleSessions() error {
	ours := b.servers[group]
	b.Progress("%d idle connections", *idle)
	memory, files, err := b.hold(ours.PID(), ours.echo, ours.Collect)
	if err != nil {
		return fmt.Errorf("idle connections: %w", err)
	}
	memoryRow := benchkit.Row{Name: fmt.Sprintf("idle connection, %d of them: resident memory", *idle), Ours: memory,
		Unit: benchkit.Bytes, Target: benchkit.AtMost(10_000, benchkit.Bytes)}
	filesRow := benchkit.Row{Name: "idle connection: descriptors", Ours: files, Unit: benchkit.Decimal,
		Target: benchkit.AtMost(2.005, benchkit.Decimal)}
	if b.haproxy != nil {
		memoryRow.PeerName, filesRow.PeerName = haproxy, haproxy
		memoryRow.Peer, filesRow.Peer, err = b.hold(b.haproxy.PID(), b.peer.echo, nil)
		if err != nil {
			return fmt.Errorf("idle connections of HAProxy: %w", err)
		}
	}
	b.Add(memoryRow)
	b.Add(filesRow)
	return nil
}

func (b *bench) hold(pid int, addr string, collect func() error) (memory, files benchkit.Series, err error) {
	settled := func() (rss int64, fds int, err error) {
		if collect != nil {
			if err := collect(); err != nil {
				return 0, 0, err
			}
		}
		if rss, err = benchkit.SettledRSS(b.Context, pid, 3*time.Second); err != nil {
			return 0, 0, err
		}
		fds, err = benchkit.Descriptors(pid)
		return rss, fds, err
	}
	rss, fds, err := settled()
	if err != nil {
		return nil, nil, err
	}
	fleet, err := b.Fleet()
	if err != nil {
		return nil, nil, err
	}
	defer fleet.Close()
	rep, err := fleet.Order(benchkit.FleetOrder{Do: "open", Addr: addr, Count: *idle, Message: "0123456789abcdef", Reply: 16})
	if err != nil {
		return nil, nil, err
	}
	if rep.Replied != *idle {
		return nil, nil, fmt.Errorf("%d of %d got their reply: %s", rep.Replied, *idle, rep.Error)
	}
	rssAfter, fdsAfter, err := settled()
	n := float64(*idle)
	return benchkit.One(float64(rssAfter-rss) / n), benchkit.One(float64(fdsAfter-fds) / n), err
}
