package forward_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/forward"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// sewer is a link that only counts lines.
type sewer struct {
	lines atomic.Int64
	open  atomic.Bool
	came  chan struct{}
}

func (s *sewer) Deliver(_ context.Context, lines []byte) error {
	if !s.open.Load() {
		return errNoLink
	}
	n := int64(0)
	for _, c := range lines {
		if c == '\n' {
			n++
		}
	}
	s.lines.Add(n)
	return nil
}

func (s *sewer) Wait(ctx context.Context) error {
	select {
	case <-s.came:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *node) admit(b testing.TB, count int) []*hub.Session {
	b.Helper()
	list := n.admitUnnamed(b, count)
	for _, s := range list {
		n.forwards.Named(s, "devices", s.Name())
	}
	return list
}

// admitUnnamed makes sessions of which the forwards know nothing. They end with the test.
func (n *node) admitUnnamed(b testing.TB, count int) []*hub.Session {
	b.Helper()
	l, err := n.Listener(hub.ListenerConfig{Name: "admitted", Transport: "tcp", Service: "device", Record: session.RecordOn,
		OnFailure: session.OnFailureContinue, Fleet: "devices", Frame: string(session.JSON(lineSpec))}, nil)
	check(b, err)
	var list []*hub.Session
	for i := range count {
		here, there := net.Pipe()
		b.Cleanup(func() { there.Close() })
		s, err := l.Admit(transport.From(here))
		check(b, err)
		s.OnEnd(func() { go s.Finish() })
		s.SetName(fmt.Sprintf("d%06d", i))
		list = append(list, s)
	}
	return list
}

const line64 = "0123456789012345678901234567890123456789012345678901234567890123\n"

func BenchmarkDrainingTheLink(b *testing.B) {
	to := &sewer{came: make(chan struct{})}
	n := newNode(b, setting{opt: forward.Options{Link: func(string) forward.Link { return to }}}, toLink)
	list := n.admit(b, 2000)
	b.ResetTimer()
	b.StopTimer()
	for i := range b.N {
		s := list[i%len(list)]
		check(b, s.RecordReceived([]byte(line64)))
		n.forwards.News(s)
		if i%20_000 == 19_999 {
			time.Sleep(200 * time.Millisecond) // chunks as they come of devices that say little
		}
	}
	b.ReportAllocs()
	b.StartTimer()
	to.open.Store(true)
	close(to.came)
	for to.lines.Load() < int64(b.N) {
		time.Sleep(100 * time.Microsecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkPassingThrough(b *testing.B) {
	to := &sewer{came: make(chan struct{})}
	to.open.Store(true)
	n := newNode(b, setting{opt: forward.Options{Link: func(string) forward.Link { return to }}}, toLink)
	list := n.admit(b, 1000)
	for to.lines.Load() < 0 {
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		s := list[i%len(list)]
		s.RecordReceived([]byte(line64))
		n.forwards.News(s)
	}
	for to.lines.Load() < int64(b.N) {
		time.Sleep(100 * time.Microsecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkNewsOfADirtyDevice(b *testing.B) {
	to := &sewer{came: make(chan struct{})}
	n := newNode(b, setting{opt: forward.Options{Link: func(string) forward.Link { return to }}}, toLink)
	s := n.admit(b, 1000)[500]
	n.forwards.News(s)
	b.ReportAllocs()
	for b.Loop() {
		n.forwards.News(s)
	}
}
