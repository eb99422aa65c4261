//go:build linux

// Command conns measures what an idle connection costs, and how fast connections are accepted and registered: each one
// sends a message, gets its reply, and then is silent.
package main

import (
	_ "embed"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	connections = 15_000
	rounds      = 3
	message     = "REG:860000000000001;"
)

//go:embed peer.js
var nodeScript string

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "conns",
		About: fmt.Sprintf("%d idle connections in one process, recorded, nobody watching", connections),
		Run:   run,
		Roles: map[string]benchkit.Role{peerRole: servePeer},
	})
}

// subject is a server under load.
type subject struct {
	name    string
	pid     int
	addr    string
	collect func() error // collects garbage
	live    func(want int) error
	bare    bool // registers nothing: only its speed is of interest

	rate, asIs, collected, cpu benchkit.Series
}

func run(r *benchkit.Run) error {
	if limit := benchkit.FileLimit(); limit < connections+600 {
		return fmt.Errorf("this process may open %d files and needs %d: ulimit -n", limit, connections+600)
	}
	r.Progress("building")
	if _, err := r.Build(); err != nil {
		return err
	}
	starts := []func(*benchkit.Run) (*subject, error){startOurs, startGo, startNode, startBare}
	subjects := make([]*subject, len(starts))
	for round := range rounds {
		for i, start := range starts {
			s, err := start(r)
			if err != nil {
				return err
			}
			if s == nil {
				continue
			}
			if subjects[i] != nil {
				s.rate, s.asIs, s.collected, s.cpu = subjects[i].rate, subjects[i].asIs, subjects[i].collected, subjects[i].cpu
			}
			subjects[i] = s
			r.Progress("round %d of %d: %s", round+1, rounds, s.name)
			if err := measure(r, s, round*len(starts)+i); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			syscall.Kill(s.pid, syscall.SIGKILL) // a stop would seal 15,000 recordings: bench/faults measures that
		}
	}
	report(r, subjects)
	return nil
}

func measure(r *benchkit.Run, s *subject, turn int) error {
	fleet, err := r.Fleet()
	if err != nil {
		return err
	}
	defer fleet.Close()
	if s.bare {
		return s.load(fleet, turn)
	}
	if err := benchkit.Sleep(r.Context, 500*time.Millisecond); err != nil {
		return err
	}
	if err := s.collect(); err != nil {
		return err
	}
	base, err := benchkit.SettledRSS(r.Context, s.pid, 2*time.Second)
	if err != nil {
		return err
	}
	if err := s.load(fleet, turn); err != nil {
		return err
	}
	if s.live != nil {
		if err := s.live(connections); err != nil {
			return err
		}
	}
	asIs, err := benchkit.SettledRSS(r.Context, s.pid, 3*time.Second)
	if err != nil {
		return err
	}
	if err := s.collect(); err != nil {
		return err
	}
	collected, err := benchkit.SettledRSS(r.Context, s.pid, 3*time.Second)
	if err != nil {
		return err
	}
	s.asIs = append(s.asIs, float64(asIs-base)/connections)
	s.collected = append(s.collected, float64(collected-base)/connections)
	return nil
}

// load opens all connections, and times that.
func (s *subject) load(fleet *benchkit.Fleet, turn int) error {
	before, err := benchkit.CPU(s.pid)
	if err != nil {
		return err
	}
	rep, err := fleet.Order(benchkit.FleetOrder{Do: "open", Addr: s.addr, Count: connections, Message: message,
		Reply: len(message), Sources: turn * 8})
	if err != nil {
		return err
	}
	if rep.Replied != connections {
		return fmt.Errorf("%d of %d connections got their reply: %s", rep.Replied, connections, rep.Error)
	}
	after, err := benchkit.CPU(s.pid)
	s.rate = append(s.rate, float64(connections)/rep.Seconds)
	s.cpu = append(s.cpu, (after-before).Seconds()/connections)
	return err
}

func startOurs(r *benchkit.Run) (*subject, error) {
	addr := benchkit.FreeAddr("tcp")
	server, err := r.Server(benchkit.ServerOptions{Config: fmt.Sprintf(
		`listeners: [{name: echo, listen: "tcp://%s", service: echo, reply: plain, record: on}]`, addr)})
	if err != nil {
		return nil, err
	}
	return &subject{name: "Switchboard", pid: server.PID(), addr: addr, collect: server.Collect, live: func(want int) error {
		return server.WaitLive("echo", want, 2*time.Second)
	}}, nil
}

func startGo(r *benchkit.Run) (*subject, error) {
	child, err := r.Spawn(peerRole)
	if err != nil {
		return nil, err
	}
	s := &subject{name: "Go, 4 KiB buffers", pid: child.PID(), collect: func() error { return child.Call(struct{}{}, nil) }}
	return s, child.Receive(&s.addr)
}

func startNode(r *benchkit.Run) (*subject, error) {
	_, port, _ := net.SplitHostPort(benchkit.FreeAddr("tcp"))
	program, addr, err := r.Node(nodeScript, port)
	if program == nil {
		return nil, err
	}
	process, err := os.FindProcess(program.PID())
	if err != nil {
		return nil, err
	}
	return &subject{name: "Node", pid: program.PID(), addr: addr, collect: func() error {
		return process.Signal(syscall.SIGUSR2)
	}}, nil
}

// startBare is an echo with one thread and no memory of its connections: as fast as this machine accepts.
func startBare(r *benchkit.Run) (*subject, error) {
	up, err := r.Upstream()
	if err != nil {
		return nil, err
	}
	return &subject{name: "bare epoll", pid: up.PID(), addr: up.Echo, collect: func() error { return nil }, bare: true}, nil
}

func report(r *benchkit.Run, subjects []*subject) {
	ours := subjects[0]
	memory := benchkit.AtMost(4_500, benchkit.Bytes)
	rate := benchkit.AtLeast(30_000, benchkit.PerSecond)
	for i, peer := range subjects {
		if i == 0 || peer == nil {
			continue
		}
		if !peer.bare {
			r.Add(benchkit.Row{Name: "resident memory each, after collecting garbage", Ours: ours.collected, Peer: peer.collected,
				PeerName: peer.name, Unit: benchkit.Bytes, Target: memory})
			r.Add(benchkit.Row{Name: "resident memory each, as it stands after 3 s", Ours: ours.asIs, Peer: peer.asIs,
				PeerName: peer.name, Unit: benchkit.Bytes})
		}
		r.Add(benchkit.Row{Name: "accepted and registered", Ours: ours.rate, Peer: peer.rate, PeerName: peer.name,
			Unit: benchkit.PerSecond, Target: rate})
		r.Add(benchkit.Row{Name: "server's CPU each", Ours: ours.cpu, Peer: peer.cpu, PeerName: peer.name, Unit: benchkit.Micros})
	}
	r.Note("Resident memory is VmRSS less that of the idle server before, divided by %d. It is read once it has changed by "+
		"less than 1 %% for a second: first as it stands, then after a collection that is asked for (pprof's heap?gc=1, "+
		"runtime.GC, global.gc).", connections)
	r.Note("bare epoll is one thread that accepts and echoes and keeps nothing: what this machine allows, with the client on " +
		"the other core.")
	r.Note("%d rounds, a new process each. Every connection sent %d bytes and got them back before the clock stopped.",
		rounds, len(message))
}
