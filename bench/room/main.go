//go:build linux

// Command room measures a room: what some clients say, all of them get. Beside it stand the same line in Node, which
// writes in a loop, and in C, which does nothing but write(2).
package main

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	rounds = 3
	lasts  = 3 * time.Second
	warmUp = time.Second
)

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "room",
		About: fmt.Sprintf("a TCP room, messages of %d bytes, recorded, every client checks every message", messageSize),
		Run:   run,
		Roles: map[string]benchkit.Role{crowdRole: serveCrowd},
	})
}

// scene is one load, put on each server in turn.
type scene struct {
	name    string
	do      string
	clients int
	senders int
	starts  []starter
	results []result // one for each starter
}

type result struct {
	name                                    string
	rate, p50, p99, delivered, cpu, longest benchkit.Series
}

func run(r *benchkit.Run) error {
	scenes := []*scene{
		{name: "1,000 receivers, 32 senders", do: "talk", clients: 1_000, senders: 32, starts: []starter{startOurs, startNode}},
		{name: "10,000 receivers, 16 senders", do: "talk", clients: 10_000, senders: 16, starts: []starter{startOurs, startNode}},
		{name: "1,000 receivers, one message at a time", do: "turns", clients: 1_000, starts: []starter{startOurs, startC}},
	}
	if limit := benchkit.FileLimit(); limit < 10_600 {
		return fmt.Errorf("this process may open %d files and needs 10,600: ulimit -n", limit)
	}
	r.Progress("building")
	if _, err := r.Build(); err != nil {
		return err
	}
	source := 0
	for round := range rounds {
		for _, sc := range scenes {
			sc.results = append(sc.results, make([]result, len(sc.starts)-len(sc.results))...)
			for i, start := range sc.starts {
				source++
				r.Progress("round %d of %d: %s", round+1, rounds, sc.name)
				if err := sc.play(r, start, &sc.results[i], source); err != nil {
					return fmt.Errorf("%s: %w", sc.name, err)
				}
			}
		}
	}
	report(r, scenes)
	return nil
}

// play puts the load on one server.
func (sc *scene) play(r *benchkit.Run, start starter, res *result, source int) error {
	s, err := start(r)
	if s == nil || err != nil {
		return err
	}
	defer s.stop()
	res.name = s.name
	crowd, err := r.Spawn(crowdRole)
	if err != nil {
		return err
	}
	defer crowd.Close()
	if err := crowd.Call(crowdOrder{Do: "open", Addr: s.addr, Count: sc.clients, Source: source}, nil); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	before, err := benchkit.CPU(s.pid)
	if err != nil {
		return err
	}
	profiled := func() {}
	if s.server != nil {
		profiled = s.server.Profile(fmt.Sprintf("%s-%d", sc.do, sc.clients), warmUp+lasts)
	}
	var rep crowdReport
	err = crowd.Call(crowdOrder{Do: sc.do, Senders: sc.senders, Lasts: lasts, WarmUp: warmUp}, &rep)
	profiled()
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	after, err := benchkit.CPU(s.pid)
	if err != nil {
		return err
	}
	res.rate = append(res.rate, float64(rep.Counted)/rep.Seconds)
	res.p50 = append(res.p50, rep.P50)
	res.p99 = append(res.p99, rep.P99)
	res.longest = append(res.longest, rep.Max)
	res.delivered = append(res.delivered, float64(rep.Delivered)/(float64(rep.Sent)*float64(sc.clients)))
	res.cpu = append(res.cpu, (after-before).Seconds()/float64(rep.Delivered))
	return nil
}

func report(r *benchkit.Run, scenes []*scene) {
	targets := []struct{ rate, p99, cpu benchkit.Target }{
		{rate: benchkit.RatioAtLeast(8).And(benchkit.AtLeast(2.5e6, benchkit.PerSecond)), p99: benchkit.AtMost(0.025, benchkit.Millis)},
		{rate: benchkit.RatioAtLeast(10)},
		{cpu: benchkit.RatioAtMost(1.1)},
	}
	whole := benchkit.Exactly(1, benchkit.PercentOf1)
	for i, sc := range scenes {
		ours, peer := &sc.results[0], &sc.results[1]
		row := func(what string, of func(*result) benchkit.Series, unit benchkit.Unit, target benchkit.Target) {
			r.Add(benchkit.Row{Name: sc.name + ": " + what, Ours: of(ours), Peer: of(peer), PeerName: peer.name, Unit: unit, Target: target})
		}
		row("deliveries", func(res *result) benchkit.Series { return res.rate }, benchkit.PerSecond, targets[i].rate)
		row("p50", func(res *result) benchkit.Series { return res.p50 }, benchkit.Millis, benchkit.Target{})
		row("p99", func(res *result) benchkit.Series { return res.p99 }, benchkit.Millis, targets[i].p99)
		row("longest", func(res *result) benchkit.Series { return res.longest }, benchkit.Millis, benchkit.Target{})
		row("delivered", func(res *result) benchkit.Series { return res.delivered }, benchkit.PercentOf1, whole)
		row("server's CPU a delivery", func(res *result) benchkit.Series { return res.cpu }, benchkit.Micros, targets[i].cpu)
	}
	r.Note("Senders are some of the receivers. Each has one message under way and sends the next when it has got its own " +
		"back; one at a time: the next is sent when everybody has got the last.")
	r.Note("Every client checks that it gets every message of every sender once, whole and in order; the run fails at the " +
		"first that is not. Delivered counts warm-up and end as well.")
	r.Note("%d rounds of %v after %v of warm-up, new processes each. CPU is that of the server's process, its recording and "+
		"its bus included.", rounds, lasts, warmUp)
}
