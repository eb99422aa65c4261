package web_test

import (
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// manyShown is a house with many live sessions, and one who looks on.
func manyShown(b *testing.B, sessions int) (*house, *shown) {
	h := open(b)
	l, err := h.hub.Listener(hub.ListenerConfig{Name: "many", Transport: "pipe", Record: session.RecordOn}, nil)
	check(b, err)
	h.fill(l, sessions)
	return h, h.shown(h.look("vera"))
}

// BenchmarkBoard looks at 10,000 live sessions, of which as many have changed as do with 1,000 changes a second. At four
// looks a second the board takes so many hundredths of a processor.
func BenchmarkBoard(b *testing.B) {
	const sessions, changes = 10_000, 1000 / 4
	h, s := manyShown(b, sessions)
	var list []*hub.Session
	h.hub.EachLive(func(s *hub.Session) bool {
		list = append(list, s)
		return true
	})
	go func() { // ends with the connection
		for s.p.conn.SetReadDeadline(time.Time{}) == nil {
			var buf [64 << 10]byte
			if _, err := s.p.conn.Read(buf[:]); err != nil {
				return
			}
		}
	}()
	b.ResetTimer()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		b.StopTimer()
		for range changes {
			list[n%sessions].Write([]byte("x"))
			n += 7
		}
		b.StartTimer()
		h.web.Tick()
	}
	b.ReportMetric(4*100*b.Elapsed().Seconds()/float64(b.N), "%core")
}

// BenchmarkBoardReset is what the whole list of 10,000 sessions costs, for as many as ask for it at once.
func BenchmarkBoardReset(b *testing.B) {
	h, s := manyShown(b, 10_000)
	for b.Loop() {
		h.web.Renew()
		b.StopTimer()
		resets := s.resets
		s.until("the whole list", func() bool { return s.resets > resets && !s.more })
		b.StartTimer()
	}
}
