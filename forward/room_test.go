package forward_test

import (
	"context"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/forward"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

// listener is a room's follower, as the namespace of Socket.IO is one.
type listener struct{ said chan room.Message }

func (l *listener) Said(m room.Message) {
	m.Bytes = append([]byte(nil), m.Bytes...)
	l.said <- m
}

func TestARoomIsToldEachMessageAsAnEvent(t *testing.T) {
	b := newBus(t)
	store, err := recording.Open(recording.Options{Dir: t.TempDir()})
	check(t, err)
	t.Cleanup(func() { store.Close() })
	rooms, err := room.New(room.Options{Bus: b, Store: store, Node: "n1"})
	check(t, err)
	t.Cleanup(func() { rooms.Close() })
	open := func(ctx context.Context, name string) (*room.Room, error) {
		return rooms.Open(ctx, name, room.Config{Record: session.RecordOn})
	}
	r, err := open(context.Background(), "plant")
	check(t, err)
	l := &listener{make(chan room.Message, 100)}
	_, unfollow, err := r.Follow(l)
	check(t, err)
	defer unfollow()
	conf := forward.Config{Name: "page", To: "room:plant", Template: `{{.name}}: {{.text}}`, Event: "said"}
	n := newNode(t, setting{opt: forward.Options{Room: open}}, conf)
	c := dial(t, n.fleet("devices", lineSpec), "a")
	say(t, c, "hello")
	for _, want := range []string{`["said","a: LOGIN:a"]`, `["said","a: hello"]`} {
		select {
		case m := <-l.said:
			if string(m.Bytes) != want || m.Kind != session.SaidEvent || n.live()[0].ID() != m.From {
				t.Errorf("got %s of %s; want %s of %s", m.Bytes, m.From, want, n.live()[0].ID())
			}
		case <-time.After(patience):
			t.Fatalf("%s never came", want)
		}
	}
}
