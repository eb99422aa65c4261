//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
)

const (
	hourRate    = 20 // events a second
	memoryLimit = 150 << 20
)

// sample is what a page holds, garbage collected.
type sample struct{ Heap, Nodes, Listeners, Private float64 }

// memory takes what a page holds while an hour plays.
func memory(b *bench) error {
	data := filepath.Join(b.Dir, "hours")
	hours := []struct {
		name, listener, shows string
		kind                  session.Kind
		make                  func(i int) []byte
	}{
		{"conversation", "lines", ".row-line", session.Received, func(i int) []byte { return line(i, 80) }},
		{"terminal", "screens", ".xterm-rows > div", session.Sent, screen},
	}
	var ids []session.ID
	b.Progress("memory: writing the hours")
	for i, h := range hours {
		info := session.Info{ID: session.NewID("n1"), Listener: h.listener, Service: "relay", Transport: "tcp", Local: "127.0.0.1:1",
			Remote: "127.0.0.1:2", Start: time.Now().Add(-2 * time.Hour).UnixMicro(), Record: session.RecordOn}
		if h.listener == "screens" {
			info.Terminal = "80x24"
		}
		if err := writeHour(data, 1+1000*i, info, h.kind, hourRate, h.make); err != nil {
			return err
		}
		ids = append(ids, info.ID)
	}
	server, err := b.serve(benchkit.ServerOptions{Data: data, Config: "listeners:\n  - {name: lines, listen: \"tcp://127.0.0.1:0\", service: sink}\n"})
	if err != nil {
		return err
	}
	speed, seconds, every := 64, 3*3600/64+5, 5
	if *hour {
		speed, seconds, every = 1, 3600, 30
	}
	for i, h := range hours {
		sum, err := b.recorded(server, h.listener)
		if err != nil {
			return err
		}
		if want := uint64(3600*hourRate + 2); sum.Events != want { // opened, and closed by the start
			return fmt.Errorf("the hour of %s has %d events, want %d", h.name, sum.Events, want)
		}
		b.Progress("memory: playing, %s", h.name)
		var played struct {
			Samples []sample
			Rounds  int
		}
		err = b.do("playOn", order{"address": "/sessions/" + string(ids[i]), "shows": h.shows, "speed": speed, "seconds": seconds,
			"every": every, "file": b.trace("memory-" + h.listener)}, &played)
		if err != nil {
			return err
		}
		if len(played.Samples) < 3 {
			return fmt.Errorf("%d samples", len(played.Samples))
		}
		first, last := played.Samples[0], played.Samples[len(played.Samples)-1]
		var most sample
		for _, s := range played.Samples {
			most = sample{max(most.Heap, s.Heap), max(most.Nodes, s.Nodes), max(most.Listeners, s.Listeners), max(most.Private, s.Private)}
		}
		row := func(name string, ours, peer float64, unit benchkit.Unit, t benchkit.Target) {
			b.Add(benchkit.Row{Name: fmt.Sprintf("an hour plays, %s: %s", h.name, name), Ours: benchkit.One(ours), Peer: benchkit.One(peer),
				PeerName: "at first", Unit: unit, Target: t})
		}
		row("renderer's private memory, most", most.Private, first.Private, benchkit.MiB, benchkit.AtMost(memoryLimit, benchkit.MiB))
		row("renderer's private memory, at last", last.Private, first.Private, benchkit.MiB, benchkit.Target{})
		row("JavaScript heap, most", most.Heap, first.Heap, benchkit.MiB, benchkit.Target{})
		row("JavaScript heap, at last", last.Heap, first.Heap, benchkit.MiB, benchkit.Target{})
		row("DOM nodes, most", most.Nodes, first.Nodes, benchkit.Number, benchkit.Target{})
		b.Note("memory, %s: begun %d times, %d samples; %.0f listeners at first, %.0f at last.", h.name, played.Rounds, len(played.Samples),
			first.Listeners, last.Listeners)
	}
	b.Note("memory: recordings of 3600 s with %d events a second, lines of 80 bytes and whole screens of 80×24, played over and over at %d× for "+
		"%d s. Each sample is taken after a collection of garbage, every %d s.", hourRate, speed, seconds, every)
	return b.end(server)
}
