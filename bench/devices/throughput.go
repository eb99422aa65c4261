//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	talkers    = 1_000 // devices that talk
	saturation = 6     // times -rate, which no server here can keep up with
	together   = 10    // messages of one write then: so that the devices leave the processors to the server
)

// flow is what came of messages that were sent for a while.
type flow struct {
	said   uint64
	speed  float64 // messages a second, until the last came
	behind float64 // seconds, until the last came behind the last that was said
	way    times
	cpu    float64 // of one core
}

// throughput sends messages to a server with a web server, at the rate that is asked for, and at more than it can take.
func throughput(r *benchkit.Run) error {
	var asked, most, node, nodeMost, cpu, p99 benchkit.Series
	left := 0.0
	for round := range *rounds {
		for _, times := range []int{1, saturation} {
			s, err := startServer(r, setup{framing: lines})
			if err != nil {
				return err
			}
			r.Progress("%d messages/s, round %d of %d", *messageRate*times, round+1, *rounds)
			f, err := talk(r, s.PID(), s.addr, *messageRate*times, s)
			if err != nil {
				return err
			}
			if _, err := s.Stop(); err != nil {
				return err
			}
			if times == 1 {
				asked, cpu, p99 = append(asked, f.speed), append(cpu, f.cpu), append(p99, f.way.P99)
				left = max(left, f.behind)
			} else {
				most = append(most, f.speed)
			}
			p, err := startPeer(r)
			if err != nil {
				return err
			}
			if p == nil {
				continue
			}
			f, err = talk(r, p.pid, p.addr, *messageRate*times, nil)
			if err != nil {
				return fmt.Errorf("node: %w", err)
			}
			p.stop()
			if times == 1 {
				node = append(node, f.speed)
			} else {
				nodeMost = append(nodeMost, f.speed)
			}
		}
	}
	name := fmt.Sprintf("%d messages/s of 64 B to the web server", *messageRate)
	r.Add(benchkit.Row{Name: name, Ours: asked, Peer: node, PeerName: "Node, not recording", Unit: benchkit.PerSecond,
		Target: benchkit.AtLeast(0.98*float64(*messageRate), benchkit.PerSecond)})
	r.Add(benchkit.Row{Name: "the same, p99 from device to web server", Ours: p99, Unit: benchkit.Millis})
	r.Add(benchkit.Row{Name: "the same, server's CPU, of one core", Ours: cpu, Unit: benchkit.PercentOf1})
	r.Add(benchkit.Row{Name: "as many as can be", Ours: most, Peer: nodeMost, PeerName: "Node, not recording", Unit: benchkit.PerSecond})
	r.Note("throughput: %d devices for %v; a message is a line, framed, recorded and forwarded. The rate is that of all messages until the last was at the web "+
		"server, which was at most %s after it was said. All came, once each, in their order; %d in a write where as many are sent as can be. Devices, web server and server share this machine.",
		min(talkers, *devices), lasting(10*time.Second), benchkit.Seconds(left), together)
	return nil
}

// talk has devices send, and waits until all of it came.
func talk(r *benchkit.Run, pid int, addr string, rate int, s *server) (f flow, err error) {
	l, err := spawnLoad(r)
	if err != nil {
		return f, err
	}
	defer l.Close()
	n := min(talkers, *devices)
	c := config(addr, n, float64(rate)/float64(n))
	if rate > *messageRate {
		c.Together = together
	}
	if _, err := l.do(order{Do: "link", Addr: addr}, order{Do: "begin", Config: c}, order{Do: "pause"}); err != nil {
		return f, err
	}
	if s != nil {
		defer s.Profile(fmt.Sprintf("devices-throughput-%d", rate), lasting(10*time.Second))()
	}
	before, err := benchkit.CPU(pid)
	if err != nil {
		return f, err
	}
	start := time.Now()
	if _, err := l.do(order{Do: "look"}, order{Do: "resume"}); err != nil {
		return f, err
	}
	if err := benchkit.Sleep(r.Context, lasting(10*time.Second)); err != nil {
		return f, err
	}
	rep, err := l.order(order{Do: "pause"})
	if err != nil {
		return f, err
	}
	stopped := time.Now()
	f.said = rep.Counts.Messages
	if rep, err = l.allCame(r, 2*time.Minute); err != nil {
		return f, err
	}
	after, err := benchkit.CPU(pid)
	if err != nil {
		return f, err
	}
	last := time.Unix(0, int64(rep.Came.Last*1e9))
	f.speed = float64(f.said) / last.Sub(start).Seconds()
	f.behind = max(0, last.Sub(stopped).Seconds())
	f.way = rep.Came.Way
	f.cpu = (after - before).Seconds() / last.Sub(start).Seconds()
	_, err = l.order(order{Do: "end"})
	return f, err
}

// allCame waits until all that the devices said is at the web server, each once and in order, and looks at it.
func (l *load) allCame(r *benchkit.Run, limit time.Duration) (report, error) {
	var rep report
	err := benchkit.Until(r.Context, limit, "all is at the web server", func() (bool, error) {
		var err error
		rep, err = l.order(order{Do: "check"})
		return rep.Verdict.Lost+rep.Verdict.Torn == 0 && rep.Verdict.Messages == rep.Counts.Messages, err
	})
	v := rep.Verdict
	if err != nil {
		return rep, fmt.Errorf("%w: %+v", err, v)
	}
	if v.Duplicates+v.Disordered != 0 || v.Example != "" {
		return rep, fmt.Errorf("not each once, and in order: %+v", v)
	}
	return l.order(order{Do: "look"})
}
