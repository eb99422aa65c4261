//go:build linux

package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/threeend"
)

const (
	parserPiece  = 32 << 10 // bytes that are fed at once
	parserRounds = 9
	parserLasts  = 200 * time.Millisecond
)

// counting takes what a parser finds, and nothing more.
type counting struct{ bytes, views int }

func (c *counting) Data(_ threeend.Type, p []byte) error { c.bytes += len(p); return nil }
func (c *counting) View(int, int) error                  { c.views++; return nil }
func (c *counting) Control(threeend.Code) error          { return nil }

// parser takes what the parser does with a stream of frames that lies in memory, cut into pieces anywhere.
func parser(r *benchkit.Run) error {
	for _, n := range []int{100, 1_000, 64 << 10} {
		stream := threeend.AppendView(nil, 80, 24)
		for len(stream) < 1<<20 {
			stream = threeend.AppendFrame(stream, threeend.Display, benchkit.Random(n))
		}
		var p threeend.Parser
		var c counting
		feed := func() (err error) {
			for b := stream; len(b) > 0 && err == nil; b = b[min(len(b), parserPiece):] {
				err = p.Feed(b[:min(len(b), parserPiece)], &c)
			}
			return err
		}
		speed := benchkit.Series{}
		for round := range parserRounds {
			r.Progress("parser, frames of %d bytes, round %d of %d", n, round+1, parserRounds)
			start, fed := time.Now(), 0
			for time.Since(start) < parserLasts {
				if err := feed(); err != nil {
					return err
				}
				fed += len(stream)
			}
			speed = append(speed, float64(fed)/time.Since(start).Seconds())
		}
		before := p.Frames()
		allocs := testing.AllocsPerRun(10, func() { feed() })
		each := allocs * 11 / float64(p.Frames()-before)
		r.Add(benchkit.Row{Name: fmt.Sprintf("parser, frames of %s", benchkit.Bytes(float64(n))), Ours: speed, Unit: benchkit.GBPerSec,
			Target: benchkit.AtLeast(1e9, benchkit.GBPerSec)})
		r.Add(benchkit.Row{Name: "the same, allocations a frame", Ours: benchkit.One(each), Unit: benchkit.Decimal,
			Target: benchkit.Exactly(0, benchkit.Decimal)})
	}
	return nil
}
