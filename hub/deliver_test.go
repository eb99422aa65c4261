package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// server is a service of one function.
type server func(s *hub.Session) error

func (f server) Serve(_ context.Context, s *hub.Session) error { return f(s) }

func TestWhatIsDeliveredToOneThatHasLeftIsRefused(t *testing.T) {
	n := newNode(t)
	room := session.RoomRef{Room: "chat", Session: session.NewID("n1")}
	message := func(number uint64, text string) session.RoomRef {
		ref := room
		ref.First, ref.Last, ref.Messages, ref.Bytes = number, number, 1, uint64(len(text))
		return ref
	}
	c := dial(t, n.listen(hub.ListenerConfig{Name: "line"}, server(func(s *hub.Session) error {
		ref := room
		ref.Last = 6
		s.Joined(ref)
		for i, text := range []string{"seven", "eight"} {
			if err := s.Deliver([]byte(text), message(uint64(7+i), text)); err != nil {
				t.Errorf("message %d to a member: %v", 7+i, err)
			}
		}
		s.Left(room)
		if err := s.Deliver([]byte("nine"), message(9, "nine")); err == nil {
			t.Error("a message was delivered to a session that has left")
		}
		return nil
	})))
	if got, err := io.ReadAll(c); string(got) != "seveneight" || err != nil {
		t.Errorf("the client heard %q, %v; want what was delivered before it left", got, err)
	}
	left := session.RoomRef{}
	for _, e := range n.events(n.only(session.Recorded).ID) {
		if e.Kind == session.Left {
			if err := json.Unmarshal(e.Data, &left); err != nil {
				t.Fatal(err)
			}
		}
	}
	if left.Session != room.Session || left.Last != 8 {
		t.Errorf("its record says that it left behind message %d of %q; want 8 of %q", left.Last, left.Session, room.Session)
	}
}

func TestADatagramIsSentByItselfWhoeverElseWrites(t *testing.T) {
	n := newNode(t)
	const each = 3000
	room := session.RoomRef{Room: "chat", Session: session.NewID("n1")}
	done := make(chan struct{})
	conf := hub.ListenerConfig{Name: "line", Transport: "udp", Record: session.RecordOff}
	l, err := n.Listener(conf, server(func(s *hub.Session) error {
		defer close(done)
		s.Joined(room)
		var writing sync.WaitGroup
		writing.Go(func() {
			for i := range each {
				if _, err := fmt.Fprintf(s, "written %d", i); err != nil {
					return // the test is over
				}
			}
		})
		for i := range each {
			text := fmt.Sprintf("delivered %d", i)
			ref := room
			ref.First, ref.Last, ref.Messages, ref.Bytes = uint64(i+1), uint64(i+1), 1, uint64(len(text))
			if err := s.Deliver([]byte(text), ref); err != nil {
				break
			}
		}
		writing.Wait()
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := transport.ListenPackets(context.Background(), transport.Address{Transport: "udp", Host: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	l.Attach(p)
	go l.ServePackets(p) // ends with the hub's Shutdown
	c, err := net.Dial("udp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("hello"))
	go func() { <-done; c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) }()
	whole := regexp.MustCompile(`^(written|delivered) \d+$`)
	buf := make([]byte, 65536)
	got := 0
	for {
		size, err := c.Read(buf)
		if err != nil {
			break
		}
		got++
		if !whole.Match(buf[:size]) {
			t.Fatalf("got the datagram %.100q; want each by itself", buf[:size])
		}
	}
	if got == 0 {
		t.Error("no datagram arrived")
	}
}
