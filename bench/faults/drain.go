//go:build linux

package main

import (
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
)

const guests = 10_000

// drain stops a server with 10,000 live sessions, and looks at what it left.
func drain(r *benchkit.Run) error {
	addr := benchkit.FreeAddr("tcp")
	opt := benchkit.ServerOptions{Config: echo(addr, "")}
	server, err := r.Server(opt)
	if err != nil {
		return err
	}
	fleet, err := r.Fleet()
	if err != nil {
		return err
	}
	defer fleet.Close()
	r.Progress("drain: %d live sessions", guests)
	rep, err := fleet.Order(benchkit.FleetOrder{Do: "open", Addr: addr, Count: guests, Message: message,
		Reply: len(message), Sources: 200})
	if err != nil {
		return err
	}
	if rep.Replied != guests {
		return fmt.Errorf("%d of %d connections got their reply: %s", rep.Replied, guests, rep.Error)
	}
	r.Progress("drain: SIGTERM")
	wait := server.Profile("drain", 2*time.Second)
	took, err := server.Stop()
	if err != nil {
		return err
	}
	wait()
	files, err := recordings(server.Data)
	if err != nil {
		return err
	}
	opt.Data = server.Data
	start := time.Now()
	if server, err = r.Server(opt); err != nil {
		return err
	}
	again := time.Since(start)
	list, err := server.Sessions(url.Values{"state": {"recorded"}, "cause": {string(session.Shutdown)}})
	if err != nil {
		return err
	}
	whole := 0
	for _, sum := range list {
		if sum.ReceivedBytes == uint64(len(message)) && sum.SentBytes == uint64(len(message)) {
			whole++
		}
	}
	r.Add(benchkit.Row{Name: fmt.Sprintf("drain: SIGTERM to exit, %d live sessions", guests),
		Ours: benchkit.One(took.Seconds()), Unit: benchkit.Seconds, Target: benchkit.AtMost(5, benchkit.Seconds)})
	r.Add(benchkit.Row{Name: "drain: sealed when it had ended", Ours: benchkit.One(float64(files)), Unit: benchkit.Number,
		Target: benchkit.Exactly(guests, benchkit.Number)})
	r.Add(benchkit.Row{Name: "drain: listed as \"shutdown\" and whole by the next start", Ours: benchkit.One(float64(whole)),
		Unit: benchkit.Number, Target: benchkit.Exactly(guests, benchkit.Number)})
	r.Note("drain: the next start took %.2f s.", again.Seconds())
	_, err = server.Stop()
	return err
}

// recordings counts the sealed files under a data folder.
func recordings(data string) (n int, err error) {
	err = filepath.WalkDir(filepath.Join(data, "recordings"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".sbr") {
			n++
		}
		return err
	})
	return n, err
}
