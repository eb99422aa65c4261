//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	receivers   = 1_000
	messageSize = 100
	outstanding = 64
	paceRate    = 300
	idlers      = 5_000
	handshakes  = 10_000
	dropped     = 5_000
	dropRate    = 10
	dropAway    = 500 * time.Millisecond // the least that the official client waits before it comes back
	stallAll    = 40
	stallers    = 10
	stallRate   = 150
	stallSize   = 64 << 10

	inFlight = 64
	warmUp   = time.Second
	lasts    = 3 * time.Second
)

// figures are what was found of one side in one round, by their names.
type figures map[string]float64

// scene is a load that is put on each server in turn.
type scene struct {
	name     string
	title    string
	without  []string // sides that it is not for
	recovery bool
	play     func(l *load) (figures, error)
	rows     []row
}

// row is a line of the report for each of our forms and each of those it stands beside: peers, or another figure of
// ours. The target is for the first of them.
type row struct {
	what   string
	figure string
	unit   benchkit.Unit
	target benchkit.Target
	beside []string
}

var (
	micros benchkit.Unit = func(v float64) string { return fmt.Sprintf("%.2f µs", v*1e6) }

	noTarget benchkit.Target
	node     = []string{"node"}
	servers  = []string{"node", "centrifugo"}
	everyone = []string{"node", "centrifugo", "bare"}
)

var scenes = []scene{
	{
		name: "fan", title: "1,000 receivers, 64 messages under way", play: fan,
		rows: []row{
			{"deliveries", "rate", benchkit.PerSecond, benchkit.RatioAtLeast(40), node},
			{"deliveries", "rate", benchkit.PerSecond, benchkit.RatioAtLeast(5), []string{"centrifugo", "bare"}},
			{"p50", "p50", benchkit.Millis, noTarget, servers},
			{"p99", "p99", benchkit.Millis, noTarget, servers},
			{"server's CPU a delivery", "cpu", micros, noTarget, everyone},
			{"load's CPU a delivery", "client", micros, noTarget, everyone},
		},
	},
	{
		name: "turns", title: "1,000 receivers, one message at a time", play: turns,
		rows: []row{
			{"deliveries", "rate", benchkit.PerSecond, benchkit.RatioAtLeast(1.8), everyone},
			{"the last has it, p50", "last p50", benchkit.Millis, noTarget, everyone},
			{"the last has it, p99", "last p99", benchkit.Millis, benchkit.RatioAtMost(0.6), everyone},
			{"server's CPU a delivery", "cpu", micros, noTarget, everyone},
			{"load's CPU a delivery", "client", micros, noTarget, everyone},
		},
	},
	{
		name: "pace", title: "1,000 receivers, 300 messages a second", play: pace,
		rows: []row{
			{"messages to all", "rate", benchkit.PerSecond, benchkit.AtLeast(0.99*paceRate, benchkit.PerSecond), everyone},
			{"p50", "p50", benchkit.Millis, noTarget, everyone},
			{"p99", "p99", benchkit.Millis, benchkit.AtMost(0.010, benchkit.Millis), everyone},
			{"server's CPU a delivery", "cpu", micros, noTarget, everyone},
			{"load's CPU a delivery", "client", micros, noTarget, everyone},
		},
	},
	{
		name: "idle", title: "5,000 idle connections", play: idle, without: []string{"bare"},
		rows: []row{
			{"memory each, garbage collected", "collected", benchkit.Bytes, benchkit.AtMost(8<<10, benchkit.Bytes), node},
			{"memory each, as it stands", "as is", benchkit.Bytes, noTarget, servers},
		},
	},
	{
		name: "handshakes", title: "10,000 handshakes", play: shake,
		rows: []row{
			{"lost", "lost", benchkit.Number, benchkit.Exactly(0, benchkit.Number), servers},
			{"server's CPU each", "cpu", benchkit.Micros, benchkit.AtMost(100e-6, benchkit.Micros), everyone},
			{"done", "rate", benchkit.PerSecond, noTarget, everyone},
		},
	},
	{
		name: "stall", title: "10 of 40 stalled, 64 KiB × 150/s", play: stalled, without: []string{"bare"},
		rows: []row{
			{"memory grew, each", "grew", benchkit.MiB, benchkit.AtMost(2<<20, benchkit.MiB), servers},
			{"the others got", "delivered", benchkit.PercentOf1, benchkit.Exactly(1, benchkit.PercentOf1), servers},
			{"the others' p50", "p50", benchkit.Millis, benchkit.RatioAtMost(1.25), append([]string{"p50 before"}, servers...)},
			{"the others' p99", "p99", benchkit.Millis, noTarget, append([]string{"p99 before"}, servers...)},
		},
	},
	{
		name: "drop", title: "5,000 cut off at once", play: cutOff, without: []string{"bare", "centrifugo"}, recovery: true,
		rows: []row{
			{"recovered", "recovered", benchkit.Number, benchkit.Exactly(dropped, benchkit.Number), node},
			{"deliveries lost", "lost", benchkit.Number, benchkit.Exactly(0, benchkit.Number), node},
			{"deliveries doubled", "twice", benchkit.Number, benchkit.Exactly(0, benchkit.Number), node},
			{"until recovered, p99", "back p99", benchkit.Seconds, benchkit.AtMost(2, benchkit.Seconds), node},
			{"until recovered, longest", "back max", benchkit.Seconds, noTarget, node},
			{"server's CPU each", "cpu", benchkit.Micros, noTarget, node},
		},
	},
}

// load is a server and the crowd that is put on it.
type load struct {
	*benchkit.Run
	scene  *scene
	side   *side
	server *subject
	crowd  *benchkit.Child
	source int
}

// measure plays the scene on a new server of one side. It also returns for which share of the time one of the two
// processors worked for others.
func (sc *scene) measure(r *benchkit.Run, sd *side, source int) (found figures, disturbed float64, err error) {
	l := &load{Run: r, scene: sc, side: sd, source: source}
	err = benchkit.On(serverCPU, func() (err error) {
		l.server, err = sd.start(r, sc.recovery)
		return err
	})
	if err == nil && l.server == nil {
		err = errors.New("it did not start")
	}
	if err != nil {
		return nil, 0, err
	}
	defer l.server.stop()
	err = benchkit.On(crowdCPU, func() (err error) {
		l.crowd, err = r.Spawn(crowdRole)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	defer l.crowd.Close()
	start := time.Now()
	before, err := l.others()
	if err != nil {
		return nil, 0, err
	}
	if found, err = sc.play(l); err != nil {
		return nil, 0, err
	}
	after, err := l.others()
	return found, max(after[0]-before[0], after[1]-before[1]).Seconds() / time.Since(start).Seconds(), err
}

// others is how long each of the two processors has worked for anybody but the server and the crowd.
func (l *load) others() (at [2]time.Duration, err error) {
	for i, own := range [2]struct{ cpu, pid int }{{serverCPU, l.server.pid}, {crowdCPU, l.crowd.PID()}} {
		busy, err := benchkit.Busy(own.cpu)
		if err != nil {
			return at, err
		}
		used, err := benchkit.CPU(own.pid)
		if err != nil {
			return at, err
		}
		at[i] = busy - used
	}
	return at, nil
}

// open has all clients come, and returns the server's processor time for it.
func (l *load) open(count int) (rep crowdReport, cpu time.Duration, err error) {
	before, err := benchkit.CPU(l.server.pid)
	if err != nil {
		return rep, 0, err
	}
	err = l.crowd.Call(crowdOrder{Do: "open", Dialect: l.server.dialect, Addr: l.server.addr, Count: count,
		InFlight: inFlight, Source: l.source, Recovery: l.scene.recovery}, &rep)
	if err != nil {
		return rep, 0, err
	}
	after, err := benchkit.CPU(l.server.pid)
	return rep, after - before, err
}

// openAll is open that fails if somebody is not there.
func (l *load) openAll(count int) error {
	rep, _, err := l.open(count)
	if err == nil && rep.Reached < count {
		err = fmt.Errorf("of %d receivers and a publisher %d came, and %d got a message: %s", count, rep.Opened, rep.Reached,
			rep.Error)
	}
	return err
}

// order has the crowd do something, and returns the server's processor time meanwhile.
func (l *load) order(o crowdOrder) (rep crowdReport, cpu time.Duration, err error) {
	before, err := benchkit.CPU(l.server.pid)
	if err != nil {
		return rep, 0, err
	}
	profiled := l.profile(o.WarmUp + o.Lasts)
	err = l.crowd.Call(o, &rep)
	profiled()
	if err != nil {
		return rep, 0, err
	}
	after, err := benchkit.CPU(l.server.pid)
	return rep, after - before, err
}

// profile saves a CPU profile of what follows, if that was asked for and the server can be. The returned function waits
// for its end.
func (l *load) profile(lasts time.Duration) (wait func()) {
	if l.server.profile == nil {
		return func() {}
	}
	return l.server.profile(l.side.name+"-"+l.scene.name, lasts)
}

func (sc *scene) report(r *benchkit.Run, res results, there []*side) {
	byName := map[string]*side{}
	var ours []*side
	for _, sd := range there {
		byName[sd.name] = sd
		if sd.ours {
			ours = append(ours, sd)
		}
	}
	if len(ours) == 0 {
		ours = []*side{{}} // the peers' figures are shown by themselves
	}
	for _, w := range sc.rows {
		for _, form := range ours {
			mine := res[form.name]
			name := sc.title + ": " + w.what
			if form.name != "" {
				name += ", " + form.name
			}
			for i, other := range w.beside {
				line := benchkit.Row{Name: name, Ours: mine[w.figure], Unit: w.unit}
				if i == 0 {
					line.Target = w.target
				}
				if peer := byName[other]; peer != nil {
					line.Peer, line.PeerName = res[other][w.figure], peer.title
				} else if before, isFigure := strings.CutSuffix(other, " before"); isFigure && before == w.figure {
					line.Peer, line.PeerName = mine[other], "before"
				} else if i > 0 || len(line.Ours) == 0 {
					continue // it is not there
				}
				r.Add(line)
			}
		}
	}
}
