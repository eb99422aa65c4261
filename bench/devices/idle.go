//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// idleOf is what the idle devices of one server take.
type idleOf struct{ asIs, collected, rate benchkit.Series }

// idle registers devices that then are silent.
func idle(r *benchkit.Run) error {
	var ours, node idleOf
	for round := range *rounds {
		r.Progress("idle devices, round %d of %d", round+1, *rounds)
		s, err := startServer(r, setup{framing: pieces})
		if err != nil {
			return err
		}
		there := func() error { return s.waitOnline(r, *devices, 10*time.Second) }
		if err := ours.measure(r, s.PID(), s.addr, s.Collect, there); err != nil {
			return err
		}
		if _, err := s.Stop(); err != nil {
			return err
		}
		p, err := startPeer(r)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		if err := node.measure(r, p.pid, p.addr, p.collect, nil); err != nil {
			return fmt.Errorf("node: %w", err)
		}
		p.stop()
	}
	name := fmt.Sprintf("%d registered idle devices: ", *devices)
	r.Add(benchkit.Row{Name: name + "resident memory each, as it stands", Ours: ours.asIs, Peer: node.asIs, PeerName: "Node", Unit: benchkit.Bytes})
	r.Add(benchkit.Row{Name: name + "resident memory each, after collecting garbage", Ours: ours.collected, Peer: node.collected, PeerName: "Node", Unit: benchkit.Bytes,
		Target: benchkit.AtMost(8<<10, benchkit.Bytes)})
	r.Add(benchkit.Row{Name: name + "registered a second", Ours: ours.rate, Peer: node.rate, PeerName: "Node", Unit: benchkit.PerSecond})
	r.Note("idle: each device has registered, a web server is connected and was told of it. Resident memory is VmRSS less that of the server before, divided by %d, "+
		"once it has changed by less than 1 %% for a second.", *devices)
	return nil
}

func (i *idleOf) measure(r *benchkit.Run, pid int, addr string, collect, there func() error) error {
	l, err := spawnLoad(r)
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := l.order(order{Do: "link", Addr: addr}); err != nil {
		return err
	}
	if err := benchkit.Sleep(r.Context, 500*time.Millisecond); err != nil {
		return err
	}
	if err := collect(); err != nil {
		return err
	}
	base, err := benchkit.SettledRSS(r.Context, pid, 2*time.Second)
	if err != nil {
		return err
	}
	start := time.Now()
	rep, err := l.do(order{Do: "begin", Config: config(addr, *devices, 0)}, order{Do: "pause", Limit: 2 * time.Minute})
	if err != nil {
		return err
	}
	err = benchkit.Until(r.Context, time.Minute, "the web server was told of all", func() (bool, error) {
		rep, err := l.order(order{Do: "look"})
		return rep.Came.Registrations == uint64(*devices), err
	})
	if err != nil {
		return err
	}
	took := time.Since(start)
	if there != nil {
		if err := there(); err != nil {
			return err
		}
	}
	if rep.Counts.Online != int64(*devices) || len(rep.Counts.Ended) != 0 {
		return fmt.Errorf("%d of %d devices are registered: %v", rep.Counts.Online, *devices, rep.Counts)
	}
	asIs, err := benchkit.SettledRSS(r.Context, pid, 5*time.Second)
	if err != nil {
		return err
	}
	if err := collect(); err != nil {
		return err
	}
	collected, err := benchkit.SettledRSS(r.Context, pid, 5*time.Second)
	if err != nil {
		return err
	}
	i.asIs = append(i.asIs, float64(asIs-base)/float64(*devices))
	i.collected = append(i.collected, float64(collected-base)/float64(*devices))
	i.rate = append(i.rate, float64(*devices)/took.Seconds())
	_, err = l.order(order{Do: "end"})
	return err
}
