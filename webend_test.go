package switchboard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

// quiet is a page's room in which only its members say anything.
func quiet(c *switchboard.Config) {
	c.Rooms[0].Presence, c.Rooms[0].Announce, c.Rooms[0].Welcome = false, "", ""
}

// identity is what a client needs to come back.
type identity struct{ SID, PID, offset string }

// connectAs connects to Socket.IO with a payload. It returns what came before the answer, too.
func connectAs(t *testing.T, sb *switchboard.Switchboard, payload string) (s *socket, who identity, before []string) {
	t.Helper()
	s = mustWebsocket(t, sb, "/socket.io/?EIO=4&transport=websocket")
	s.say("40" + payload)
	for {
		text := s.hear()
		if strings.HasPrefix(text, "40{") {
			if err := json.Unmarshal([]byte(text[2:]), &who); err != nil {
				t.Fatal(err)
			}
			return s, who, before
		}
		if !strings.HasPrefix(text, "0{") {
			before = append(before, text)
		}
	}
}

// took is a client's identity once it has got an event.
func (i identity) took(t *testing.T, event string) identity {
	t.Helper()
	var list []any
	if err := json.Unmarshal([]byte(event[2:]), &list); err != nil {
		t.Fatal(err)
	}
	i.offset = list[len(list)-1].(string)
	return i
}

func (i identity) back(t *testing.T, sb *switchboard.Switchboard) (*socket, []string) {
	t.Helper()
	s, who, missed := connectAs(t, sb, fmt.Sprintf(`{"pid":%q,"offset":%q}`, i.PID, i.offset))
	if who.SID != i.SID {
		t.Fatal("not recovered")
	}
	return s, missed
}

func TestWhatAClientSaysBeforeItGoesReachesTheRoom(t *testing.T) {
	sb := page(t, quiet)
	tcp := dial(t, "tcp", sb.Addr("tcp"))
	members(t, sb, 1)
	const clients, each = 20, 5
	for i := range clients {
		s, _, _ := connectAs(t, sb, "")
		for k := range each {
			s.say(fmt.Sprintf(`42["clientmessage",{"text":"%d.%d"}]`, i, k))
		}
		s.Conn.(*net.TCPConn).CloseWrite() // Close would reset the connection if something came just now
	}
	heard := map[string]bool{}
	for line := ""; len(heard) < clients*each; {
		if _, err := fmt.Fscanln(tcp, &line); err != nil {
			missing := []string{}
			for i := range clients * each {
				if text := fmt.Sprintf("%d.%d", i/each, i%each); !heard[text] {
					missing = append(missing, text)
				}
			}
			t.Fatalf("the room was not told %v: %v", missing, err)
		}
		heard[line] = true
	}
}

func TestAListenerThatGoesLeavesNobodyInTheRoom(t *testing.T) {
	var conf switchboard.Config
	sb := page(t, func(c *switchboard.Config) { conf = *c })
	r := sb.Rooms()[0]
	news := make(notices, 100)
	_, unfollow, err := r.Follow(news)
	if err != nil {
		t.Fatal(err)
	}
	defer unfollow()
	lost := member(t, sb)
	lost.Conn.Close() // it may come back
	member(t, sb)
	news.want(t, session.SaidJoined, session.SaidJoined)
	next := conf
	next.Listeners = append([]switchboard.ListenerConfig(nil), conf.Listeners...)
	next.Listeners[0].WriteLimit = "2MiB"
	if err := sb.Reload(next); err != nil {
		t.Fatal(err)
	}
	news.want(t, session.SaidLeft, session.SaidLeft)
	if p := r.Present(); len(p) > 0 {
		t.Errorf("present are %+v; want nobody", p)
	}
}

// notices is a follower that gives what is said of members who come and go.
type notices chan session.Said

func (n notices) Said(m room.Message) {
	if m.Kind == session.SaidJoined || m.Kind == session.SaidLeft {
		n <- m.Kind
	}
}

func (n notices) want(t *testing.T, list ...session.Said) {
	t.Helper()
	for _, want := range list {
		select {
		case got := <-n:
			if got != want {
				t.Fatalf("said is %v; want %v", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%v was not said", want)
		}
	}
}

// slow is a follower that holds the room up.
type slow struct{}

func (slow) Said(room.Message) { time.Sleep(200 * time.Millisecond) }

func TestWhoComesBackDoesNotHearItself(t *testing.T) {
	sb := page(t, quiet)
	tcp := dial(t, "tcp", sb.Addr("tcp"))
	a, who, _ := connectAs(t, sb, "")
	fmt.Fprint(tcp, "zero\n")
	who = who.took(t, a.skip("message"))
	r := sb.Rooms()[0]
	_, unfollow, err := r.Follow(slow{}) // what is said takes a while to come back
	if err != nil {
		t.Fatal(err)
	}
	defer unfollow()
	for range 3 {
		if err := r.SayEvent("", []byte(`["before"]`)); err != nil {
			t.Fatal(err)
		}
	}
	a.say(`421["clientmessage",{"text":"own"}]`)
	for a.hear() != "431[]" {
	}
	a.Conn.Close()
	sessions(t, sb, session.Live, 1) // the one over TCP
	back, missed := who.back(t, sb)
	fmt.Fprint(tcp, "after\n")
	for len(missed) == 0 || !strings.Contains(missed[len(missed)-1], "after") {
		missed = append(missed, back.hear())
	}
	if text := strings.Join(missed, "\n"); strings.Contains(text, "own") {
		t.Errorf("it heard itself:\n%s", text)
	}
}

func TestTheRecordOfWhoCameBackIsWhatWasSent(t *testing.T) {
	sb := page(t, quiet)
	tcp := dial(t, "tcp", sb.Addr("tcp"))
	a, who, _ := connectAs(t, sb, "")
	fmt.Fprint(tcp, "zero\n")
	who = who.took(t, a.skip("message"))
	fmt.Fprint(tcp, "w\n")
	a.skip("message") // and yet it comes back as if it had not
	a.say(`421["clientmessage",{"text":"own"}]`)
	for a.hear() != "431[]" {
	}
	readLine(t, tcp, "own")
	fmt.Fprint(tcp, "y\n")
	a.skip("message")
	a.Conn.Close()
	sessions(t, sb, session.Live, 1)
	b, missed := who.back(t, sb)
	if len(missed) != 2 {
		t.Fatalf("missed %q; want w and y", missed)
	}
	var id session.ID
	for _, s := range sessions(t, sb, session.Live, 2) {
		if s.Transport == "socketio" {
			id = s.ID
		}
	}
	if err := sb.Hub().Kick(context.Background(), id, "ada", "maintenance"); err != nil {
		t.Fatal(err)
	}
	var said []string
	for {
		text, err := b.next()
		if err != nil {
			break
		}
		said = append(said, text)
	}
	sessions(t, sb, session.Live, 1)
	if got := bytesOf(t, sb, id, session.Sent); strings.Contains(got, "own") || !strings.Contains(got, `"w"`) ||
		!strings.Contains(got, `"y"`) || !strings.Contains(got, `2["ended",{"cause":"kicked","by":"ada","reason":"maintenance"}`) ||
		strings.Contains(got, strings.Split(who.PID, ".")[1]) {
		t.Errorf("the record says that this was sent:\n%s\nwhat came before the end:\n%q", got, said)
	}
	sum, err := sb.Hub().Find(context.Background(), string(id))
	if got := bytesOf(t, sb, id, session.Sent); err != nil || int(sum.SentBytes) != len(got) {
		t.Errorf("%d bytes count as sent, %v; the record shows %d", sum.SentBytes, err, len(got))
	}
	if got := bytesOf(t, sb, id, session.Received); strings.Contains(got, strings.Split(who.PID, ".")[1]) {
		t.Errorf("who looks on could take over:\n%s", got)
	}
}

func readLine(t *testing.T, c interface{ Read([]byte) (int, error) }, want string) {
	t.Helper()
	line := ""
	for line != want {
		if _, err := fmt.Fscanln(c, &line); err != nil {
			t.Fatalf("%v; want %q", err, want)
		}
	}
}

func TestWhoLeavesAndComesBackOnOneConnectionIsAMember(t *testing.T) {
	sb := page(t, quiet)
	for range 30 {
		a, _, _ := connectAs(t, sb, "")
		id := sessions(t, sb, session.Live, 1)[0].ID
		a.say("41")
		a.say("40")
		for text := a.hear(); !strings.HasPrefix(text, "40{"); text = a.hear() {
		}
		if err := sb.Rooms()[0].SayEvent("", []byte(`["message","x"]`)); err != nil {
			t.Fatal(err)
		}
		a.skip("message")
		if err := sb.Hub().Send(context.Background(), id, "ada", []byte("to you")); err != nil {
			t.Fatal(err)
		}
		a.skip("message")
		a.Conn.Close()
		sessions(t, sb, session.Live, 0)
		if got := bytesOf(t, sb, id, session.Sent); !strings.Contains(got, `"x"`) || !strings.Contains(got, "to you") {
			t.Fatalf("the record says that this was sent:\n%s", got)
		}
	}
}
