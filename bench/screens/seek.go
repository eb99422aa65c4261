//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
)

const (
	seeks     = 2000
	seekEvent = 1000 // bytes of an event
	seekLimit = 5e-3 // seconds
	joinLimit = 16 << 10
)

// seek takes how soon any place of a long recording is known, by REST, and by package hub in a process of its own.
func (b *bench) seek() error {
	text, err := casts()
	if err != nil {
		return err
	}
	data := filepath.Join(b.Dir, "long")
	length := time.Duration(*hours) * time.Hour
	info := about(length)
	b.Progress("seek: writing %d MB", *mb)
	past, err := benchkit.NewPast(data, 1, info)
	if err != nil {
		return err
	}
	count := *mb * 1e6 / seekEvent
	for i := range count {
		at := int(i * seekEvent % int64(len(text)-seekEvent))
		if err := past.Add(session.Sent, info.Start+i*length.Microseconds()/count, text[at:at+seekEvent]); err != nil {
			return err
		}
	}
	if err := past.Close(); err != nil {
		return err
	}
	server, err := b.Server(benchkit.ServerOptions{Data: data, Config: "listeners:\n  - {name: past, listen: \"tcp://127.0.0.1:0\", service: sink}\n"})
	if err != nil {
		return err
	}
	b.Progress("seek: waiting for the recording")
	sum, err := b.recorded(server, info.ID, past.Events())
	if err != nil {
		return err
	}
	b.Progress("seek: waiting for its screens")
	files, took, err := b.keptOf(server, sum)
	if err != nil {
		return err
	}
	b.Progress("seek: by REST")
	times, sizes := &benchkit.Times{}, []float64{}
	before, err := benchkit.CPU(server.PID())
	if err != nil {
		return err
	}
	for i := range seeks {
		place := fmt.Sprintf("number=%d", 1+rand.Uint64N(sum.Events))
		if i%2 == 1 {
			place = fmt.Sprintf("time=%d", rand.Int64N(sum.End-sum.Start))
		}
		began := time.Now()
		body, err := server.Open("/api/v1/sessions/" + string(sum.ID) + "/screen?format=ansi&" + place)
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, body)
		body.Close()
		if err != nil || n == 0 {
			return fmt.Errorf("%s: %d bytes, %v", place, n, err)
		}
		times.Add(time.Since(began))
		sizes = append(sizes, float64(n))
	}
	after, err := benchkit.CPU(server.PID())
	if err != nil {
		return err
	}
	if _, err := server.Stop(); err != nil {
		return err
	}
	b.Progress("seek: by package hub")
	child, err := b.Spawn(seekerRole)
	if err != nil {
		return err
	}
	var inside found
	if err := child.Call(seekOrder{data, sum.ID, sum.Events}, &inside); err != nil {
		return err
	}
	child.Close()
	what := fmt.Sprintf("a place in %d h, %d MB: ", *hours, *mb)
	b.Add(benchkit.Row{Name: what + "hub.Screen, p50", Ours: benchkit.One(inside.P50), Unit: benchkit.Millis})
	b.Add(benchkit.Row{Name: what + "hub.Screen, p99", Ours: benchkit.One(inside.P99), Unit: benchkit.Millis, Target: benchkit.AtMost(seekLimit, benchkit.Millis)})
	b.Add(benchkit.Row{Name: what + "over REST, p50", Ours: benchkit.One(times.Percentile(0.5).Seconds()), Unit: benchkit.Millis})
	b.Add(benchkit.Row{Name: what + "over REST, p99", Ours: benchkit.One(times.Percentile(0.99).Seconds()), Unit: benchkit.Millis, Target: benchkit.AtMost(seekLimit, benchkit.Millis)})
	b.Add(benchkit.Row{Name: what + "over REST, server's CPU each", Ours: benchkit.One((after - before).Seconds() / seeks), Unit: benchkit.Millis})
	b.Add(benchkit.Row{Name: what + "its screen, p50", Ours: benchkit.One(benchkit.Percentile(sizes, 0.5)), Unit: benchkit.Bytes})
	b.Add(benchkit.Row{Name: what + "its screen, largest", Ours: benchkit.One(benchkit.Percentile(sizes, 1)), Unit: benchkit.Bytes, Target: benchkit.AtMost(joinLimit, benchkit.Bytes)})
	b.Note("seek: %d random places, by number and by time. The recording has %s events and takes %.1f MB, its screens %.1f MB, which were made in %.1f s "+
		"after the first question. Slowest: %.1f ms by hub.Screen, %.1f ms over REST.", seeks, benchkit.Number(float64(sum.Events)),
		float64(files[".sbr"])/1e6, float64(files[".screens"])/1e6, took.Seconds(), inside.Max*1e3, times.Max().Seconds()*1e3)
	return nil
}

const seekerRole = "seeker"

type seekOrder struct {
	Data   string
	ID     session.ID
	Events uint64
}

// found is in seconds.
type found struct{ P50, P99, Max float64 }

// serveSeeker asks a Switchboard in its own process.
func serveSeeker(p *benchkit.Parent) error {
	return benchkit.Serve(p, func(o seekOrder) (f found, err error) {
		sb, err := switchboard.New(switchboard.Config{Data: o.Data, HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"}})
		if err != nil {
			return f, err
		}
		defer sb.Close()
		ctx := context.Background()
		if _, err := sb.Hub().Screen(ctx, o.ID, o.Events); err != nil {
			return f, err
		}
		times := &benchkit.Times{}
		for range seeks {
			number := 1 + rand.Uint64N(o.Events)
			began := time.Now()
			s, err := sb.Hub().Screen(ctx, o.ID, number)
			if err != nil || s.Number != number {
				return f, fmt.Errorf("the screen behind event %d is that behind %d: %v", number, s.Number, err)
			}
			times.Add(time.Since(began))
		}
		return found{times.Percentile(0.5).Seconds(), times.Percentile(0.99).Seconds(), times.Max().Seconds()}, nil
	})
}
