package room_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/bus"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/room"
	service "github.com/switchboard-relay/switchboard/service/room"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// node is a hub with rooms, over a real bus, a real store and a real index.
type node struct {
	*hub.Hub
	t     testing.TB
	rooms *room.Rooms
	store *recording.Store
}

func newNode(t testing.TB) *node {
	t.Helper()
	dir := t.TempDir()
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	inbox := hub.NewInbox()
	store, err := recording.Open(recording.Options{Dir: dir, OnSealed: inbox.Add, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	idx, err := index.Open(filepath.Join(dir, "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(bus.Options{StoreDir: filepath.Join(dir, "bus"), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	h, err := hub.New(hub.Options{Node: "n1", Store: store, Index: idx, Inbox: inbox, Bus: b, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	rooms, err := room.New(room.Options{Bus: b, Store: store, Node: "n1", Logger: logger, Began: h.TrackRoom,
		Ended: h.ForgetRoom})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		rooms.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		h.FinishIndex(context.Background())
		idx.Close()
		b.Close()
	})
	return &node{Hub: h, t: t, rooms: rooms, store: store}
}

// line is a listener of a room.
type line struct {
	n       *node
	room    *room.Room
	network string
	addr    string
}

func (n *node) line(network, roomName string, exclude bool) *line {
	n.t.Helper()
	r, err := n.rooms.Open(context.Background(), roomName, room.Config{Record: session.RecordOn})
	if err != nil {
		n.t.Fatal(err)
	}
	svc := &service.Service{Room: r, ExcludeSender: exclude}
	l, err := n.Listener(hub.ListenerConfig{Name: roomName + "-" + network, Transport: network, Service: "room",
		Record: session.RecordOn, OnFailure: session.OnFailureContinue}, svc)
	if err != nil {
		n.t.Fatal(err)
	}
	at := transport.Address{Transport: network, Host: "127.0.0.1:0"}
	if network == "unix" {
		at.Host = filepath.Join(n.t.TempDir(), "room.sock")
	}
	if network == "udp" {
		p, err := transport.ListenPackets(context.Background(), at)
		if err != nil {
			n.t.Fatal(err)
		}
		l.Attach(p)
		go l.ServePackets(p) // ends with the hub's Shutdown
		return &line{n, r, network, p.Addr().String()}
	}
	ln, err := transport.Listen(context.Background(), at, transport.ListenOptions{})
	if err != nil {
		n.t.Fatal(err)
	}
	l.Attach(ln)
	go l.Serve(ln) // ends with the hub's Shutdown
	return &line{n, r, network, ln.Addr().String()}
}

// client is a far end that is in the room.
type client struct {
	net.Conn
	t testing.TB
}

// join connects, and waits until the room has one member more. A UDP peer says hello to be known at all, and gets that
// back itself, as does everybody else.
func (l *line) join(hello string) *client {
	l.n.t.Helper()
	before := l.room.Members()
	c, err := net.Dial(l.network, l.addr)
	if err != nil {
		l.n.t.Fatal(err)
	}
	l.n.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	cl := &client{c, l.n.t}
	if hello != "" {
		cl.say(hello)
	}
	l.n.until("the room has one member more", func() bool { return l.room.Members() == before+1 })
	return cl
}

func (c *client) say(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) hears(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c, got)
	if err != nil || string(got) != want {
		c.t.Fatalf("%s heard %.200q, %v; want %.200q", c.LocalAddr(), got[:n], err, want)
	}
}

// until waits for what nothing else tells.
func (n *node) until(what string, ready func() bool) {
	n.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !ready(); <-tick.C {
		if time.Now().After(deadline) {
			n.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// ended waits until a session of the listener has ended.
func (n *node) ended(listener string) session.Summary {
	n.t.Helper()
	var list []session.Summary
	n.until("a session of "+listener+" has ended", func() bool {
		var err error
		if list, err = n.List(context.Background(), session.Recorded, index.Filter{Listener: listener}); err != nil {
			n.t.Fatal(err)
		}
		return len(list) > 0
	})
	return list[0]
}

// events reads a session's events to its end.
func (n *node) events(id session.ID) (all []session.Event) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	e, err := n.Events(ctx, id, 1)
	if err != nil {
		n.t.Fatal(err)
	}
	defer e.Close()
	for {
		batch, err := e.Next(ctx)
		for _, ev := range batch {
			ev.Data = slices.Clone(ev.Data)
			all = append(all, ev)
		}
		if err == io.EOF {
			return all
		}
		if err != nil {
			n.t.Fatal(err)
		}
	}
}

func bytesOf(events []session.Event, k session.Kind) string {
	var b bytes.Buffer
	for _, e := range events {
		if e.Kind == k {
			b.Write(e.Data)
		}
	}
	return b.String()
}

func TestWhatOneSaysAllHearTheSenderIncluded(t *testing.T) {
	l := newNode(t).line("tcp", "chat", false)
	a, b, c := l.join(""), l.join(""), l.join("")
	for _, text := range []string{"hello", "你好，大家", "\x00\xff\xfe\r\n", strings.Repeat("long ", 20_000)} {
		a.say(text)
		for _, cl := range []*client{a, b, c} {
			cl.hears(text)
		}
	}
}

func TestTheSenderHearsNothingOfItselfIfItIsLeftOut(t *testing.T) {
	l := newNode(t).line("tcp", "chat", true)
	a, b := l.join(""), l.join("")
	a.say("from a")
	b.hears("from a")
	b.say("from b")
	a.hears("from b")
}

func TestARoomSpansTransports(t *testing.T) {
	n := newNode(t)
	tcp := n.line("tcp", "chat", false).join("")
	unix := n.line("unix", "chat", false).join("")
	udp := n.line("udp", "chat", false).join("i am here")
	for _, c := range []*client{tcp, unix} {
		c.hears("i am here")
	}
	datagram := make([]byte, 65_536)
	hears := func(want string) {
		t.Helper()
		size, err := udp.Read(datagram)
		if err != nil || string(datagram[:size]) != want {
			t.Fatalf("the UDP peer got the datagram %.100q, %v; want %.100q", datagram[:size], err, want)
		}
	}
	hears("i am here")
	for _, from := range []*client{tcp, unix, udp} {
		for i := range 5 {
			text := fmt.Sprintf("%d by %s", i, from.LocalAddr().Network())
			from.say(text)
			tcp.hears(text)
			unix.hears(text)
			hears(text)
		}
	}
}

func TestDatagramsKeepTheirBoundariesHoweverManyWait(t *testing.T) {
	n := newNode(t)
	l := n.line("udp", "chat", true)
	listener := l.join("hello")
	speaker := l.join("hello too")
	datagram := make([]byte, 65_536)
	const count = 50
	for i := range count {
		speaker.say(fmt.Sprintf("datagram %d", i))
	}
	for _, want := range append([]string{"hello too"}, func() (all []string) {
		for i := range count {
			all = append(all, fmt.Sprintf("datagram %d", i))
		}
		return all
	}()...) {
		size, err := listener.Read(datagram)
		if err != nil || string(datagram[:size]) != want {
			t.Fatalf("got the datagram %q, %v; want %q", datagram[:size], err, want)
		}
	}
}

func TestAnEmptyDatagramIsAMessage(t *testing.T) {
	n := newNode(t)
	stream := n.line("tcp", "chat", false).join("")
	udp := n.line("udp", "chat", true)
	listener, speaker := udp.join("1"), udp.join("2")
	for _, text := range []string{"", "between", "", ""} {
		if _, err := speaker.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	datagram := make([]byte, 100)
	for i, want := range []string{"2", "", "between", "", ""} {
		size, err := listener.Read(datagram)
		if err != nil || string(datagram[:size]) != want {
			t.Fatalf("datagram %d is %q, %v; want %q", i, datagram[:size], err, want)
		}
	}
	stream.hears("12between")
	speaker.say("end")
	stream.hears("end")
}

func TestOneThatLeavesOrBreaksHarmsNobody(t *testing.T) {
	n := newNode(t)
	l := n.line("tcp", "chat", false)
	a, b, leaves, breaks := l.join(""), l.join(""), l.join(""), l.join("")
	leaves.Close()
	breaks.Conn.(*net.TCPConn).SetLinger(0)
	breaks.Close()
	n.until("two members are left", func() bool { return l.room.Members() == 2 })
	a.say("still here")
	a.hears("still here")
	b.hears("still here")
}

func TestOneThatDoesNotReadIsEndedAsSlowAndDelaysNobody(t *testing.T) {
	n := newNode(t)
	l := n.line("tcp", "chat", false)
	stuck, a, b := l.join(""), l.join(""), l.join("")
	text := strings.Repeat("x", 64<<10)
	for i := 0; l.room.Members() == 3; i++ {
		if i > 1000 {
			t.Fatal("64 MB were said and the one who reads nothing is still a member")
		}
		a.say(text)
		a.hears(text)
		b.hears(text)
	}
	sum := n.ended("chat-tcp")
	if sum.Cause != session.Slow || sum.Remote != stuck.LocalAddr().String() {
		t.Errorf("%s ended as %q; want the one who does not read, %s, as slow", sum.Remote, sum.Cause, stuck.LocalAddr())
	}
	a.say("goes on")
	a.hears("goes on")
	b.hears("goes on")
}

func TestAMembersRecordRefersToTheRoomsAndReadsAsWhatWasSent(t *testing.T) {
	n := newNode(t)
	l := n.line("tcp", "chat", false)
	early := l.join("")
	early.say("before ")
	early.hears("before ")
	late := l.join("")
	var want strings.Builder
	for i := range 50 {
		text := fmt.Sprintf("message %d ", i)
		want.WriteString(text)
		early.say(text)
		early.hears(text)
	}
	late.hears(want.String())
	late.Close()
	sum := n.ended("chat-tcp")
	events := n.events(sum.ID)
	if got := bytesOf(events, session.Sent); got != want.String() {
		t.Errorf("the member's record reads as %q; want %q", got, want.String())
	}
	if sum.SentBytes != uint64(want.Len()) || sum.SentEvents != 50 {
		t.Errorf("it counts %d bytes in %d messages; want %d in 50", sum.SentBytes, sum.SentEvents, want.Len())
	}
	var kinds []session.Kind
	for _, e := range events {
		if e.Kind == session.Joined || e.Kind == session.Left || e.Kind == session.Closed {
			kinds = append(kinds, e.Kind)
		}
	}
	if !slices.Equal(kinds, []session.Kind{session.Joined, session.Left, session.Closed}) {
		t.Errorf("its record says %v; want joined, left, closed", kinds)
	}
}

// Each byte says who sent it and its place modulo 8, so that it does not matter where TCP divides what a client sends.
func TestEverySenderIsHeardInFullByEverybody(t *testing.T) {
	l := newNode(t).line("tcp", "chat", false)
	const clients, each, most = 20, 4000, 37
	var all []*client
	for range clients {
		all = append(all, l.join(""))
	}
	var talking sync.WaitGroup
	for i, c := range all {
		talking.Go(func() {
			for j := 0; j < each; {
				var message []byte
				for len(message) < 1+j%most && j+len(message) < each {
					message = append(message, byte(i<<3|(j+len(message))&7))
				}
				if _, err := c.Write(message); err != nil {
					t.Error(err)
					return
				}
				j += len(message)
			}
		})
		talking.Go(func() {
			next := [clients]int{}
			in := bufio.NewReader(c)
			for range clients * each {
				b, err := in.ReadByte()
				if err != nil {
					t.Errorf("client %d: %v; it has got %v of each", i, err, next)
					return
				}
				from := b >> 3
				if from >= clients || int(b&7) != next[from]&7 {
					t.Errorf("client %d got byte %d of client %d; want its byte %d", i, b&7, from, next[from]&7)
					return
				}
				next[from]++
			}
		})
	}
	talking.Wait()
}

func TestAMemberOfDatagramsOutlivesOneThatPours(t *testing.T) {
	n := newNode(t)
	tcp, udp := n.line("tcp", "chat", false), n.line("udp", "chat", true)
	udp.join("hello")
	pours := tcp.join("")
	const pieces, size = 20, 1 << 20
	var saying sync.WaitGroup
	saying.Go(func() {
		for range pieces {
			pours.say(strings.Repeat("x", size))
		}
	})
	if got, err := io.CopyN(io.Discard, pours, pieces*size); err != nil {
		t.Fatalf("%d bytes came back, %v; want %d", got, err, pieces*size)
	}
	saying.Wait()
	list, err := n.List(context.Background(), session.Live, index.Filter{Transport: "udp"})
	if err != nil || len(list) != 1 {
		t.Errorf("%d members of datagrams are live, %v; want the one", len(list), err)
	}
}
