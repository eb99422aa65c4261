//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
)

const (
	dripRole = "drip"
	drippers = 200
	drops    = 200 // bytes of each, one at a time
	dripIdle = 2 * time.Second
	silent   = 2_000
)

// trickle is what the clients do: each sends one byte after the other and reads them back.
type trickle struct {
	Addr  string
	Every time.Duration
}

func serveDrip(p *benchkit.Parent) error {
	return benchkit.Serve(p, func(o trickle) (done int, err error) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range drippers {
			wg.Go(func() {
				e := dripOne(o)
				mu.Lock()
				defer mu.Unlock()
				if e == nil {
					done++
				}
				err = errors.Join(err, e)
			})
		}
		wg.Wait()
		return done, err
	})
}

func dripOne(o trickle) error {
	c, err := net.Dial("tcp", o.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	for i := range drops {
		<-tick.C
		if _, err := c.Write([]byte{byte(i)}); err != nil {
			return err
		}
	}
	c.(*net.TCPConn).CloseWrite()
	back, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	for i, b := range back {
		if b != byte(i) {
			return fmt.Errorf("byte %d came back as %d", i, b)
		}
	}
	if len(back) != drops {
		return fmt.Errorf("%d of %d bytes came back", len(back), drops)
	}
	return nil
}

// drip has clients send one byte at a time, beside clients that connect and say nothing.
func drip(r *benchkit.Run) error {
	r.Progress("drip: %d clients drip, %d are silent", drippers, silent)
	addr := benchkit.FreeAddr("tcp")
	server, err := r.Server(benchkit.ServerOptions{Config: fmt.Sprintf(
		"listeners: [{name: echo, listen: \"tcp://%s\", service: echo, reply: plain, idle: %v}]\n", addr, dripIdle)})
	if err != nil {
		return err
	}
	fleet, err := r.Fleet()
	if err != nil {
		return err
	}
	defer fleet.Close()
	if _, err := fleet.Order(benchkit.FleetOrder{Do: "open", Addr: addr, Count: silent, Sources: 400}); err != nil {
		return err
	}
	child, err := r.Spawn(dripRole)
	if err != nil {
		return err
	}
	defer child.Close()
	var served int
	if err := child.Call(trickle{addr, 15 * time.Millisecond}, &served); err != nil {
		return err
	}
	if err := server.WaitLive("echo", 0, dripIdle+5*time.Second); err != nil {
		return err
	}
	idle, err := server.Sessions(url.Values{"state": {"recorded"}, "cause": {string(session.Idle)}})
	if err != nil {
		return err
	}
	var longest time.Duration
	for _, s := range idle {
		longest = max(longest, time.Duration(s.End-s.Start)*time.Microsecond)
	}
	all, err := server.Sessions(url.Values{"state": {"recorded"}})
	if err != nil {
		return err
	}
	exact := 0
	for _, s := range all {
		if s.ReceivedBytes == drops && s.SentBytes == drops {
			exact++
		}
	}
	r.Add(benchkit.Row{Name: fmt.Sprintf("drip: %d clients send %d single bytes: all back, all recorded", drippers, drops),
		Ours: benchkit.One(float64(min(served, exact))), Unit: benchkit.Number, Target: benchkit.Exactly(drippers, benchkit.Number)})
	r.Add(benchkit.Row{Name: fmt.Sprintf("silent clients: ended as idle after %v", dripIdle), Ours: benchkit.One(float64(len(idle))),
		Unit: benchkit.Number, Target: benchkit.Exactly(silent, benchkit.Number)})
	r.Add(benchkit.Row{Name: "silent clients: the longest was kept", Ours: benchkit.One(longest.Seconds()), Unit: benchkit.Seconds,
		Target: benchkit.AtMost(2*dripIdle.Seconds(), benchkit.Seconds)})
	_, err = server.Stop()
	return err
}
