//go:build linux

package main

import (
	"fmt"
	"net"
	"slices"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	firstTimes    = 5
	firstSlower   = 4
	firstSessions = 50
)

// first takes what the first page costs who opens it.
func first(b *bench) error {
	addr := benchkit.FreeAddr("tcp")
	server, err := b.serve(benchkit.ServerOptions{Config: fmt.Sprintf("listeners:\n  - {name: lines, listen: \"tcp://%s\", service: sink}\n", addr)})
	if err != nil {
		return err
	}
	crowd, err := gather(addr, firstSessions)
	if err != nil {
		return err
	}
	defer crowd.leave()
	stop := crowd.talk(firstSessions, 80, 0)
	b.Progress("first: %d loads", firstTimes)
	_, port, _ := net.SplitHostPort(crowd.conns[0].LocalAddr().String())
	type load struct{ Bytes, Files, Row, Usable, CPU float64 }
	var loads, asItIs []load
	err = b.do("firstLoads", order{"times": firstTimes, "slower": firstSlower, "typed": ":" + port, "file": b.trace("first")}, &loads)
	if err != nil {
		return err
	}
	if err := b.do("firstLoads", order{"times": firstTimes, "slower": 1, "typed": ":" + port}, &asItIs); err != nil {
		return err
	}
	if err := stop(); err != nil {
		return err
	}
	var bytes, row, usable, usableAsItIs, cpu []float64
	for _, l := range loads {
		bytes, row, usable = append(bytes, l.Bytes), append(row, l.Row), append(usable, l.Usable)
	}
	for _, l := range asItIs {
		usableAsItIs, cpu = append(usableAsItIs, l.Usable), append(cpu, l.CPU)
	}
	b.Add(benchkit.Row{Name: "first page: bytes over the wire", Ours: benchkit.One(slices.Max(bytes)),
		Unit:   func(v float64) string { return fmt.Sprintf("%.1f kB", v/1e3) },
		Target: benchkit.AtMost(250e3, func(v float64) string { return fmt.Sprintf("%.0f kB", v/1e3) })})
	b.Add(benchkit.Row{Name: "first page, processor 4× slower: first session painted", Ours: benchkit.One(benchkit.Percentile(row, 0.5) / 1e3),
		Unit: benchkit.Seconds})
	b.Add(benchkit.Row{Name: "first page, processor 4× slower: filter usable", Ours: benchkit.One(benchkit.Percentile(usable, 0.5) / 1e3),
		Unit: benchkit.Seconds, Target: benchkit.AtMost(1, benchkit.Seconds)})
	b.Add(benchkit.Row{Name: "first page, processor as it is: filter usable", Ours: benchkit.One(benchkit.Percentile(usableAsItIs, 0.5) / 1e3),
		Unit: benchkit.Seconds})
	b.Add(benchkit.Row{Name: "first page, processor as it is: main thread's CPU until then", Ours: benchkit.One(benchkit.Percentile(cpu, 0.5)),
		Unit: benchkit.Seconds})
	b.Note("first page: median of %d, from the navigation, nothing cached but the cookie, %d live sessions; %.0f files. The filter is "+
		"usable when what was typed as soon as a session was painted has been painted itself; the slowest: %.2f s.", firstTimes,
		firstSessions, loads[0].Files, slices.Max(usable)/1e3)
	return b.end(server)
}
