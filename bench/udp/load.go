//go:build linux

package main

import (
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const loadRole = "load"

// order has the load generator keep datagrams in flight for a while.
type order struct {
	Addr            string
	Peers, InFlight int
	Size            int // bytes
	Lasts           time.Duration
}

// result is what came back.
type result struct {
	Echoed  uint64
	Lost    uint64 // and were sent again
	Wrong   uint64 // came back with other bytes
	Seconds float64
}

func serveLoad(p *benchkit.Parent) error {
	runtime.LockOSThread()
	return benchkit.Serve(p, generate)
}

// source is one socket: a remote of its own to the server.
type source struct {
	fd      int
	flying  int
	touched time.Time
}

func generate(o order) (res result, err error) {
	poller, err := benchkit.NewPoller()
	if err != nil {
		return res, err
	}
	defer poller.Close()
	sources, err := openSources(o, poller)
	if err != nil {
		return res, err
	}
	defer func() {
		for _, s := range sources {
			unix.Close(s.fd)
		}
	}()
	b := newBatch(o.InFlight, o.Size+1, false)
	for i := range b.bufs {
		copy(b.bufs[i], benchkit.Random(o.Size))
	}
	want := string(benchkit.Random(o.Size))
	start := time.Now()
	for i := range sources {
		res.Lost += sources[i].send(b, o.InFlight, o.Size)
		sources[i].flying = o.InFlight
	}
	const lostAfter = 100 * time.Millisecond
	sweep := start.Add(lostAfter)
	for deadline := start.Add(o.Lasts); time.Now().Before(deadline); {
		events, err := poller.Wait(time.Now().Add(10 * time.Millisecond))
		if err != nil {
			return res, err
		}
		for _, e := range events {
			s := &sources[e.Fd]
			n, err := b.receive(s.fd, o.InFlight, unix.MSG_DONTWAIT)
			if err != nil {
				continue
			}
			for i := range n {
				if string(b.bufs[i][:b.headers[i].length]) != want {
					res.Wrong++
				}
			}
			res.Echoed += uint64(n)
			s.touched = time.Now()
			s.send(b, n, o.Size)
		}
		if now := time.Now(); now.After(sweep) {
			sweep = now.Add(lostAfter)
			for i := range sources {
				if s := &sources[i]; now.Sub(s.touched) > lostAfter {
					res.Lost += uint64(o.InFlight)
					s.send(b, o.InFlight, o.Size)
				}
			}
		}
	}
	res.Seconds = time.Since(start).Seconds()
	return res, nil
}

func openSources(o order, poller *benchkit.Poller) (sources []source, err error) {
	to, err := netip.ParseAddrPort(o.Addr)
	if err != nil {
		return nil, err
	}
	for i := range o.Peers {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return sources, err
		}
		sources = append(sources, source{fd: fd, touched: time.Now()})
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
			return sources, err
		}
		if err := poller.Watch(fd, unix.EPOLLIN, int32(i)); err != nil {
			return sources, err
		}
	}
	return sources, nil
}

// send sends n datagrams and returns how many the system did not take.
func (s *source) send(b *batch, n, size int) (lost uint64) {
	for i := range n {
		b.headers[i].length = uint32(size)
	}
	sent, err := b.send(s.fd, n)
	if err != nil {
		sent = 0
	}
	return uint64(n - sent)
}
