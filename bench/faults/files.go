//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// files has more clients come than the server may hold, in two ways: by its own limit, and by the system's.
func files(r *benchkit.Run) error {
	if err := crowd(r, "own limit", 1024, "", "the limit of connections is reached"); err != nil {
		return fmt.Errorf("own limit: %w", err)
	}
	if err := crowd(r, "EMFILE", 400, "limits: {connections: 100000}", "connections cannot be accepted"); err != nil {
		return fmt.Errorf("EMFILE: %w", err)
	}
	return nil
}

// crowd starts a server that may open so many files, and has twice as many clients come; then they all go.
func crowd(r *benchkit.Run, name string, limit int, settings, says string) error {
	r.Progress("files: %s", name)
	addr := benchkit.FreeAddr("tcp")
	server, err := r.Server(benchkit.ServerOptions{Config: echo(addr, settings), Files: limit})
	if err != nil {
		return err
	}
	fleet, err := r.Fleet()
	if err != nil {
		return err
	}
	defer fleet.Close()
	order := benchkit.FleetOrder{Do: "open", Addr: addr, Count: 2 * limit, InFlight: 2 * limit, Message: message,
		Reply: len(message), Limit: 2 * time.Second}
	rep, err := fleet.Order(order)
	if err != nil {
		return err
	}
	before, err := benchkit.CPU(server.PID())
	if err != nil {
		return err
	}
	const rest = 2 * time.Second
	if err := benchkit.Sleep(r.Context, rest); err != nil {
		return err
	}
	after, err := benchkit.CPU(server.PID())
	if err != nil {
		return err
	}
	said := strings.Count(server.LogText(), says)
	if _, err := fleet.Order(benchkit.FleetOrder{Do: "close"}); err != nil {
		return err
	}
	start := time.Now()
	again, err := fleet.Order(benchkit.FleetOrder{Do: "open", Addr: addr, Count: 10, Message: message, Reply: len(message),
		Limit: 10 * time.Second})
	if err != nil {
		return err
	}
	if again.Replied != 10 {
		return fmt.Errorf("when the crowd had gone, %d of 10 new connections were served: %s", again.Replied, again.Error)
	}
	recovered := time.Since(start)
	r.Add(benchkit.Row{Name: fmt.Sprintf("files, %s: said in the log while it lasts", name), Ours: benchkit.One(float64(said)),
		Unit: benchkit.Number, Target: benchkit.Exactly(1, benchkit.Number)})
	r.Add(benchkit.Row{Name: fmt.Sprintf("files, %s: CPU while full, of one core", name),
		Ours: benchkit.One((after - before).Seconds() / rest.Seconds()), Unit: benchkit.PercentOf1,
		Target: benchkit.AtMost(0.05, benchkit.PercentOf1)})
	r.Add(benchkit.Row{Name: fmt.Sprintf("files, %s: all gone to ten new ones served", name),
		Ours: benchkit.One(recovered.Seconds()), Unit: benchkit.Seconds, Target: benchkit.AtMost(2, benchkit.Seconds)})
	r.Note("files, %s: of %d connections with %d descriptors, %d were served and %d waited; until all of "+
		"them had gone it was said %d times.", name, 2*limit, limit, rep.Replied, rep.Held-rep.Replied,
		strings.Count(server.LogText(), says))
	_, err = server.Stop()
	return err
}
