package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/socketio"
)

func TestEventsReachTheirHandlersInOrder(t *testing.T) {
	h := newHouse(t, nil)
	got := make(chan int, 1000)
	socketio.On(h.Of("/"), "n", func(_ context.Context, _ *socketio.Socket, n int) error {
		got <- n
		return nil
	})
	p := h.connect("/", "")
	for i := range 1000 {
		p.send(event("n", i))
	}
	for i := range 1000 {
		if n := receive(t, got, "an event"); n != i {
			t.Fatalf("event %d came as number %d", n, i)
		}
	}
}

func TestAcknowledgementsGoBothWays(t *testing.T) {
	h := newHouse(t, nil)
	socketio.OnCall(h.Of("/"), "add", func(ctx context.Context, s *socketio.Socket, list []int) (int, error) {
		if len(list) == 0 {
			return 0, errors.New("nothing to add")
		}
		more, err := socketio.Call[int](ctx, s, "more?") // within a handler: the client's answer is read meanwhile
		return list[0] + list[1] + more, err
	})
	p := h.connect("/", "")
	p.send(`427["add",[1,2]]`)
	p.want(`420["more?"]`)
	p.send(`430[40]`)
	p.want(`437[43]`)
	p.send(`428["add",[]]`)
	p.want(`438[{"error":"nothing to add"}]`)
	p.send(`429["add","x"]`)
	if got := p.read(); !strings.HasPrefix(got, `439[{"error":"argument 1: `) {
		t.Errorf("an argument of another type is answered by %s", got)
	}
	p.send(`43999[1]`) // nobody waits for it
	p.send(`4210["none"]`)
	p.send(`4211["add",[]]`)
	p.want(`4311[{"error":"nothing to add"}]`)
}

func TestAnEventIsAcknowledgedLaterWhileOthersAreHandled(t *testing.T) {
	h := newHouse(t, nil)
	replies := make(chan func([]any, error), 3)
	h.Of("/").Handle("slow", func(_ context.Context, s *socketio.Socket, _ socketio.Args) ([]any, error) {
		replies <- s.ReplyLater()
		return []any{"ignored"}, errors.New("ignored")
	})
	socketio.OnCall(h.Of("/"), "quick", func(context.Context, *socketio.Socket, int) (string, error) { return "done", nil })
	p := h.connect("/", "")
	p.send(`421["slow"]`)
	p.send(`422["slow"]`)
	p.send(`42["slow"]`)
	p.send(`423["quick",1]`)
	p.want(`433["done"]`)
	first, second, unasked := receive(t, replies, "the first"), receive(t, replies, "the second"), receive(t, replies, "the third")
	unasked([]any{"nobody"}, nil)
	second([]any{"b", 2}, nil)
	p.want(`432["b",2]`)
	first(nil, errors.New("no"))
	p.want(`431[{"error":"no"}]`)
}

func TestACallEndsWithItsContextAndWithItsSocket(t *testing.T) {
	h := newHouse(t, nil)
	sockets := make(chan *socketio.Socket, 1)
	h.Of("/").OnConnect(func(s *socketio.Socket) { sockets <- s })
	p := h.connect("/", "")
	s := receive(t, sockets, "the socket")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := socketio.Call[int](ctx, s, "e"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Call = %v; want the context's end", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := socketio.Call[int](context.Background(), s, "e")
		done <- err
	}()
	p.want(`420["e"]`)
	p.want(`421["e"]`)
	p.conn.Close()
	if err := receive(t, done, "the call's end"); !errors.Is(err, socketio.ErrClosed) {
		t.Errorf("Call = %v; want ErrClosed", err)
	}
	if err := s.Emit("e"); !errors.Is(err, socketio.ErrClosed) {
		t.Errorf("Emit = %v; want ErrClosed", err)
	}
}

func TestMiddlewareRefusesWithData(t *testing.T) {
	h := newHouse(t, nil)
	h.Of("/").Use(func(s *socketio.Socket) error {
		var auth struct{ Token string }
		json.Unmarshal(s.Auth(), &auth)
		switch auth.Token {
		case "good":
			return nil
		case "panic":
			panic("as it does")
		}
		return &socketio.ConnectError{Message: "who are you?", Data: map[string]int{"code": 7}}
	})
	p := h.dial("")
	p.send(`40{"token":"bad"}`)
	p.want(`44{"data":{"code":7},"message":"who are you?"}`)
	p.send(`40{"token":"panic"}`)
	p.want(`44{"message":"internal error"}`)
	p.send(`40/none,`)
	p.want(`44/none,{"message":"Invalid namespace"}`)
	p.join("/", `{"token":"good"}`)
}

func TestBroadcastsReachWhomTheyAreFor(t *testing.T) {
	h := newHouse(t, nil)
	n := h.Of("/")
	sockets := make(chan *socketio.Socket, 1)
	n.OnConnect(func(s *socketio.Socket) { sockets <- s })
	var peers []*peer
	var list []*socketio.Socket
	for range 4 {
		peers = append(peers, h.connect("/", ""))
		list = append(list, receive(t, sockets, "the socket"))
	}
	list[0].Join("a", "b")
	list[1].Join("b")
	list[2].Join("c")
	for i, c := range []struct {
		emit func() error
		want []int
	}{
		{func() error { return n.Emit("e", 0) }, []int{0, 1, 2, 3}},
		{func() error { return n.To("a", "b").Emit("e", 1) }, []int{0, 1}},
		{func() error { return n.To("b", "c").Except("a").Emit("e", 2) }, []int{1, 2}},
		{func() error { return n.Except("b").Emit("e", 3) }, []int{2, 3}},
		{func() error { return list[1].To("b").Emit("e", 4) }, []int{0}},
		{func() error { return list[2].Broadcast().Emit("e", 5) }, []int{0, 1, 3}},
		{func() error { return n.To(list[3].ID(), "c").Emit("e", 6) }, []int{2, 3}},
		{func() error { return list[0].Emit("e", 7) }, []int{0}},
		{func() error { return list[0].Broadcast().Except("c", list[1].ID()).Emit("e", 8) }, []int{3}},
		{func() error { return n.To("nobody").Emit("e", 9) }, nil},
	} {
		if err := c.emit(); err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		n.Emit("end", i)
		for k, p := range peers {
			if slices.Contains(c.want, k) {
				p.want(event("e", i))
			}
			p.want(event("end", i))
		}
	}
	if got := len(n.To("b").Sockets()); got != 2 {
		t.Errorf("room b has %d sockets; want 2", got)
	}
	list[0].Leave("b")
	n.To("b").Emit("e", "left")
	n.Emit("end")
	peers[0].want(event("end"))
	peers[1].want(event("e", "left"))
}

func TestWhatWasSentBeforeLeavingAndDisconnectingComes(t *testing.T) {
	h := newHouse(t, nil)
	n := h.Of("/")
	sockets := make(chan *socketio.Socket, 1)
	n.OnConnect(func(s *socketio.Socket) { sockets <- s })
	reasons := make(chan socketio.Reason, 1)
	n.OnDisconnect(func(_ *socketio.Socket, r socketio.Reason) { reasons <- r })
	p := h.connect("/", "")
	s := receive(t, sockets, "the socket")
	s.Join("room")
	n.To("room").Emit("bye")
	s.Leave("room")
	n.To("room").Emit("too late")
	n.Emit("all")
	s.Disconnect()
	n.Emit("nobody")
	p.want(event("bye"))
	p.want(event("all"))
	p.want("41")
	if r := receive(t, reasons, "the reason"); r != socketio.ServerDisconnect {
		t.Errorf("the reason is %q; want %q", r, socketio.ServerDisconnect)
	}
	p.join("/", "") // on the same connection
	p.send("41")
	if r := receive(t, reasons, "the reason"); r != socketio.ClientDisconnect {
		t.Errorf("the reason is %q; want %q", r, socketio.ClientDisconnect)
	}
}

func TestAttachmentsComeAndGo(t *testing.T) {
	h := newHouse(t, nil)
	socketio.OnCall(h.Of("/"), "twice", func(_ context.Context, s *socketio.Socket, p []byte) (map[string]socketio.Binary, error) {
		return map[string]socketio.Binary{"a": p, "b": append(p, p...)}, nil
	})
	p := h.connect("/", "")
	p.send(`451-5["twice",{"_placeholder":true,"num":0}]`)
	p.sendBinary([]byte{1, 2})
	p.want(`462-5[{"a":{"_placeholder":true,"num":0},"b":{"_placeholder":true,"num":1}}]`)
}

func TestDynamicNamespacesComeAndGo(t *testing.T) {
	h := newHouse(t, nil)
	dyn := h.OfFunc(func(name string) bool { return strings.HasPrefix(name, "/dyn-") })
	dyn.OnConnect(func(s *socketio.Socket) { s.Emit("in", s.Namespace().Name()) })
	p := h.dial("")
	p.join("/dyn-1", "")
	p.want(`42/dyn-1,["in","/dyn-1"]`)
	p.join("/dyn-2", "")
	p.want(`42/dyn-2,["in","/dyn-2"]`)
	p.send("40/other,")
	p.want(`44/other,{"message":"Invalid namespace"}`)
}

func TestAFloodOfNamespacesIsRefused(t *testing.T) {
	h := newHouse(t, func(o *socketio.Options) { o.MaxNamespaces = 3 })
	h.OfFunc(func(string) bool { return true })
	p := h.dial("")
	for i := range 3 {
		p.join(fmt.Sprintf("/n%d", i), "")
	}
	p.send("40/n3,")
	p.want(`44/n3,{"message":"too many namespaces"}`)
}

func TestAClientThatOwesSomethingForTooLongIsClosed(t *testing.T) {
	h := newHouse(t, func(o *socketio.Options) { o.ConnectTimeout = time.Second })
	reasons := make(chan socketio.Reason, 1)
	h.Of("/").OnDisconnect(func(_ *socketio.Socket, r socketio.Reason) { reasons <- r })
	silent := h.dial("") // it connects to nothing
	p := h.connect("/", "")
	p.send(`451-["e",{"_placeholder":true,"num":0}]`) // the attachment never comes
	silent.ends()
	p.ends()
	if r := receive(t, reasons, "the reason"); r != "parse error" {
		t.Errorf("the reason is %q; want a parse error", r)
	}
}

func TestMalformedPacketsCloseTheConnectionAndHarmNobody(t *testing.T) {
	h := newHouse(t, nil)
	other := h.connect("/", "")
	for _, bad := range []string{"4", "4abc", "4x", `42`, `42{}`, `42["connect"]`, `42/none,["e"]`, `40`, `450-["e"]`, `44{}`, "41{}"} {
		p := h.connect("/", "")
		p.send(bad)
		p.ends()
	}
	p := h.connect("/", "")
	p.sendBinary([]byte{1}) // of no packet
	p.ends()
	p = h.connect("/", "")
	p.send(`451-["e",{"_placeholder":true,"num":0}]`)
	p.send(event("text where an attachment is due"))
	p.ends()
	h.Emit("still", "here")
	other.want(event("still", "here"))
}

func TestManyMaySendMoreThanMayWait(t *testing.T) {
	h := newHouse(t, nil)
	n := h.Of("/")
	p := h.connect("/", "")
	body := strings.Repeat("x", 256<<10)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if err := n.To("nobody").Emit("e", body); err != nil { // who is there is looked up for each
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	n.Emit("end")
	p.want(event("end"))
}

func TestWhatIsSentAfterTheReplyComesBehindIt(t *testing.T) {
	h := newHouse(t, nil)
	h.Of("/").Handle("ask", func(_ context.Context, s *socketio.Socket, _ socketio.Args) ([]any, error) {
		s.AfterReply(func() { s.Emit("more") })
		return []any{"answer"}, nil
	})
	p := h.connect("/", "")
	for i := range 100 {
		p.send(fmt.Sprintf(`42%d["ask"]`, i))
		p.want(fmt.Sprintf(`43%d["answer"]`, i))
		p.want(`42["more"]`)
	}
	p.send(`42["ask"]`) // which asks for no answer
	p.want(`42["more"]`)
}
