//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	registrations    = 2_000
	registrationRate = 200 // a second
)

// registration takes the time from a device's registration to the web server.
func registration(r *benchkit.Run) error {
	s, err := startServer(r, setup{framing: pieces})
	if err != nil {
		return err
	}
	l, err := spawnLoad(r)
	if err != nil {
		return err
	}
	defer l.Close()
	n := min(registrations, *devices)
	r.Progress("%d registrations, %d a second", n, registrationRate)
	c := config(s.addr, n, 0)
	c.ConnectRate = registrationRate
	wait := s.Profile("devices-registration", time.Duration(n/registrationRate)*time.Second)
	if _, err := l.do(order{Do: "link", Addr: s.addr}, order{Do: "begin", Config: c}, order{Do: "pause"}); err != nil {
		return err
	}
	rep, err := l.order(order{Do: "look"})
	if err != nil {
		return err
	}
	wait()
	if rep.Came.Registrations != uint64(n) || rep.Came.Online != n {
		return fmt.Errorf("the web server was told of %d registrations of %d, and of %d that are connected", rep.Came.Registrations, n, rep.Came.Online)
	}
	at := rep.Came.Register
	r.Add(benchkit.Row{Name: "registration to web server: median", Ours: benchkit.One(at.P50), Unit: benchkit.Millis})
	r.Add(benchkit.Row{Name: "registration to web server: p99", Ours: benchkit.One(at.P99), Unit: benchkit.Millis, Target: benchkit.AtMost(0.005, benchkit.Millis)})
	r.Add(benchkit.Row{Name: "registration to web server: the slowest", Ours: benchkit.One(at.Max), Unit: benchkit.Millis})
	r.Note("registration: %d devices, %d a second; from before the device writes its name until the web server has the line.", n, registrationRate)
	if _, err := l.order(order{Do: "end"}); err != nil {
		return err
	}
	_, err = s.Stop()
	return err
}
