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
	typedLimit = 0.25 * (1 << 20)
	topLimit   = 0.8 * (1 << 20)
)

// disk takes what an hour of typing, and one of top, take on the disk, screens included.
func (b *bench) disk() error {
	b.Progress("disk: top runs")
	top, err := b.top()
	if err != nil {
		return err
	}
	for _, hour := range []struct {
		name  string
		limit float64
		write func(p *benchkit.Past, start int64) error
	}{
		{"an hour of typing", typedLimit, b.typing},
		{"an hour of top -d 1", topLimit, func(p *benchkit.Past, start int64) error { return again(p, start, top) }},
	} {
		b.Progress("disk: %s", hour.name)
		info := about(time.Hour)
		data := filepath.Join(b.Dir, string(info.ID))
		past, err := benchkit.NewPast(data, 1, info)
		if err != nil {
			return err
		}
		if err := hour.write(past, info.Start); err != nil {
			return err
		}
		if err := past.Close(); err != nil {
			return err
		}
		server, err := b.Server(benchkit.ServerOptions{Data: data, Config: "listeners:\n  - {name: past, listen: \"tcp://127.0.0.1:0\", service: sink}\n"})
		if err != nil {
			return err
		}
		sum, err := b.recorded(server, info.ID, past.Events())
		if err != nil {
			return err
		}
		files, _, err := b.keptOf(server, sum)
		if err != nil {
			return err
		}
		if _, err := server.Stop(); err != nil {
			return err
		}
		total := float64(files[".sbr"] + files[".screens"])
		b.Add(benchkit.Row{Name: hour.name + ", on disk", Ours: benchkit.One(total), Unit: mib, Target: benchkit.AtMost(hour.limit, mib)})
		b.Note("%s: %s events, %.2f MB received and %.2f MB sent; the recording takes %d bytes, its screens %d.", hour.name,
			benchkit.Number(float64(sum.Events)), float64(sum.ReceivedBytes)/1e6, float64(sum.SentBytes)/1e6, files[".sbr"], files[".screens"])
	}
	return nil
}

var mib benchkit.Unit = func(v float64) string { return fmt.Sprintf("%.3f MiB", v/(1<<20)) }

// again adds pieces over and over, for an hour.
func again(p *benchkit.Past, start int64, pieces []piece) error {
	length := pieces[len(pieces)-1].at + time.Second
	for round := time.Duration(0); ; round += length {
		for _, one := range pieces {
			if round+one.at >= time.Hour {
				return nil
			}
			if err := p.Add(session.Sent, start+(round+one.at).Microseconds(), one.data); err != nil {
				return err
			}
		}
	}
}
