//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	visits = 100_000
	warmUp = 10_000
)

// churn has 100,000 clients come, say something, hear it and go, one after the other.
func churn(r *benchkit.Run) error {
	addr := benchkit.FreeAddr("tcp")
	server, err := r.Server(benchkit.ServerOptions{Config: echo(addr, "recording: {sync: none}")})
	if err != nil {
		return err
	}
	fleet, err := r.Fleet()
	if err != nil {
		return err
	}
	defer fleet.Close()
	r.Progress("churn: %d to warm up", warmUp)
	if _, err := visit(fleet, server, addr, warmUp, 0); err != nil {
		return err
	}
	rss, files, err := resting(r, server)
	if err != nil {
		return err
	}
	r.Progress("churn: %d connections", visits)
	wait := server.Profile("churn", 3*time.Second)
	rep, err := visit(fleet, server, addr, visits, 100)
	if err != nil {
		return err
	}
	wait()
	r.Progress("churn: all of them are sealed")
	sealing := time.Now()
	if err := sealed(r, server, warmUp+visits); err != nil {
		return err
	}
	sealedIn := time.Since(sealing)
	after, filesAfter, err := resting(r, server)
	if err != nil {
		return err
	}
	r.Progress("churn: all of them are listed")
	start := time.Now()
	list, err := server.Sessions(nil)
	if err != nil {
		return err
	}
	r.Note("churn: the last recording was sealed %.1f s after the last client went; listing %d sessions over REST took %.2f s.",
		sealedIn.Seconds(), len(list), time.Since(start).Seconds())
	r.Add(benchkit.Row{Name: fmt.Sprintf("churn: %d connections in a row", visits), Ours: benchkit.One(visits / rep.Seconds),
		Unit: benchkit.PerSecond})
	r.Add(benchkit.Row{Name: "churn: of them listed", Ours: benchkit.One(float64(len(list) - warmUp)), Unit: benchkit.Number,
		Target: benchkit.Exactly(visits, benchkit.Number)})
	r.Add(benchkit.Row{Name: "churn: memory after, against before", Ours: benchkit.One(float64(after)),
		Peer: benchkit.One(float64(rss)), PeerName: "before", Unit: benchkit.MiB, Target: benchkit.RatioAtMost(1.25)})
	r.Add(benchkit.Row{Name: "churn: descriptors after, against before", Ours: benchkit.One(float64(filesAfter)),
		Peer: benchkit.One(float64(files)), PeerName: "before", Unit: benchkit.Number,
		Target: benchkit.AtMost(float64(files+8), benchkit.Number)})
	_, err = server.Stop()
	return err
}

func visit(fleet *benchkit.Fleet, server *benchkit.Server, addr string, n, sources int) (rep benchkit.FleetReport, err error) {
	rep, err = fleet.Order(benchkit.FleetOrder{Do: "churn", Addr: addr, Count: n, InFlight: 64, Message: message,
		Reply: len(message), Sources: sources})
	if err != nil {
		return rep, err
	}
	if rep.Replied != n {
		return rep, fmt.Errorf("%d of %d connections got their reply: %s", rep.Replied, n, rep.Error)
	}
	return rep, server.WaitLive("echo", 0, 10*time.Second)
}

// sealed waits until so many recordings lie in their own files.
func sealed(r *benchkit.Run, server *benchkit.Server, want int) error {
	var at struct {
		Stats struct {
			Recorded int `json:"recorded"`
		} `json:"stats"`
	}
	err := benchkit.Until(r.Context, 40*time.Second, fmt.Sprintf("%d recordings are sealed", want), func() (bool, error) {
		err := server.Get("/api/v1/server", &at)
		return at.Stats.Recorded >= want, err
	})
	if err != nil {
		return fmt.Errorf("%w: %d are", err, at.Stats.Recorded)
	}
	return nil
}

// resting is a server's memory and descriptors when it has nothing to do.
func resting(r *benchkit.Run, server *benchkit.Server) (rss int64, files int, err error) {
	if err := server.Collect(); err != nil {
		return 0, 0, err
	}
	if rss, err = benchkit.SettledRSS(r.Context, server.PID(), 4*time.Second); err != nil {
		return 0, 0, err
	}
	files, err = benchkit.Descriptors(server.PID())
	return rss, files, err
}
