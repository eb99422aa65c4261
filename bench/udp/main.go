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

	rate, cpu   benchkit.Series
	lost, wrong uint64
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
	w.rate = append(w.rate, float64(res.Echoed)/res.Seconds)
	w.cpu = append(w.cpu, (after-before).Seconds()/float64(res.Echoed))
	w.lost += res.Lost
	return nil
}

func report(r *benchkit.Run, ways []*way) {
	peer := ways[0]
	for _, w := range ways[1:] {
		r.Add(benchkit.Row{Name: "datagrams echoed, " + w.name, Ours: w.rate, Peer: peer.rate, PeerName: peer.name,
			Unit: benchkit.PerSecond, Target: benchkit.RatioAtLeast(0.75)})
		r.Add(benchkit.Row{Name: "server's CPU each, " + w.name, Ours: w.cpu, Peer: peer.cpu, PeerName: peer.name,
			Unit: benchkit.Micros})
		r.Note("%s: %d datagrams were lost and sent again.", w.name, w.lost)
	}
	r.Note("Every datagram that came back was compared with what was sent. recvmmsg is a Go program of its own that "+
		"does nothing else: up to %d datagrams a system call, no flows, no sessions, no record.", peerBatch)
}
