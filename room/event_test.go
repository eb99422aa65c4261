package room_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

// open opens a room of a configuration.
func (h *house) open(name string, conf room.Config) *room.Room {
	h.t.Helper()
	r, err := h.Open(limit(h.t), name, conf)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// follower keeps what it is told, as lines.
type follower struct {
	mu    sync.Mutex
	news  sync.Cond
	lines []string
	all   []room.Message
}

func (f *follower) Said(m room.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	who := session.Present{ID: string(m.Bytes)}
	if m.Kind == session.SaidJoined || m.Kind == session.SaidLeft {
		json.Unmarshal(m.Bytes, &who)
	}
	f.lines = append(f.lines, fmt.Sprintf("%d %v %s", m.Kind, m.Others, who.ID))
	m.Bytes = nil
	f.all = append(f.all, m)
	f.news.Broadcast()
}

// follow follows a room until the test ends.
func follow(t testing.TB, r *room.Room) *follower {
	t.Helper()
	f := &follower{}
	f.news.L = &f.mu
	_, unfollow, err := r.Follow(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unfollow)
	return f
}

// wants waits until the follower was told exactly these lines.
func (f *follower) wants(t testing.TB, want ...string) {
	t.Helper()
	over := time.AfterFunc(60*time.Second, f.news.Broadcast)
	defer over.Stop()
	start := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.lines) < len(want) && time.Since(start) < 60*time.Second {
		f.news.Wait()
	}
	if got := strings.Join(f.lines, "\n"); got != strings.Join(want, "\n") {
		t.Fatalf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func sayEvent(t testing.TB, r *room.Room, from session.ID, event string) {
	t.Helper()
	if err := r.SayEvent(from, []byte(event)); err != nil {
		t.Fatal(err)
	}
}

func TestAnEventReachesEachMemberInTheFormThatItSpeaks(t *testing.T) {
	r := newHouse(t).open("page", room.Config{Mapping: session.Mapping{Field: "text"}})
	stream, packets := newMember(), newMember()
	packets.datagrams = true
	join(t, r, stream, false)
	join(t, r, packets, true)
	f := follow(t, r)
	say(t, r, "", "bytes;")
	sayEvent(t, r, stream.id, `["message",{"text":"你","more":1}]`)
	sayEvent(t, r, packets.id, `["message","its own"]`)
	sayEvent(t, r, "", `["typing"]`)
	sayEvent(t, r, "", `["message",""]`)
	say(t, r, "", "end")
	stream.waitFor(t, "bytes;你\nits own\n\nend")
	packets.waitFor(t, "bytes;你end")
	for i, want := range []string{"bytes;", "你", "", "end"} {
		if got := string(packets.pieces[i]); got != want || packets.refs[i].As != session.AsDatagram {
			t.Errorf("datagram %d is %q as %q; want %q", i, got, packets.refs[i].As, want)
		}
	}
	f.wants(t, "0 false bytes;", `1 false ["message",{"text":"你","more":1}]`, `1 false ["message","its own"]`,
		`1 false ["typing"]`, `1 false ["message",""]`, "0 false end")
	messages := uint64(0)
	for _, ref := range stream.refs {
		messages += ref.Messages
	}
	if messages != 5 {
		t.Errorf("the stream's references count %d messages; want the 5 that it got", messages)
	}
}

func TestWhatIsNoEventIsNotSaid(t *testing.T) {
	r := newHouse(t).room("page")
	for _, bad := range []string{``, `{}`, `["a"`, `[1]`, "[\"\xff\"]"} {
		if err := r.SayEvent("", []byte(bad)); !errors.Is(err, session.ErrBadEvent) {
			t.Errorf("%q: %v; want ErrBadEvent", bad, err)
		}
	}
	if err := r.SayEvent("", []byte(`["a","`+strings.Repeat("x", room.MaxEvent)+`"]`)); err == nil {
		t.Error("an event of more than MaxEvent was said")
	}
}

func TestAFollowerIsToldAllOnceInOrderAndWhereItIsOnRecord(t *testing.T) {
	h := newHouse(t)
	r := h.room("page")
	say(t, r, "", "before")
	h.messages(r, 1)
	f := &follower{}
	f.news.L = &f.mu
	offset, unfollow, err := r.Follow(f)
	if err != nil || offset != 1 {
		t.Fatalf("follows behind offset %d, %v; want 1", offset, err)
	}
	const n = 1000
	want := make([]string, n)
	for i := range n {
		say(t, r, "", fmt.Sprint(i))
		want[i] = fmt.Sprintf("0 false %d", i)
	}
	f.wants(t, want...)
	list, events := h.messages(r, n+1)
	for i, m := range f.all {
		if m.Offset != uint64(i+2) || m.Offset != list[i+1].Offset || m.Number != events[i+1].Number ||
			m.Recording != r.Info().ID {
			t.Fatalf("message %d is told as %+v; its event is %d", i, m, events[i+1].Number)
		}
	}
	unfollow()
	unfollow()
	last := follow(t, r)
	say(t, r, "", "after")
	last.wants(t, "0 false after")
	f.wants(t, want...)
}

func TestAnAnnouncementReachesAllOthers(t *testing.T) {
	r := newHouse(t).open("page", room.Config{Announce: "hello", Farewell: "bye",
		Mapping: session.Mapping{Field: "text"}})
	old, fresh := join(t, r, newMember(), false), join(t, r, newMember(), false)
	f := follow(t, r)
	if err := r.Enter(session.Present{ID: "x", Session: fresh.id, Transport: "tcp"}); err != nil {
		t.Fatal(err)
	}
	say(t, r, fresh.id, "its own;")
	old.waitFor(t, "hello\nits own;")
	fresh.waitFor(t, "its own;")
	r.Exit("x")
	r.Exit("x")
	old.waitFor(t, "hello\nits own;bye\n")
	f.wants(t, `1 true ["message",{"text":"hello"}]`, "0 false its own;", `1 true ["message",{"text":"bye"}]`)
	if got := fresh.text(); got != "its own;" {
		t.Errorf("whom it is about heard %q", got)
	}
}

func TestWhoComesAndGoesIsSaidOnceAndIsOnRecord(t *testing.T) {
	h := newHouse(t)
	r := h.open("page", room.Config{Presence: true})
	f := follow(t, r)
	m := join(t, r, newMember(), false)
	enter := func(id, from string) {
		t.Helper()
		p := session.Present{ID: id, Session: session.NewID("n1"), Transport: "socketio", Remote: from}
		if err := r.Enter(p); err != nil {
			t.Fatal(err)
		}
	}
	enter("b", "1")
	enter("a", "2")
	enter("b", "3") // comes back over another connection
	r.Exit("nobody")
	list := r.Present()
	if len(list) != 2 || list[0].ID != "b" || list[0].Remote != "3" || list[1].ID != "a" ||
		list[0].Since > list[1].Since {
		t.Errorf("present are %+v; want b, of its newest connection, then a", list)
	}
	r.Exit("b")
	f.wants(t, "2 false b", "2 false a", "3 false b")
	say(t, r, "", "end")
	f.wants(t, "2 false b", "2 false a", "3 false b", "0 false end")
	m.waitFor(t, "end")
	_, events := h.messages(r, 1)
	if len(events) != 1 {
		t.Errorf("%d messages are on record; want 1: who comes and goes is none", len(events))
	}
	h.mu.Lock()
	cursor := h.logs[r.Info().ID].Cursor(1)
	h.mu.Unlock()
	defer cursor.Close()
	var got []string
	for len(got) < 3 {
		batch, err := cursor.Next(limit(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range batch {
			var p session.Present
			if e.Kind == session.Joined || e.Kind == session.Left {
				if err := json.Unmarshal(e.Data, &p); err != nil || p.Transport != "socketio" {
					t.Errorf("%s %s: %v", e.Kind, e.Data, err)
				}
				got = append(got, e.Kind.String()+" "+p.ID)
			}
		}
	}
	if want := "[joined b joined a left b]"; fmt.Sprint(got) != want {
		t.Errorf("on record are %v; want %s", got, want)
	}
	if p := r.Present(); len(p) != 1 || p[0].ID != "a" {
		t.Errorf("present are %+v; want a", p)
	}
}

func TestWhoeverLeavesDoesNotWaitForARoomThatStands(t *testing.T) {
	h := newHouse(t)
	r := h.open("page", room.Config{Farewell: "bye", Presence: true})
	m := newMember()
	m.stuck = make(chan struct{})
	join(t, r, m, false)
	if err := r.Enter(session.Present{ID: "x", Session: session.NewID("n1")}); err != nil {
		t.Fatal(err)
	}
	full := make(chan struct{})
	var said sync.WaitGroup
	said.Go(func() {
		for i := range 400 { // more than may be on its way
			if i == 300 {
				close(full)
			}
			r.Say("", make([]byte, 60<<10))
		}
	})
	select {
	case <-full:
		t.Fatal("the room does not stand: the test needs to say more")
	case <-time.After(2 * time.Second):
	}
	left := make(chan struct{})
	go func() { r.Exit("x"); close(left) }()
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Error("Exit waits")
	}
	close(m.stuck)
	said.Wait()
	m.wait(t, "the farewell", func(got []byte) bool { return strings.Contains(string(got), "bye\n") })
}

func TestEachLifeOfARoomHasAnEpochOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		r := newHouse(t).room("page")
		epoch := r.Epoch()
		if seen[epoch] || len(epoch) == 0 || len(epoch) > 8 ||
			strings.Trim(epoch, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("the epoch is %q, behind %v", epoch, seen)
		}
		seen[epoch] = true
	}
}

func TestARoomsRecordSaysHowItsEventsRead(t *testing.T) {
	h := newHouse(t)
	if m := h.room("plain").Info().Mapping; m != nil {
		t.Errorf("the record of a room of defaults says %+v; want nothing", m)
	}
	want := session.Mapping{Format: session.FormatJSON, Event: "said"}
	if m := h.open("page", room.Config{Mapping: want}).Info().Mapping; m == nil || *m != want {
		t.Errorf("the record says %+v; want %+v", m, want)
	}
}
