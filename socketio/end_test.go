package socketio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/switchboard-relay/switchboard/socketio"
)

func TestWhatWasReadBeforeTheEndIsHandled(t *testing.T) {
	h := newHouse(t, nil)
	n := h.Of("/")
	got, ends := make(chan int, 100), make(chan socketio.Reason, 1)
	release := make(chan struct{})
	socketio.On(n, "n", func(_ context.Context, s *socketio.Socket, i int) error {
		<-release
		got <- i
		return nil
	})
	n.OnDisconnect(func(_ *socketio.Socket, r socketio.Reason) { ends <- r })
	p := h.connect("/", "")
	for i := range 20 {
		p.send(event("n", i))
	}
	p.send("41")
	p.conn.Close()
	for end := limit(t); n.Len() > 0; {
		if end.Err() != nil {
			t.Fatal("the socket is still there")
		}
	}
	close(release)
	if r := receive(t, ends, "the disconnection"); r != socketio.ClientDisconnect {
		t.Errorf("reason: %q", r)
	}
	if len(got) != 20 { // all of them before the handler of the end
		t.Errorf("%d of 20 events were handled", len(got))
	}
}

func TestAHandlerHearsItsAnswerBehindManyEvents(t *testing.T) {
	h := newHouse(t, func(o *socketio.Options) { o.MaxQueue = 10_000 })
	n := h.Of("/")
	answers := make(chan error, 1)
	socketio.On(n, "ask", func(ctx context.Context, s *socketio.Socket, _ int) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		_, err := socketio.Call[int](ctx, s, "question")
		answers <- err
		return nil
	})
	p := h.connect("/", "")
	p.send(event("ask", 0))
	p.want(`420["question"]`)
	for range 150 { // more than may wait of one who owes nothing
		p.send(event("other", strings.Repeat("x", 10)))
	}
	p.send("430[1]")
	if err := receive(t, answers, "the answer"); err != nil {
		t.Errorf("answered behind much else: %v", err)
	}
}

func TestCloseSendsWhatWasEmittedAndWaitsForHandlers(t *testing.T) {
	h := newHouse(t, recovering(time.Minute))
	n := h.Of("/")
	connected, gone := gate(n)
	var handled, left sync.WaitGroup
	handled.Add(2)
	left.Add(2)
	n.OnDisconnect(func(*socketio.Socket, socketio.Reason) { handled.Done() })
	n.OnLeft(func(*socketio.Socket) { left.Done() })
	lost := h.connect("/", "")
	receive(t, connected, "the socket")
	lost.conn.Close()
	receive(t, gone, "the disconnection") // it may come back
	p := h.connect("/", "")
	s := receive(t, connected, "the socket")
	for i := range 100 {
		n.Emit("e", i)
	}
	done := make(chan error, 1)
	go func() { done <- h.Close(limit(t)) }()
	for i := range 100 {
		if v, _ := p.event("e"); v != float64(i) {
			t.Fatalf("got %v; want %d", v, i)
		}
	}
	p.conn.Close()
	if err := receive(t, done, "the end of Close"); err != nil {
		t.Fatal(err)
	}
	handled.Wait() // a WaitGroup that has been done more often panics
	left.Wait()
	if err := n.Emit("e"); !errors.Is(err, socketio.ErrClosed) {
		t.Errorf("Emit behind Close: %v", err)
	}
	if err := s.Emit("e"); !errors.Is(err, socketio.ErrClosed) {
		t.Errorf("Socket.Emit behind Close: %v", err)
	}
	select {
	case <-s.Context().Done():
	case <-time.After(30 * time.Second):
		t.Error("the context of a socket that has ended goes on")
	}
}

func TestWhoIsRefusedIsInNoRoom(t *testing.T) {
	h := newHouse(t, nil)
	n := h.Of("/")
	n.Use(func(s *socketio.Socket) error {
		s.Join("secret")
		if strings.Contains(string(s.Auth()), "no") {
			return errors.New("no")
		}
		return nil
	})
	refused := h.dial("")
	refused.send(`40{"name":"no"}`)
	refused.want(`44{"message":"no"}`)
	p := h.connect("/", `{"name":"yes"}`)
	n.To("secret").Emit("e", 1)
	p.want(event("e", 1))
	refused.send(`40{"name":"yes"}`) // what comes first is the answer to this
	if text := refused.read(); !strings.HasPrefix(text, "40{") {
		t.Errorf("who was refused got %q", text)
	}
	if n.To().Emit("e", 2); n.To([]string{}...).Emit("e", 3) != nil {
		t.Error("an event for nobody is an error")
	}
	n.Emit("e", 4)
	p.want(event("e", 4))
}

func TestAuthAndHeadersHaveALimit(t *testing.T) {
	h := newHouse(t, nil)
	p := h.dial("")
	p.send(`40{"x":"` + strings.Repeat("x", 20_000) + `"}`)
	if text := p.read(); !strings.HasPrefix(text, `44{"message":"auth has `) {
		t.Errorf("much auth: %.100q", text)
	}
	p.join("/", "{}")
	req, _ := http.NewRequestWithContext(limit(t), "GET", h.url+"/?EIO=4&transport=polling", nil)
	req.Header.Set("X", strings.Repeat("x", 40_000))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a large header: %s", res.Status)
	}
}

func TestAttachmentsDoNotStandForAConnect(t *testing.T) {
	h := newHouse(t, func(o *socketio.Options) { o.ConnectTimeout = time.Second })
	p := h.dial("")
	p.send(`461-0[{"_placeholder":true,"num":0}]`)
	p.sendBinary([]byte("x"))
	p.ends()
}

func TestSpaceBehindAPayloadIsNoPartOfIt(t *testing.T) {
	h := newHouse(t, nil)
	n := h.Of("/")
	n.Handle("say", func(_ context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
		if err := s.EmitJSON([]byte(" [\"own\",1]\n")); err != nil {
			return nil, err
		}
		return nil, n.Emit("said", args)
	})
	f := h.Of("/followed")
	f.Follow("x", 0)
	f.Handle("say", func(_ context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
		whole := args.AppendWhole([]byte{})
		f.Deliver(socketio.Broadcast{Offset: 1, Payload: append([]byte(`["said",`), append(whole[1:], ' ', '\n')...)})
		return nil, nil
	})
	p := h.connect("/", "")
	p.send("42[\"say\",1]\n ")
	p.want(`42["own",1]`)
	p.want(`42["said",1]`)
	p.join("/followed", "{}")
	p.send("42/followed,[\"say\",1] \n")
	p.want(`42/followed,["said",1]`)
	s := n.Sockets()[0]
	for _, wrong := range []string{"", "[]", "{}", `["connect"]`, `["conne\u0063t"]`, "[\"a\",\"\xff\"]", "[null]"} {
		if s.EmitJSON([]byte(wrong)) == nil {
			t.Errorf("EmitJSON took %q", wrong)
		}
	}
}

// diary is an observer that keeps what it is told.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) Received(p []byte, _ bool) error {
	d.note("received %s", p)
	return nil
}
func (d *diary) Sent(p []byte, _ bool) { d.note("sent %s", p) }
func (d *diary) Delivered(v socketio.Delivery) {
	d.note("delivered %d-%d", v.First.Number, v.Last.Number)
}
func (d *diary) Left(*socketio.Socket)             { d.note("left") }
func (d *diary) Upgraded(transport string)         { d.note("upgraded %s", transport) }
func (d *diary) Closed(r socketio.Reason, _ error) { d.note("closed %s", r) }

func TestAnObserverHearsAllInOrderAndNoSecrets(t *testing.T) {
	diaries := make(chan *diary, 10)
	h := newHouse(t, func(o *socketio.Options) {
		o.Recovery.Window = time.Minute
		o.Observe = func(*socketio.Client, *http.Request) (socketio.Observer, error) {
			d := &diary{}
			diaries <- d
			return d, nil
		}
	})
	n := h.Of("/")
	connected, gone := gate(n)
	n.Follow("x", 0)
	p := h.connect("/", "{}")
	d := receive(t, diaries, "the observer")
	s := receive(t, connected, "the socket")
	deliver := func(i int, not string) {
		n.Deliver(socketio.Broadcast{Offset: uint64(i), Payload: []byte(fmt.Sprintf(`["e",%d]`, i)), Not: not,
			Place: socketio.Place{Log: "room", Number: uint64(i)}})
	}
	deliver(1, "")
	p.event("e")
	n.Emit("here", 1) // not of the log
	p.event("here")
	p.send(event("answer"))
	p.conn.Close()
	receive(t, gone, "the disconnection")
	deliver(2, "")
	deliver(3, s.ID())
	deliver(4, "")
	secret := strings.Split(p.pid, ".")[1]
	back, missed, _, recovered := h.back(p, "x-1.1")
	if !recovered || len(missed) < 2 {
		t.Fatalf("recovered: %v, %v", recovered, missed)
	}
	d2 := receive(t, diaries, "the observer")
	s2 := receive(t, connected, "the socket")
	deliver(5, s.ID())
	deliver(6, "")
	if v, _ := back.event("e"); v != 6.0 {
		t.Errorf("got %v; what a socket said before it was recovered is its own still", v)
	}
	if err := s.Emit("direct", 7); err != nil { // by whoever has the former one
		t.Error(err)
	}
	if v, _ := back.event("direct"); v != 7.0 {
		t.Errorf("got %v; want what was sent to the former socket", v)
	}
	s2.Disconnect()
	back.want("41")
	back.conn.Close()
	h.Close(limit(t))
	for _, d := range []*diary{d, d2} {
		d.mu.Lock()
		text := strings.Join(d.lines, "\n")
		d.mu.Unlock()
		if strings.Contains(text, secret) || !strings.Contains(text, strings.Repeat("*", 20)) {
			t.Errorf("an observer was told the secret:\n%s", text)
		}
		if !strings.Contains(d.lines[len(d.lines)-1], "closed") {
			t.Errorf("the last of it is not the end:\n%s", text)
		}
	}
	first, second := strings.Join(d.lines, "\n"), strings.Join(d2.lines, "\n")
	if !inOrder(first, "delivered 1-1", `sent 2["here",1,`, `received 2["answer"]`, "closed") {
		t.Errorf("the first observer was told:\n%s", first)
	}
	if !inOrder(second, "delivered 2-2", "delivered 4-4", `sent 0{"sid"`, "delivered 6-6", "direct", "left", "sent 1", "closed") {
		t.Errorf("the second observer was told:\n%s", second)
	}
}

func inOrder(text string, parts ...string) bool {
	for _, p := range parts {
		_, rest, found := strings.Cut(text, p)
		if !found {
			return false
		}
		text = rest
	}
	return true
}

func TestAnObserverMayCloseItsClientAtOnce(t *testing.T) {
	h := newHouse(t, func(o *socketio.Options) {
		o.Observe = func(c *socketio.Client, _ *http.Request) (socketio.Observer, error) {
			c.Close()
			return nil, nil
		}
	})
	conn, _, _, err := ws.Dial(limit(t), strings.Replace(h.url, "http", "ws", 1)+"/?EIO=4&transport=websocket")
	if err != nil {
		return // it was that quick
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.Copy(io.Discard, conn); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection goes on")
	}
}

func TestLeavingARoomDoesNotHideWhatWasMissed(t *testing.T) {
	h := newHouse(t, recovering(time.Minute))
	n := h.Of("/")
	connected, gone := gate(n)
	p := h.connect("/", "")
	s := receive(t, connected, "the socket")
	s.Join("r")
	n.Emit("e", 1)
	_, offset := p.event("e")
	p.conn.Close()
	receive(t, gone, "the disconnection")
	back, _, offset, recovered := h.back(p, offset)
	s = receive(t, connected, "the socket")
	if !recovered {
		t.Fatal("not recovered")
	}
	n.To("r").Emit("e", 2)
	n.Except("r").Emit("e", -1)
	s.Leave("r")
	n.To("r").Emit("e", -2)
	n.Except("r").Emit("e", 3)
	for _, want := range []float64{2, 3} { // it gets them, and comes back as if it had not
		if v, _ := back.event("e"); v != want {
			t.Fatalf("got %v; want %v", v, want)
		}
	}
	back.conn.Close()
	receive(t, gone, "the disconnection")
	back, missed, _, recovered := h.back(back, offset)
	if !recovered || s.In("r") {
		t.Fatalf("recovered: %v, in the room: %v", recovered, s.In("r"))
	}
	same(t, missed, 2, 3)
	s = receive(t, connected, "the socket")
	for i := range 200 { // so often that it cannot be kept in mind
		s.Join("r")
		n.Emit("e", i)
		s.Leave("r")
	}
	back.conn.Close()
	receive(t, gone, "the disconnection")
	if _, _, _, recovered = h.back(back, offset); recovered {
		t.Error("recovered from before what is known of its rooms")
	}
}

func TestMoreThanMayWaitIsNotRecovered(t *testing.T) {
	h := newHouse(t, func(o *socketio.Options) { o.Recovery.Window, o.WriteLimit = time.Minute, 100<<10 })
	n := h.Of("/")
	_, gone := gate(n)
	n.Emit("e", 0)
	for _, c := range []struct {
		events int
		want   bool
	}{{40, true}, {60, false}} {
		p := h.connect("/", "")
		p.conn.Close()
		receive(t, gone, "the disconnection")
		for range c.events {
			n.Emit("e", strings.Repeat("x", 1000))
		}
		if _, _, _, recovered := h.back(p, ""); recovered != c.want {
			t.Errorf("%d kB missed, with 100 KiB that may wait: recovered: %v", c.events, recovered)
		}
	}
}

func TestASocketIsInARoomFromJoinOn(t *testing.T) {
	h := newHouse(t, nil)
	n := h.Of("/")
	n.OnConnect(func(s *socketio.Socket) {
		n.To("r").Emit("e", s.ID())
		s.Join("r")
		n.To("r").Emit("in", s.ID())
	})
	for range 50 {
		p := h.connect("/", "")
		if text := p.read(); !bytes.HasPrefix([]byte(text), []byte(`42["in"`)) {
			t.Fatalf("got %q, which was sent before it joined", text)
		}
	}
}

func TestAFormerSocketOfAnOlderClientIsClosed(t *testing.T) {
	h := newHouse(t, nil)
	n := h.Of("/chat")
	connected, gone := gate(n)
	conn, br, _, err := ws.Dial(limit(t), strings.Replace(h.url, "http", "ws", 1)+"/?EIO=3&transport=websocket")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, conn: conn, rd: conn}
	if br != nil {
		p.rd = br
	}
	t.Cleanup(func() { conn.Close() })
	p.read()
	p.want("40")
	for range 2 { // its ids come again
		p.send("40/chat,")
		p.want("40/chat,")
		s := receive(t, connected, "the socket")
		p.send("41/chat,")
		receive(t, gone, "the disconnection")
		p.send("40/chat,")
		p.want("40/chat,")
		again := receive(t, connected, "the socket")
		if err := s.Emit("old"); !errors.Is(err, socketio.ErrClosed) || s.ID() != again.ID() {
			t.Errorf("Emit to %s, which left: %v", s.ID(), err)
		}
		again.Emit("new")
		p.want(`42/chat,["new"]`)
		p.send("41/chat,")
		receive(t, gone, "the disconnection")
	}
}
