package hub_test

import (
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	tapes "github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// longTape is what real programs write, again and again, for ten hours.
type longTape struct {
	acts  []act
	next  int
	bytes int64
	most  int64
}

const longTime = 10 * 3600 * 1_000_000 // µs

func (l *longTape) Header() tapes.Header { return tapes.Header{Size: session.DefaultSize} }

func (l *longTape) Next() (session.Event, error) {
	if l.bytes >= l.most {
		return session.Event{}, io.EOF
	}
	e := session.Event{Kind: session.Sent, Time: int64(float64(longTime) * float64(l.bytes) / float64(l.most))}
	for len(e.Data) < 400 { // resizes are left out: a screen is kept behind each, which makes it easy
		e.Data = append(e.Data, l.acts[l.next%len(l.acts)].data...)
		l.next++
	}
	l.bytes += int64(len(e.Data))
	return e, nil
}

func (l *longTape) End() session.End { return session.End{Time: longTime, Cause: session.Done} }

// BenchmarkAScreenOfALongRecording seeks at random in a recording of 10 hours and 1 GB.
func BenchmarkAScreenOfALongRecording(b *testing.B) {
	n := newNode(b)
	ctx := context.Background()
	tape := &longTape{acts: readActs(b, 1, rand.New(rand.NewPCG(1, 1))), most: 1e9}
	sum, err := n.Import(ctx, tape, hub.ImportAs{})
	if err != nil {
		b.Fatal(err)
	}
	if err := n.WaitIndexed(ctx, sum.ID); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	places, err := n.Screens(ctx, sum.ID)
	if err != nil {
		b.Fatal(err)
	}
	keeping := time.Since(began)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		at, err := n.NumberAt(ctx, sum.ID, sum.Start+rand.Int64N(longTime))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := n.Screen(ctx, sum.ID, at-1); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(keeping.Seconds(), "s-keeping")
	b.ReportMetric(float64(len(places)), "screens")
	b.ReportMetric(float64(n.store.ScreensSize(sum.ID, sum.Start)>>10), "KiB-screens")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-p50")
}
