//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	floodRole = "flood"
	flows     = 2_000  // that the listener allows
	strangers = 60_000 // source addresses and ports
)

// deluge is what the flood sends: one datagram from each of many source ports.
type deluge struct {
	Addr  string
	Count int
}

func serveFlood(p *benchkit.Parent) error {
	return benchkit.Serve(p, func(o deluge) (sent int, err error) {
		to, err := netip.ParseAddrPort(o.Addr)
		if err != nil {
			return 0, err
		}
		const firstPort, lastPort = 2_000, 60_000
		for i := range o.Count {
			source := benchkit.Source(4*i/(lastPort-firstPort) + 300)
			port := firstPort + i%(lastPort-firstPort)
			if err := datagram(source, port, to); err == nil {
				sent++
			}
			if i%500 == 499 {
				time.Sleep(2 * time.Millisecond) // so that the socket's buffer is not what bounds the flood
			}
		}
		return sent, nil
	})
}

func datagram(source [4]byte, port int, to netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: source, Port: port}); err != nil {
		return err
	}
	return unix.Sendto(fd, []byte(message), 0, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
}

// flood sends datagrams from more source ports than the listener has room for flows.
func flood(r *benchkit.Run) error {
	r.Progress("flood: %d source ports", strangers)
	addr := benchkit.FreeAddr("udp")
	server, err := r.Server(benchkit.ServerOptions{Config: fmt.Sprintf("recording: {sync: none}\nlisteners: "+
		"[{name: echo, listen: \"udp://%s\", service: echo, reply: plain, idle: 2s, max_sessions: %d}]\n", addr, flows)})
	if err != nil {
		return err
	}
	known, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer known.Close()
	if _, err := ask(known); err != nil {
		return fmt.Errorf("before the flood: %w", err)
	}
	rss, _, err := resting(r, server)
	if err != nil {
		return err
	}
	child, err := r.Spawn(floodRole)
	if err != nil {
		return err
	}
	defer child.Close()
	if err := child.Send(deluge{addr, strangers}); err != nil {
		return err
	}
	most, answered, asked := 0, 0, 0
	var slowest time.Duration
	done := make(chan error, 1)
	var sent int
	go func() { done <- child.Receive(&sent) }() // ends with the flood
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			running = false
		case <-r.Context.Done():
			return r.Context.Err()
		case <-time.After(50 * time.Millisecond):
			live, _, err := server.Live("echo")
			if err != nil {
				return err
			}
			most = max(most, live)
			asked++
			if took, err := ask(known); err == nil {
				answered++
				slowest = max(slowest, took)
			}
		}
	}
	peak, err := benchkit.RSS(server.PID())
	if err != nil {
		return err
	}
	_, refused, err := server.Live("echo")
	if err != nil {
		return err
	}
	if err := recoversFromFlood(r, server, addr); err != nil {
		return err
	}
	r.Add(benchkit.Row{Name: fmt.Sprintf("flood, %d source ports: flows at most", strangers), Ours: benchkit.One(float64(most)),
		Unit: benchkit.Number, Target: benchkit.AtMost(flows, benchkit.Number)})
	r.Add(benchkit.Row{Name: "flood: memory, against before", Ours: benchkit.One(float64(peak)),
		Peer: benchkit.One(float64(rss)), PeerName: "before", Unit: benchkit.MiB})
	r.Add(benchkit.Row{Name: "flood: a known flow is answered meanwhile", Ours: benchkit.One(float64(answered) / float64(asked)),
		Unit: benchkit.PercentOf1, Target: benchkit.AtLeast(0.95, benchkit.PercentOf1)})
	r.Note("flood: %d datagrams were sent, %d refused and counted; the known flow waited %.1f ms at most; when the flows had "+
		"idled out, new ones were taken.", sent, refused, slowest.Seconds()*1e3)
	_, err = server.Stop()
	return err
}

// ask sends a datagram and waits for its echo.
func ask(c net.Conn) (time.Duration, error) {
	start := time.Now()
	if _, err := c.Write([]byte(message)); err != nil {
		return 0, err
	}
	c.SetReadDeadline(start.Add(time.Second))
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	if err == nil && string(buf[:n]) != message {
		err = errors.New("the echo has other bytes")
	}
	return time.Since(start), err
}

// recoversFromFlood waits until the flows have ended as idle, and has a new one answered.
func recoversFromFlood(r *benchkit.Run, server *benchkit.Server, addr string) error {
	err := benchkit.Until(r.Context, 15*time.Second, "the flood's flows end as idle", func() (bool, error) {
		live, _, err := server.Live("echo")
		return live <= 1, err
	})
	if err != nil {
		return err
	}
	c, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := ask(c); err != nil {
		return fmt.Errorf("after the flood: %w", err)
	}
	return nil
}
