package hub_test

import (
	"context"
	"encoding/json"
	"io"
	"testing"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
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
