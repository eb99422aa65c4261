//go:build linux

package main

import (
	"fmt"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	wallScreens = 13
	wallLines   = 12
	wallRate    = 10 // events a second of each
	wallRepaint = 200 * time.Millisecond
	wallLasts   = 20 * time.Second
)

// wall takes what 25 sessions that are watched at once cost, in processors.
func wall(b *bench) error {
	up, err := newUpstream()
	if err != nil {
		return err
	}
	defer up.Close()
	lines, screens := benchkit.FreeAddr("tcp"), benchkit.FreeAddr("tcp")
	server, err := b.serve(benchkit.ServerOptions{Config: fmt.Sprintf(`listeners:
  - {name: lines, listen: "tcp://%s", service: sink}
  - {name: screens, listen: "tcp://%s", service: relay, upstream: "tcp://%s", terminal: 80x24}
`, lines, screens, up.Addr())})
	if err != nil {
		return err
	}
	crowd, err := gather(lines, wallLines)
	if err != nil {
		return err
	}
	far, err := gather(screens, wallScreens)
	if err != nil {
		return err
	}
	crowd.conns = append(crowd.conns, far.conns...) // which say something as well
	defer crowd.leave()
	var near []io.Writer
	for _, c := range far.conns {
		go io.Copy(io.Discard, c) // ends with the connection
		n, err := up.next(b.Context)
		if err != nil {
			return err
		}
		near = append(near, n)
	}
	stopTalk := crowd.talk(wallRate*float64(len(crowd.conns)), 80, 0)
	stopPaint := each(wallRepaint/wallScreens, func(i int) error {
		_, err := near[i%wallScreens].Write(screen(i))
		return err
	})
	quiet := readCPU(server.PID())
	b.Progress("wall: nobody looks")
	if err := benchkit.Sleep(b.Context, wallLasts/4); err != nil {
		return err
	}
	without := quiet.cores()
	err = b.do("open", order{"address": "/wall?q=", "viewport": map[string]int{"width": 1920, "height": 1080},
		"shows": ".view .screen .xterm-rows, .view .lines p:last-child", "count": wallScreens + wallLines}, nil)
	if err != nil {
		return err
	}
	b.Progress("wall: %d sessions for %v", wallScreens+wallLines, wallLasts)
	if err := benchkit.Sleep(b.Context, 5*time.Second); err != nil {
		return err
	}
	pids, err := b.processes()
	if err != nil {
		return err
	}
	wait := server.Profile("wall", wallLasts)
	defer wait()
	browser, ours := readCPU(pids...), readCPU(server.PID())
	if file := b.trace("wall"); file != "" {
		err = b.do("profile", order{"file": file, "seconds": wallLasts.Seconds()}, nil)
	} else {
		err = benchkit.Sleep(b.Context, wallLasts)
	}
	if err != nil {
		return err
	}
	page, with := browser.cores(), ours.cores()
	if err := stopTalk(); err != nil {
		return err
	}
	if err := stopPaint(); err != nil {
		return err
	}
	row := func(name string, cores float64, t benchkit.Target) {
		b.Add(benchkit.Row{Name: "wall of 25: " + name, Ours: benchkit.One(cores), Unit: benchkit.Decimal, Target: t})
	}
	row("processors, browser and server", page+with, benchkit.AtMost(1, benchkit.Decimal))
	row("processors, browser", page, benchkit.Target{})
	row("processors, server", with, benchkit.Target{})
	b.Note("wall: %d sessions of lines and %d of terminals, each with %d events of 80 bytes a second; the terminals besides are painted "+
		"whole every %v. All processes of Chromium, at 1920 × 1080 and without a graphics processor, and the server over %v; without the wall the "+
		"server takes %.2f.", wallLines, wallScreens, wallRate, wallRepaint, wallLasts, without)
	return b.end(server)
}
