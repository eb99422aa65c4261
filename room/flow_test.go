package room_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

func TestSendersThatPourAreHeldUpAndNothingIsLost(t *testing.T) {
	h := newHouse(t)
	r := h.room("chat")
	m, other := newMember(), newMember()
	m.stuck = make(chan struct{})
	join(t, r, m, false)
	join(t, r, other, false)
	const senders, each, size = 8, 5_000, 400
	var talking sync.WaitGroup
	for s := range senders {
		talking.Go(func() {
			from := session.NewID("n1")
			text := make([]byte, size)
			for i := range each {
				copy(text, fmt.Sprintf("%d %d ", s, i))
				if err := r.Say(from, text); err != nil {
					t.Errorf("sender %d, message %d: %v", s, i, err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { talking.Wait(); close(done) }()
	select {
	case <-done:
		t.Errorf("%d bytes were said while the room could deliver none; want the senders held up", senders*each*size)
	case <-time.After(2 * time.Second): // long enough for all of it, were nobody held up
	}
	close(m.stuck)
	<-done
	for _, m := range []*member{m, other} {
		m.wait(t, "every message", func(got []byte) bool { return len(got) >= senders*each*size })
		next := [senders]int{}
		for p := m.got; len(p) > 0; p = p[size:] {
			var s, i int
			fmt.Sscanf(string(p[:20]), "%d %d", &s, &i)
			if i != next[s] {
				t.Fatalf("got message %d of sender %d; want %d", i, s, next[s])
			}
			next[s]++
		}
	}
}

func TestClosingEndsAWaitingSay(t *testing.T) {
	h := newHouse(t)
	r := h.room("chat")
	m := newMember()
	m.stuck = make(chan struct{})
	join(t, r, m, false)
	said := make(chan error, 1)
	go func() {
		for {
			if err := r.Say("", make([]byte, 64<<10)); err != nil {
				said <- err
				return
			}
		}
	}()
	closed := make(chan struct{})
	go func() { h.Rooms.Close(); close(closed) }()
	select {
	case err := <-said:
		if !errors.Is(err, room.ErrClosed) {
			t.Errorf("Say = %v; want ErrClosed", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Say still waits though the room is closed")
	}
	close(m.stuck)
	<-closed
	if err := r.Join(newMember(), false); !errors.Is(err, room.ErrClosed) {
		t.Errorf("Join = %v; want ErrClosed", err)
	}
}

func TestALongMessageIsSaidAsSeveral(t *testing.T) {
	h := newHouse(t)
	r := h.room("chat")
	m := join(t, r, newMember(), false)
	text := strings.Repeat("0123456789abcdef", 2<<20/16)
	say(t, r, m.id, text)
	say(t, r, m.id, "end")
	m.waitFor(t, text+"end")
	list, _ := h.messages(r, 2<<20/room.MaxMessage+1)
	for i, said := range list {
		if said.From != m.id || len(said.Bytes) > room.MaxMessage {
			t.Errorf("message %d: %d bytes from %q; want %d at most from %q", i, len(said.Bytes), said.From,
				room.MaxMessage, m.id)
		}
	}
}

func TestThereMayBeManyRooms(t *testing.T) {
	h := newHouse(t)
	const n = 100
	var members []*member
	for i := range n {
		members = append(members, join(t, h.room(fmt.Sprintf("room %d", i)), newMember(), false))
	}
	for i := range n {
		say(t, h.room(fmt.Sprintf("room %d", i)), "", fmt.Sprint(i))
	}
	for i, m := range members {
		m.waitFor(t, fmt.Sprint(i))
	}
}
