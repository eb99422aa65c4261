package room_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// open opens a room of a configuration, before lines of it are made.
func (n *node) open(name string, conf room.Config) *room.Room {
	n.t.Helper()
	conf.Record = session.RecordOn
	r, err := n.rooms.Open(context.Background(), name, conf)
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

// sayEvent says an event as nobody.
func sayEvent(t testing.TB, r *room.Room, event string) {
	t.Helper()
	if err := r.SayEvent("", []byte(event)); err != nil {
		t.Fatal(err)
	}
}

// packets is a connection whose packets somebody else moves.
type packets struct{ transport.Conn }

func (packets) Close() error         { return nil }
func (packets) LocalAddr() net.Addr  { return nil }
func (packets) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 99} }
func (packets) Datagrams() bool      { return true }

// recorder is a member that is sent packets by nobody, but has them on record.
type recorder struct {
	s    *hub.Session
	news chan struct{} // gets one value for each message
}

func (f *recorder) Said(m room.Message) {
	f.s.RecordDelivered(session.RoomRef{Room: "page", Session: m.Recording, First: m.Number, Last: m.Number,
		Exclude: true, As: session.AsPacket, Messages: 1, Bytes: uint64(len(m.Bytes))}, true)
	f.news <- struct{}{}
}

func TestARecordShowsMessagesInTheFormThatWasSent(t *testing.T) {
	n := newNode(t)
	r := n.open("page", room.Config{Mapping: session.Mapping{Field: "text"}})
	tcp := n.line("tcp", "page", false).join("")
	l, err := n.Listener(hub.ListenerConfig{Name: "page", Transport: "socketio", Record: session.RecordOn}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Admit(packets{})
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{s, make(chan struct{}, 100)}
	ref := r.Ref(true)
	ref.As = session.AsPacket
	s.Joined(ref)
	_, unfollow, err := r.Follow(rec)
	if err != nil {
		t.Fatal(err)
	}
	defer unfollow()
	udp := n.line("udp", "page", true).join("hello from udp;")
	tcp.hears("hello from udp;")
	sayEvent(t, r, `["message",{"text":"one"}]`)
	sayEvent(t, r, `["typing"]`)
	sayEvent(t, r, `["message",[1,2]]`)
	if err := r.SayEvent(s.ID(), []byte(`["message","its own"]`)); err != nil {
		t.Fatal(err)
	}
	tcp.say("bytes")
	tcp.hears("one\n[1,2]\nits own\nbytes")
	buf := make([]byte, 100)
	for _, want := range []string{"one", "[1,2]", "its own", "bytes"} {
		if got, err := udp.Read(buf); err != nil || string(buf[:got]) != want {
			t.Fatalf("the UDP member got %q, %v; want %q", buf[:got], err, want)
		}
	}
	for range 6 {
		<-rec.news
	}
	want := map[session.ID]string{}
	sent := func(name, text string) {
		sum := n.live(name)
		want[sum.ID] = text
	}
	sent("page-tcp", "hello from udp;|one\n|[1,2]\n|its own\n|bytes")
	sent("page-udp", "one|[1,2]|its own|bytes")
	sent("page", `2["message",{"text":"hello from udp;"}]|2["message",{"text":"one"}]|2["typing"]|2["message",[1,2]]|`+
		`2["message",{"text":"bytes"}]`)
	check := func(when string) {
		t.Helper()
		for id, text := range want {
			var got []string
			for _, e := range n.events(id) {
				if e.Kind == session.Sent {
					got = append(got, string(e.Data))
				}
			}
			if strings.Join(got, "|") != text {
				t.Errorf("%s, the record of %s shows\n%s\nwant\n%s", when, id, strings.Join(got, "|"), text)
			}
		}
	}
	s.Left(r.Ref(true))
	for id := range want {
		if err := n.Kick(context.Background(), id, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	s.Finish()
	check("while the room lives")
	n.rooms.Close()
	check("once the room's recording has ended")
}

// live is the one live session of a listener.
func (n *node) live(listener string) (sum session.Summary) {
	n.t.Helper()
	n.until("a live session of "+listener, func() bool {
		list, err := n.List(context.Background(), session.Live, index.Filter{Listener: listener})
		if err != nil {
			n.t.Fatal(err)
		}
		if len(list) > 0 {
			sum = list[0]
		}
		return len(list) == 1
	})
	return sum
}

func TestANewMemberIsWelcomedAndAnnouncedToTheOthers(t *testing.T) {
	n := newNode(t)
	r := n.open("page", room.Config{Welcome: "你上线了", Announce: "你的朋友上线了", Farewell: "走了",
		Mapping: session.Mapping{Field: "text"}})
	h := &heard{}
	if _, _, err := r.Follow(h); err != nil {
		t.Fatal(err)
	}
	l := n.line("tcp", "page", false)
	a := l.join("")
	a.hears("你上线了\n")
	n.until("the first is announced", func() bool { return h.all() != "" }) // else the second may hear that too
	b := l.join("")
	b.hears("你上线了\n")
	a.hears("你的朋友上线了\n")
	if list := r.Present(); len(list) != 2 || list[0].Remote != a.LocalAddr().String() || list[0].Transport != "tcp" ||
		list[1].Remote != b.LocalAddr().String() || list[1].ID != string(list[1].Session) {
		t.Errorf("present are %+v", list)
	}
	udp := n.line("udp", "page", false).join("x")
	buf := make([]byte, 100)
	for _, want := range []string{"你上线了", "x"} {
		if got, err := udp.Read(buf); err != nil || string(buf[:got]) != want {
			t.Fatalf("the UDP member got %q, %v; want %q", buf[:got], err, want)
		}
	}
	a.hears("你的朋友上线了\nx")
	b.hears("你的朋友上线了\nx")
	b.Close()
	a.hears("走了\n")
	n.until("two are left", func() bool { return len(r.Present()) == 2 })
}

// heard keeps the messages of a room by themselves.
type heard struct {
	mu   sync.Mutex
	list []string
}

func (h *heard) Said(m room.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, string(m.Bytes))
}

func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.list, "|")
}

func TestACharacterThatComesInPiecesIsSaidWhole(t *testing.T) {
	for _, c := range []struct {
		format session.Format
		want   string
	}{
		{session.FormatText, "a|你b|\xff|😀|\xe4x|end|\xf0\x9f|\xe4\xbd"},
		{"", "a\xe4|\xbd\xa0b|\xff|\xf0\x9f|\x98\x80|\xe4|x|end\xf0\x9f|\xe4\xbd"},
	} {
		n := newNode(t)
		r := n.open("page", room.Config{Mapping: session.Mapping{Format: c.format}})
		h := &heard{}
		if _, _, err := r.Follow(h); err != nil {
			t.Fatal(err)
		}
		tcp := n.line("tcp", "page", true).join("")
		received := uint64(0)
		for _, piece := range []string{"a\xe4", "\xbd\xa0b", "\xff", "\xf0\x9f", "\x98\x80", "\xe4", "x",
			"end\xf0\x9f", "\xe4\xbd"} {
			tcp.say(piece)
			received++
			n.until("each piece came by itself", func() bool { return n.live("page-tcp").ReceivedEvents == received })
		}
		tcp.Close()
		n.until("all is said", func() bool {
			return strings.ReplaceAll(h.all(), "|", "") == strings.ReplaceAll(c.want, "|", "")
		})
		if got := h.all(); got != c.want {
			t.Errorf("format %q: said %q; want %q", c.format, got, c.want)
		}
	}
}

func TestALongTextIsCutBetweenCharacters(t *testing.T) {
	n := newNode(t)
	r := n.open("page", room.Config{Mapping: session.Mapping{Format: session.FormatText}})
	h := &heard{}
	if _, _, err := r.Follow(h); err != nil {
		t.Fatal(err)
	}
	tcp := n.line("tcp", "page", true).join("")
	text := "x" + strings.Repeat("你", 200_000)
	tcp.say(text)
	n.until("all is said", func() bool { return len(strings.ReplaceAll(h.all(), "|", "")) == len(text) })
	for i, m := range h.list {
		if len(m) > room.MaxMessage || strings.ToValidUTF8(m, "") != m {
			t.Errorf("message %d of %d bytes is cut within a character: %q … %q", i, len(m), m[:3], m[len(m)-3:])
		}
	}
}
