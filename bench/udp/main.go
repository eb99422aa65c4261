//go:build linux

// Command udp measures the UDP echo beside one that is nothing but recvmmsg and sendmmsg.
package main

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	peers    = 64
	inFlight = 8  // datagrams of each peer
	size     = 64 // bytes of a datagram
	lasts    = time.Second
	rounds   = 9
)

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "udp",
		About: fmt.Sprintf("UDP echo, %d peers with %d datagrams of %d bytes in flight each", peers, inFlight, size),
		Run:   run,
		Roles: map[string]benchkit.Role{peerRole: servePeer, loadRole: serveLoad},
	})
}

// way is one of the servers that echo.
type way struct {
	name, addr string
	pid        int
	server     *benchkit.Server // nil for the peer

	rate, cpu, allocs benchkit.Series
	lost              uint64
}

func run(r *benchkit.Run) error {
	r.Progress("building")
	peer, err := r.Spawn(peerRole)
	if err != nil {
		return err
	}
	ways := []*way{{name: "recvmmsg", pid: peer.PID()}}
	if err := peer.Receive(&ways[0].addr); err != nil {
		return err
	}
	for _, record := range []string{"off", "on"} {
		w := &way{name: "recording " + record, addr: benchkit.FreeAddr("udp")}
		w.server, err = r.Server(benchkit.ServerOptions{Config: fmt.Sprintf(
			`listeners: [{name: echo, listen: "udp://%s", service: echo, reply: plain, record: %s}]`, w.addr, record)})
		if err != nil {
			return err
		}
		w.pid = w.server.PID()
		ways = append(ways, w)
	}
	load, err := r.Spawn(loadRole)
	if err != nil {
		return err
	}
	for round := range rounds {
		for _, w := range ways {
			r.Progress("round %d of %d: %s", round+1, rounds, w.name)
			if err := w.measure(load); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	report(r, ways)
	return nil
}

func (w *way) measure(load *benchkit.Child) error {
	if w.server != nil {
		wait := w.server.Profile("udp-"+w.name, lasts)
		defer wait()
	}
	before, err := benchkit.CPU(w.pid)
	if err != nil {
		return err
	}
	counted := make(chan allocations, 1)
	go func() { counted <- w.allocations() }() // ends before the load does
	var res result
	if err := load.Call(order{w.addr, peers, inFlight, size, lasts}, &res); err != nil {
		return err
	}
	after, err := benchkit.CPU(w.pid)
	if err != nil {
		return err
	}
	if res.Wrong > 0 || res.Echoed == 0 {
		return fmt.Errorf("%d datagrams came back, %d of them with other bytes", res.Echoed, res.Wrong)
	}
	w.rate = append(w.rate, res.rate())
	w.cpu = append(w.cpu, (after-before).Seconds()/float64(res.Echoed))
	w.lost += res.Lost
	if a := <-counted; w.server != nil && a.err == nil {
		w.allocs = append(w.allocs, max(0, a.count/(res.rate()*a.lasted.Seconds())))
	} else if a.err != nil {
		return a.err
	}
	return nil
}

func (r result) rate() float64 { return float64(r.Echoed) / r.Seconds }

// allocations is how many objects the server allocated while datagrams flowed, without those that counting took.
type allocations struct {
	count  float64
	lasted time.Duration
	err    error
}

// allocations counts once every flow has been opened.
func (w *way) allocations() (a allocations) {
	if w.server == nil {
		return a
	}
	var at [3]uint64
	var when [3]time.Time
	time.Sleep(lasts / 4)
	for i := range at {
		when[i] = time.Now()
		if at[i], a.err = w.server.Mallocs(); a.err != nil {
			return a
		}
		if i == 1 {
			time.Sleep(lasts / 2)
		}
	}
	a.count, a.lasted = float64(at[2]-at[1])-float64(at[1]-at[0]), when[2].Sub(when[1])
	return a
}

func report(r *benchkit.Run, ways []*way) {
	r.Note("Allocations are all of the server's, its journal's and its timers' included: 0 is less than one for 200 datagrams.")
	peer := ways[0]
	for _, w := range ways[1:] {
		r.Add(benchkit.Row{Name: "datagrams echoed, " + w.name, Ours: w.rate, Peer: peer.rate, PeerName: peer.name,
			Unit: benchkit.PerSecond, Target: benchkit.RatioAtLeast(0.75)})
		r.Add(benchkit.Row{Name: "server's CPU each, " + w.name, Ours: w.cpu, Peer: peer.cpu, PeerName: peer.name,
			Unit: benchkit.Micros})
		r.Add(benchkit.Row{Name: "allocations a datagram, " + w.name, Ours: w.allocs, Unit: benchkit.Decimal,
			Target: benchkit.AtMost(0.005, benchkit.Decimal)})
		r.Note("%s: %d datagrams were lost and sent again.", w.name, w.lost)
	}
	r.Note("Every datagram that came back was compared with what was sent. recvmmsg is a Go program of its own that "+
		"does nothing else: up to %d datagrams a system call, no flows, no sessions, no record.", peerBatch)
}
