package room_test

import (
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

// counter only counts.
type counter struct {
	id    session.ID
	bytes int
	news  chan struct{}
}

func (c *counter) ID() session.ID         { return c.id }
func (c *counter) Datagrams() bool        { return false }
func (c *counter) Joined(session.RoomRef) {}
func (c *counter) Left(session.RoomRef)   {}
func (c *counter) Deliver(p []byte, _ session.RoomRef) error {
	c.bytes += len(p)
	select {
	case c.news <- struct{}{}:
	default:
	}
	return nil
}

func BenchmarkSay(b *testing.B) {
	r := newHouse(b).room("chat")
	c := &counter{id: "c", news: make(chan struct{}, 1)}
	r.Join(c, false)
	message := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Say("4tq9m2xk7bfd-n1", message); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDeliver takes one message to 1,000 members that do nothing: what the room itself costs.
func BenchmarkDeliver(b *testing.B) {
	r := newHouse(b).room("chat")
	const members = 1000
	last := &counter{id: "last", news: make(chan struct{}, 1)}
	for range members {
		r.Join(&counter{id: "c", news: make(chan struct{}, 1)}, false)
	}
	r.Join(last, false)
	message := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Say("4tq9m2xk7bfd-n1", message); err != nil {
			b.Fatal(err)
		}
		<-last.news
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/delivery")
}
