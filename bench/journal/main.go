//go:build linux

// Command journal measures the recording by itself: how soon an event is acknowledged, how much goes through beside a
// bare loop that writes and syncs, how soon a recording can be read at any point, and how a big folder opens after a
// kill.
package main

import (
	"flag"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

var size = flag.Float64("gb", 1, "size of the data folder of the restart, GB")

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "journal",
		About: "recording by itself: acknowledgements, throughput, reading, restart",
		Run:   run,
		Roles: map[string]benchkit.Role{"prepare": prepare, "restart": restart},
	})
}

func run(r *benchkit.Run) error {
	for _, part := range []func(*benchkit.Run) error{paced, bulk, small, reading, restarting} {
		if err := part(r); err != nil {
			return err
		}
	}
	return nil
}

func open(dir string) (*recording.Store, error) { return openTold(dir, nil) }

func openTold(dir string, sealed func(session.Summary)) (*recording.Store, error) {
	return recording.Open(recording.Options{Dir: dir, OnSealed: sealed, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

// inFolder runs f with a store in a folder of the run, and closes it.
func inFolder(r *benchkit.Run, name string, f func(*recording.Store) error) error {
	store, err := open(filepath.Join(r.Dir, name))
	if err != nil {
		return err
	}
	if err := f(store); err != nil {
		store.Close()
		return err
	}
	return store.Close()
}

func begin(store *recording.Store, record session.Record) (*recording.Log, *session.Info, error) {
	info := &session.Info{ID: session.NewID("n1"), Listener: "bench", Transport: "tcp", Remote: "127.0.0.1:1", Start: time.Now().UnixMicro()}
	log, err := store.Begin(info, recording.Policy{Record: record, OnFailure: session.OnFailureEnd})
	return log, info, err
}

func done() session.End { return session.End{Time: time.Now().UnixMicro(), Cause: session.Done} }
