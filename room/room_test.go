package room_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

func TestEveryMemberGetsEveryMessageOnceAndInOrder(t *testing.T) {
	r := newHouse(t).room("chat")
	var members []*member
	for range 9 {
		members = append(members, join(t, r, newMember(), false))
	}
	var want strings.Builder
	for i := range 2000 {
		text := fmt.Sprintf("message %d\n", i)
		want.WriteString(text)
		say(t, r, members[i%9].id, text)
	}
	for _, m := range members {
		m.waitFor(t, want.String())
	}
}

func TestAMemberIsTheRecordingFromWhereItJoinedOn(t *testing.T) {
	h := newHouse(t)
	r := h.room("chat")
	const senders, each = 4, 1500
	var talking sync.WaitGroup
	for s := range senders {
		talking.Go(func() {
			from := session.NewID("n1")
			for i := range each {
				if err := r.Say(from, fmt.Appendf(nil, "%d.%d ", s, i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var members []*member
	for range 60 {
		members = append(members, join(t, r, newMember(), false))
	}
	talking.Wait()
	list, events := h.messages(r, senders*each)
	say(t, r, "", "end")
	for _, m := range members {
		m.waitEnd(t, "end")
		var want []byte
		for i := range list {
			if events[i].Number > m.joined[0].Last {
				want = append(want, list[i].Bytes...)
			}
		}
		want = append(want, "end"...)
		if m.text() != string(want) {
			t.Fatalf("a member that joined behind event %d got %d bytes; want %d: it begins %.40q; want %.40q",
				m.joined[0].Last, len(m.text()), len(want), m.text(), want)
		}
	}
}

func TestWhatAMemberGotIsWhatItsReferencesSay(t *testing.T) {
	h := newHouse(t)
	r := h.room("chat")
	m, other := newMember(), newMember()
	join(t, r, m, true)
	for i := range 500 {
		say(t, r, []session.ID{m.id, other.id}[i%2], fmt.Sprintf("%d ", i))
	}
	say(t, r, other.id, "end")
	m.waitEnd(t, "end")
	list, events := h.messages(r, 501)
	var next uint64
	for i, ref := range m.refs {
		if ref.Session != r.Info().ID || ref.Room != "chat" || !ref.Exclude || ref.First < next {
			t.Fatalf("reference %d is %+v; want the room's session, in order", i, ref)
		}
		next = ref.Last + 1
		var want []byte
		var n uint64
		for j := range list {
			if e := events[j].Number; e >= ref.First && e <= ref.Last && list[j].From != m.id {
				want = append(want, list[j].Bytes...)
				n++
			}
		}
		if !bytes.Equal(m.pieces[i], want) || ref.Messages != n || ref.Bytes != uint64(len(want)) {
			t.Fatalf("reference %d is %+v; got %q, want %q", i, ref, m.pieces[i], want)
		}
	}
}

func TestTheSenderCanBeLeftOut(t *testing.T) {
	r := newHouse(t).room("chat")
	quiet, plain := join(t, r, newMember(), true), join(t, r, newMember(), false)
	var others, all strings.Builder
	for i := range 300 {
		text := fmt.Sprintf("%d,", i)
		from := plain.id
		if i%3 == 0 {
			from = quiet.id
		} else {
			others.WriteString(text)
		}
		all.WriteString(text)
		say(t, r, from, text)
	}
	quiet.waitFor(t, others.String())
	plain.waitFor(t, all.String())
}

func TestAMemberOfDatagramsGetsEachMessageByItself(t *testing.T) {
	r := newHouse(t).room("chat")
	m := newMember()
	m.datagrams = true
	join(t, r, m, false)
	const n = 400
	for i := range n {
		say(t, r, "", fmt.Sprintf("datagram %d", i))
	}
	m.waitEnd(t, fmt.Sprintf("datagram %d", n-1))
	if len(m.pieces) != n {
		t.Fatalf("got %d datagrams; want %d", len(m.pieces), n)
	}
	for i, p := range m.pieces {
		if want := fmt.Sprintf("datagram %d", i); string(p) != want || m.refs[i].Messages != 1 ||
			m.refs[i].First != m.refs[i].Last {
			t.Fatalf("datagram %d is %q under %+v; want %q", i, p, m.refs[i], want)
		}
	}
}

func TestAMemberThatFailsIsForgottenAndHarmsNobody(t *testing.T) {
	r := newHouse(t).room("chat")
	var good []*member
	var bad []*member
	for i := range 12 {
		m := newMember()
		m.fails = i%2 == 0
		join(t, r, m, false)
		if m.fails {
			bad = append(bad, m)
		} else {
			good = append(good, m)
		}
	}
	say(t, r, "", "one ")
	for _, m := range append(good, bad...) {
		m.waitEnd(t, "one ")
	}
	say(t, r, "", "two")
	for _, m := range good {
		m.waitFor(t, "one two")
	}
	for _, m := range bad {
		if got := m.text(); got != "one " {
			t.Errorf("a member that failed got %q; want nothing behind the failure", got)
		}
		r.Leave(m) // as its session does at its end
	}
	for end := time.Now().Add(time.Minute); r.Members() != len(good); time.Sleep(time.Millisecond) { // another shard may come to it later
		if time.Now().After(end) {
			t.Fatalf("there are %d members; want %d", r.Members(), len(good))
		}
	}
}

func TestAMemberThatLeftGetsNothingMore(t *testing.T) {
	r := newHouse(t).room("chat")
	m, stays := join(t, r, newMember(), false), join(t, r, newMember(), false)
	say(t, r, "", "before ")
	m.waitFor(t, "before ")
	r.Leave(m)
	say(t, r, "", "after")
	stays.waitFor(t, "before after")
	if got := m.text(); got != "before " {
		t.Errorf("got %q after leaving", got)
	}
	if len(m.left) != 1 || m.left[0].Session != r.Info().ID {
		t.Errorf("Left was told %+v; want the room's session once", m.left)
	}
}

func TestEachMessageIsRecordedOnceWithItsSenderAndOffset(t *testing.T) {
	h := newHouse(t)
	r := h.room("chat")
	for range 5 {
		join(t, r, newMember(), false)
	}
	from := session.NewID("n1")
	texts := []string{"one", "", "\x00\xff\xfe", strings.Repeat("x", room.MaxMessage)}
	for _, text := range texts {
		say(t, r, from, text)
	}
	list, events := h.messages(r, len(texts))
	for i, m := range list {
		if string(m.Bytes) != texts[i] || m.From != from || i > 0 && m.Offset <= list[i-1].Offset {
			t.Errorf("message %d is %.20q from %q at offset %d; want %.20q from %q", i, m.Bytes, m.From, m.Offset,
				texts[i], from)
		}
		if i > 0 && events[i].Number != events[i-1].Number+1 {
			t.Errorf("message %d is event %d behind event %d", i, events[i].Number, events[i-1].Number)
		}
	}
	if info := r.Info(); info.Transport != "room" || info.Listener != "chat" || info.Service != "room" {
		t.Errorf("the recording is that of %+v", info)
	}
}

func TestRoomsOfAnyNameAreApart(t *testing.T) {
	h := newHouse(t)
	names := []string{"chat", "Chat", "大厅 *.>", "a.b", strings.Repeat("long", 20)}
	var members []*member
	for _, name := range names {
		members = append(members, join(t, h.room(name), newMember(), false))
	}
	for _, name := range names {
		say(t, h.room(name), "", name)
	}
	for i, m := range members {
		m.waitFor(t, names[i])
	}
	if len(h.began) != len(names) {
		t.Errorf("%d recordings were begun; want one for each of %d rooms", len(h.began), len(names))
	}
	h.Rooms.Close()
	if len(h.ended) != len(names) {
		t.Errorf("%d recordings were ended; want %d", len(h.ended), len(names))
	}
}
