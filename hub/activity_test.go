package hub_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

func TestActivityTellsOfWhatIsSaidAndDeliveredWhileASessionLivesAndAfterwards(t *testing.T) {
	n := newNode(t)
	room := session.RoomRef{Room: "chat", Session: "4tq9m2xk7bfd-n1"}
	said, leave := make(chan struct{}), make(chan struct{})
	c := dial(t, n.listen(hub.ListenerConfig{Name: "line"}, server(func(s *hub.Session) error {
		if _, err := io.ReadFull(s, make([]byte, 5)); err != nil {
			return err
		}
		s.Joined(room)
		ref := room
		ref.First, ref.Last, ref.Messages, ref.Bytes = 7, 7, 1, 6
		if err := s.Deliver([]byte("hello\n"), ref); err != nil {
			return err
		}
		close(said)
		<-leave
		s.Left(room)
		return nil
	})))
	if _, err := io.WriteString(c, "howdy"); err != nil {
		t.Fatal(err)
	}
	<-said
	id := n.only(session.Live).ID
	check := func(when string) {
		t.Helper()
		a, err := n.Activity(context.Background(), id, 0, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		received, sent := uint64(0), uint64(0)
		for i := range a.Received {
			received, sent = received+a.Received[i], sent+a.Sent[i]
		}
		if received != 5 || sent != 6 {
			t.Errorf("%s: %d bytes received, %d sent; want 5 and 6", when, received, sent)
		}
		if first, err := n.Before(context.Background(), id, 3, 1<<20); first != 1 || err != nil {
			t.Errorf("%s: more than there is before event 3: %d, %v; want 1", when, first, err)
		}
	}
	check("live")
	close(leave)
	n.only(session.Recorded)
	check("recorded")
	if _, err := n.Activity(context.Background(), "nobody", 0, 0, 10); !errors.Is(err, hub.ErrNotFound) {
		t.Errorf("of nobody: %v; want ErrNotFound", err)
	}
	if _, err := n.Before(context.Background(), "nobody", 1, 10); !errors.Is(err, hub.ErrNotFound) {
		t.Errorf("before an event of nobody: %v; want ErrNotFound", err)
	}
}
