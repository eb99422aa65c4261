// Command run runs the official test suites of Engine.IO and Socket.IO many times over against our server, built with the race
// detector: go run ./bench/suites/run -dir FOLDER -repeat 20. It fails if any test of any run does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
)

const usage = `The suites are not part of this repository. Get them once, each into a folder of its own within one FOLDER:

	git clone -b main https://github.com/socketio/engine.io-protocol FOLDER/eio-main
	git clone -b v3   https://github.com/socketio/engine.io-protocol FOLDER/eio-v3
	git clone         https://github.com/socketio/socket.io-protocol FOLDER/sio
	for s in FOLDER/*/test-suite; do (cd $s && npm ci); done

	go run ./bench/suites/run -dir FOLDER -repeat 20
`

// suites are the folders and what is in them.
var suites = []struct{ folder, name string }{
	{"eio-main", "Engine.IO 4"},
	{"eio-v3", "Engine.IO 3"},
	{"sio", "Socket.IO 5"},
}

func main() {
	dir := flag.String("dir", "", "`folder` with the suites")
	repeat := flag.Int("repeat", 20, "how `often` each suite runs")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage, "\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *dir == "" || *repeat < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *dir, *repeat); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, repeat int) error {
	temp, err := os.MkdirTemp("", "suites")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	s, err := startServer(ctx, temp)
	if err != nil {
		return err
	}
	counts := make([]*count, len(suites))
	errs := make([]error, len(suites))
	var all sync.WaitGroup
	for i, suite := range suites {
		all.Go(func() {
			counts[i], errs[i] = runSuite(ctx, filepath.Join(dir, suite.folder, "test-suite"), temp, s.addr, repeat)
		})
	}
	all.Wait()
	bad := false
	for i, suite := range suites {
		if errs[i] != nil {
			s.stop()
			return fmt.Errorf("%s: %w", suite.name, errs[i])
		}
		fmt.Printf("%-12s %s\n", suite.name, counts[i])
		bad = bad || counts[i].failed > 0
	}
	if err := s.stop(); err != nil {
		return err
	}
	if bad {
		return fmt.Errorf("some tests failed")
	}
	return nil
}
