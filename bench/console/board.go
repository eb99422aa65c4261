//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	boardSessions = 10_000
	boardChanges  = 1_000 // a second
	boardChurn    = 100   // one in so many is a client that goes and another that comes
	boardLasts    = 20 * time.Second
)

// board takes what the list of live sessions costs when there are many.
func board(b *bench) error {
	if limit := benchkit.FileLimit(); limit < boardSessions+600 {
		return fmt.Errorf("this process may open %d files and needs %d: ulimit -n", limit, boardSessions+600)
	}
	addr := benchkit.FreeAddr("tcp")
	server, err := b.serve(benchkit.ServerOptions{Config: fmt.Sprintf("listeners:\n  - {name: lines, listen: \"tcp://%s\", service: sink}\n", addr)})
	if err != nil {
		return err
	}
	b.Progress("board: %d clients connect", boardSessions)
	crowd, err := gather(addr, boardSessions)
	if err != nil {
		return err
	}
	defer crowd.leave()
	stop := crowd.talk(boardChanges, 20, boardChurn)
	b.Progress("board: nobody looks")
	without, err := b.idleCPU(server)
	if err != nil {
		return err
	}
	if err := b.do("open", order{"address": "/", "shows": `a[href^="/sessions/"]`, "count": 5}, nil); err != nil {
		return err
	}
	if err := benchkit.Sleep(b.Context, 3*time.Second); err != nil {
		return err
	}
	b.Progress("board: %d changes a second for %v", boardChanges, boardLasts)
	pids, err := b.processes()
	if err != nil {
		return err
	}
	wait := server.Profile("board", boardLasts)
	defer wait()
	browser, ours := readCPU(pids...), readCPU(server.PID())
	var frames []float64
	if err := b.do("takeFrames", order{"seconds": boardLasts.Seconds(), "file": b.trace("board")}, &frames); err != nil {
		return err
	}
	page, with := browser.cores(), ours.cores()
	if err := b.do("leave", nil, nil); err != nil {
		return err
	}
	b.Progress("board: nobody looks any more")
	after, err := b.idleCPU(server)
	if err != nil {
		return err
	}
	without = (without + after) / 2
	if err := stop(); err != nil {
		return err
	}
	row := func(name string, v float64, unit benchkit.Unit, t benchkit.Target) {
		b.Add(benchkit.Row{Name: "10,000 sessions, 1,000 changes/s: " + name, Ours: benchkit.One(v), Unit: unit, Target: t})
	}
	row("main thread a frame, median", benchkit.Percentile(frames, 0.5)/1e3, benchkit.Millis, benchkit.Target{})
	row("main thread a frame, p95", benchkit.Percentile(frames, 0.95)/1e3, benchkit.Millis, benchkit.AtMost(0.016, benchkit.Millis))
	row("processors, the server for the list", max(0, with-without), benchkit.Decimal, benchkit.Target{})
	row("processors, browser", page, benchkit.Decimal, benchkit.Target{})
	b.Note("10,000 sessions: %s frames in %v, from a frame's beginning until the main thread is free again; the longest took %.1f ms. One "+
		"change in %d is a client that goes and another that comes. The server takes %.2f processors without the page.",
		benchkit.Number(float64(len(frames))), boardLasts, slices.Max(frames), boardChurn, without)
	return b.end(server)
}

// idleCPU is how many processors the server keeps busy while nobody looks.
func (b *bench) idleCPU(server *benchkit.Server) (float64, error) {
	before := readCPU(server.PID())
	err := benchkit.Sleep(b.Context, boardLasts/2)
	return before.cores(), err
}
