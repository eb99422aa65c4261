//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	costBytes = 256 << 20
	costRatio = 0.9
)

// cost takes how fast what an upstream writes comes through a relay, with screens that are kept and without.
func (b *bench) cost() error {
	text, err := casts()
	if err != nil {
		return err
	}
	for len(text) < 1<<20 {
		text = append(text, text...)
	}
	up, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer up.Close()
	failed := make(chan error, 1)
	go func() { failed <- writeOn(up, text) }() // ends with the listener
	on, off := benchkit.FreeAddr("tcp"), benchkit.FreeAddr("tcp")
	server, err := b.Server(benchkit.ServerOptions{Config: fmt.Sprintf(`listeners:
  - {name: "on", listen: "tcp://%s", service: relay, upstream: "tcp://%s", terminal: 140x40}
  - {name: "off", listen: "tcp://%s", service: relay, upstream: "tcp://%s"}
`, on, up.Addr(), off, up.Addr())})
	if err != nil {
		return err
	}
	rate, spent := map[string]benchkit.Series{}, map[string]benchkit.Series{}
	for round := range *rounds {
		for name, addr := range map[string]string{"on": on, "off": off} {
			b.Progress("cost, round %d of %d: %s", round+1, *rounds, name)
			before, err := benchkit.CPU(server.PID())
			if err != nil {
				return err
			}
			wait := server.Profile("cost-"+name, 2*time.Second)
			took, err := read(addr)
			wait()
			if err == nil {
				err = b.settle(server, name)
			}
			if err != nil {
				return errors.Join(err, takeError(failed))
			}
			after, err := benchkit.CPU(server.PID())
			if err != nil {
				return err
			}
			rate[name] = append(rate[name], costBytes/took.Seconds())
			spent[name] = append(spent[name], (after-before).Seconds()/costBytes)
		}
	}
	megabytes := func(v float64) string { return fmt.Sprintf("%.0f MB/s", v/1e6) }
	b.Add(benchkit.Row{Name: "a program's output through a relay, screens kept", Ours: rate["on"], Peer: rate["off"], PeerName: "terminal: not told",
		Unit: megabytes, Target: benchkit.RatioAtLeast(costRatio)})
	nanos := func(v float64) string { return fmt.Sprintf("%.2f ns", v*1e9) }
	b.Add(benchkit.Row{Name: "server's CPU a byte, screens kept", Ours: spent["on"], Peer: spent["off"], PeerName: "terminal: not told", Unit: nanos})
	b.Note("cost: %d MiB of what full-screen programs write, in one connection, recorded, until the recording and its screens are there. The CPU is all of the server's.", costBytes>>20)
	return nil
}

func takeError(failed chan error) error {
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// writeOn writes text over and over to who connects, and hangs up.
func writeOn(ln net.Listener, text []byte) error {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		for said := 0; said < costBytes; {
			at := said % len(text)
			n, err := conn.Write(text[at:min(at+32<<10, len(text), at+costBytes-said)])
			if err != nil {
				return err
			}
			said += n
		}
		conn.Close()
	}
}

// read reads all that comes, and tells how long that took from the first byte.
func read(addr string) (time.Duration, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	buf := make([]byte, 256<<10)
	n, err := conn.Read(buf)
	began := time.Now()
	for total := n; ; total += n {
		if errors.Is(err, io.EOF) {
			if total != costBytes {
				return 0, fmt.Errorf("%d of %d bytes came", total, costBytes)
			}
			return time.Since(began), nil
		}
		if err != nil {
			return 0, err
		}
		n, err = conn.Read(buf)
	}
}

// settle waits until the session that passed is on record with all of its screens, and removes it.
func (b *bench) settle(s *benchkit.Server, listener string) error {
	if err := s.WaitLive(listener, 0, 30*time.Second); err != nil {
		return err
	}
	list, err := s.Sessions(url.Values{"listener": {listener}})
	if err != nil || len(list) != 1 {
		return fmt.Errorf("%d sessions are listed: %w", len(list), err)
	}
	sum, err := b.recorded(s, list[0].ID, list[0].Events-1)
	if err != nil {
		return err
	}
	if listener == "on" {
		if _, _, err := b.keptOf(s, sum); err != nil {
			return err
		}
	}
	return benchkit.Until(b.Context, 20*time.Second, "the recording is removed", func() (bool, error) {
		err := s.Delete("/api/v1/sessions/" + string(sum.ID))
		return err == nil, err
	})
}
