package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/socketio"
)

func recovering(window time.Duration) func(*socketio.Options) {
	return func(o *socketio.Options) { o.Recovery.Window = window }
}

// event reads an event and the offset that recovery puts behind its arguments.
func (p *peer) event(name string) (arg any, offset string) {
	p.t.Helper()
	text := p.read()
	var list []any
	if !strings.HasPrefix(text, "42[") || json.Unmarshal([]byte(text[2:]), &list) != nil || len(list) != 3 || list[0] != name {
		p.t.Fatalf("got %q; want the event %q, an argument and an offset", text, name)
	}
	return list[1], list[2].(string)
}

// back connects anew as who lost a connection does, and reads what was missed: the arguments of the events named "e".
func (h *house) back(old *peer, offset string) (p *peer, missed []any, last string, recovered bool) {
	h.t.Helper()
	p = h.dial("")
	auth := map[string]any{"pid": old.pid}
	if last = offset; offset != "" {
		auth["offset"] = offset
	}
	b, _ := json.Marshal(auth)
	p.send("40" + string(b))
	for {
		text := p.read()
		if rest, is := strings.CutPrefix(text, "40"); is {
			p.keep(rest)
			return p, missed, last, p.sid == old.sid && p.pid == old.pid
		}
		var list []any
		if err := json.Unmarshal([]byte(text[2:]), &list); err != nil || len(list) != 3 {
			h.t.Fatalf("missed: %q, %v", text, err)
		}
		missed, last = append(missed, list[1]), list[2].(string)
	}
}

func same(t *testing.T, got []any, want ...int) {
	t.Helper()
	list := make([]any, len(want))
	for i, n := range want {
		list[i] = float64(n)
	}
	if fmt.Sprint(got) != fmt.Sprint(list) {
		t.Errorf("got %v; want %v", got, list)
	}
}

// gate makes sockets known as they connect, and as they go.
func gate(n *socketio.Namespace) (connected, gone chan *socketio.Socket) {
	connected, gone = make(chan *socketio.Socket, 100), make(chan *socketio.Socket, 100)
	n.OnConnect(func(s *socketio.Socket) { connected <- s })
	n.OnDisconnect(func(s *socketio.Socket, _ socketio.Reason) { gone <- s })
	return connected, gone
}

func TestALostConnectionIsRecoveredWithAllThatItMissed(t *testing.T) {
	h := newHouse(t, recovering(time.Minute))
	n := h.Of("/")
	connected, gone := gate(n)
	p := h.connect("/", "")
	s := receive(t, connected, "the socket")
	s.Join("room")
	s.SetData("mine")
	n.Emit("e", 1)
	_, offset := p.event("e")
	p.conn.Close()
	receive(t, gone, "the disconnection")
	n.Emit("e", 2)
	n.To("room").Emit("e", 3)
	n.To("other").Emit("e", -1)
	n.Except("room").Emit("e", -2)
	n.Volatile().Emit("e", -3)
	s.Emit("e", 4)
	back, missed, _, recovered := h.back(p, offset)
	if !recovered {
		t.Fatal("not recovered")
	}
	same(t, missed, 2, 3, 4)
	again := receive(t, connected, "the socket")
	if !again.Recovered() || again.ID() != s.ID() || again.Data() != "mine" || !again.In("room") {
		t.Errorf("recovered %v as %s with %v in %v", again.Recovered(), again.ID(), again.Data(), again.Rooms())
	}
	n.To("room").Emit("e", 5)
	if v, _ := back.event("e"); v != 5.0 {
		t.Errorf("after it: got %v; want 5", v)
	}
}

func TestAConnectionIsRecoveredBeforeAnyEventHadCome(t *testing.T) {
	h := newHouse(t, recovering(time.Minute))
	n := h.Of("/")
	_, gone := gate(n)
	n.Emit("e", 0) // nobody is here yet
	p := h.connect("/", "")
	p.conn.Close()
	receive(t, gone, "the disconnection")
	n.Emit("e", 1)
	_, missed, _, recovered := h.back(p, "")
	if !recovered {
		t.Fatal("not recovered")
	}
	same(t, missed, 1)
}

func TestAConnectionIsRecoveredSeveralTimesInARow(t *testing.T) {
	h := newHouse(t, recovering(time.Minute))
	n := h.Of("/")
	_, gone := gate(n)
	left := make(chan string, 10)
	n.OnLeft(func(s *socketio.Socket) { left <- s.ID() })
	p := h.connect("/", "")
	offset := ""
	for i := range 5 {
		p.conn.Close()
		receive(t, gone, "the disconnection")
		if i%2 == 0 {
			n.Emit("e", i)
		}
		back, missed, last, recovered := h.back(p, offset)
		if !recovered {
			t.Fatalf("not recovered for the %d. time", i+1)
		}
		if i%2 == 0 {
			same(t, missed, i)
		} else {
			same(t, missed)
		}
		p, offset = back, last
	}
	p.send("41")
	if id := receive(t, left, "the news that it left"); id != p.sid {
		t.Errorf("%s left; want %s", id, p.sid)
	}
	receive(t, gone, "the disconnection")
	if _, _, _, recovered := h.back(p, offset); recovered {
		t.Error("recovered after it said goodbye")
	}
	if len(left) > 0 {
		t.Error("it left twice")
	}
}

func TestAVolatileStringAtTheEndDoesNotBreakRecovery(t *testing.T) {
	h := newHouse(t, recovering(time.Minute))
	n := h.Of("/")
	connected, gone := gate(n)
	p := h.connect("/", "")
	receive(t, connected, "the socket")
	n.Emit("e", 1)
	p.event("e")
	n.Volatile().Emit("v", "a string")
	v, offset := p.event("v")
	if v != "a string" {
		t.Errorf("got %v", v)
	}
	p.conn.Close()
	receive(t, gone, "the disconnection")
	n.Emit("e", 2)
	_, missed, _, recovered := h.back(p, offset)
	if !recovered {
		t.Fatal("not recovered")
	}
	same(t, missed, 2)
}

func TestAHalfOpenConnectionGivesWay(t *testing.T) {
	h := newHouse(t, recovering(time.Minute))
	n := h.Of("/")
	connected, gone := gate(n)
	left := make(chan string, 10)
	n.OnLeft(func(s *socketio.Socket) { left <- s.ID() })
	p := h.connect("/", "")
	old := receive(t, connected, "the socket")
	n.Emit("e", 1)
	_, offset := p.event("e")
	n.Emit("e", 2) // it lies in the old connection, and never arrives
	back, missed, _, recovered := h.back(p, offset)
	if !recovered {
		t.Fatal("not recovered")
	}
	same(t, missed, 2)
	if s := receive(t, gone, "the end of the old one"); s != old {
		t.Errorf("%v went; want the old one", s)
	}
	n.Emit("e", 3)
	if v, _ := back.event("e"); v != 3.0 {
		t.Errorf("got %v; want 3, once", v)
	}
	if n.Len() != 1 || len(left) > 0 {
		t.Errorf("%d sockets, %d have left; want 1, 0", n.Len(), len(left))
	}
}

func TestRecoveryIsAllOrNothing(t *testing.T) {
	h := newHouse(t, func(o *socketio.Options) {
		o.Recovery = socketio.Recovery{Window: time.Minute, Messages: 10}
	})
	n := h.Of("/")
	_, gone := gate(n)
	left := make(chan string, 10)
	n.OnLeft(func(s *socketio.Socket) { left <- s.ID() })
	for _, c := range []struct {
		what   string
		events int
		change func(p *peer, offset string) string
	}{
		{"more events than are kept", 11, nil},
		{"an offset that is none", 1, func(*peer, string) string { return "nonsense" }},
		{"an offset of another log", 1, func(_ *peer, o string) string { return "x" + o }},
		{"an offset that is yet to come", 1, func(_ *peer, o string) string { return o + "zzz" }},
		{"a wrong secret", 1, func(p *peer, o string) string { p.pid = p.pid[:len(p.pid)-4] + "AAAA"; return o }},
	} {
		p := h.connect("/", "")
		n.Emit("e", 0)
		_, offset := p.event("e")
		p.conn.Close()
		receive(t, gone, "the disconnection")
		for i := range c.events {
			n.Emit("e", i+1)
		}
		if c.change != nil {
			offset = c.change(p, offset)
		}
		back, missed, _, recovered := h.back(p, offset)
		if recovered || len(missed) > 0 || back.sid == p.sid {
			t.Errorf("%s: recovered %v with %v", c.what, recovered, missed)
		}
		if c.what != "a wrong secret" {
			if id := receive(t, left, "the news that it left"); id != p.sid {
				t.Errorf("%s: %s left; want %s", c.what, id, p.sid)
			}
		}
		back.send("41")
		receive(t, gone, "the disconnection")
		receive(t, left, "the news that it left")
	}
}

func TestPastTheWindowASocketIsNew(t *testing.T) {
	h := newHouse(t, recovering(time.Millisecond))
	n := h.Of("/")
	_, gone := gate(n)
	left := make(chan string, 10)
	n.OnLeft(func(s *socketio.Socket) { left <- s.ID() })
	p := h.connect("/", "")
	p.conn.Close()
	receive(t, gone, "the disconnection")
	for began := time.Now(); time.Since(began) < 2*time.Millisecond; { // the window, long before anybody sweeps
	}
	if _, _, _, recovered := h.back(p, ""); recovered {
		t.Error("recovered")
	}
	if id := receive(t, left, "the news that it left"); id != p.sid {
		t.Errorf("%s left; want %s", id, p.sid)
	}
}

func TestARoomJoinedLaterGivesNothingFromBefore(t *testing.T) {
	h := newHouse(t, recovering(time.Minute))
	n := h.Of("/")
	connected, gone := gate(n)
	p := h.connect("/", "")
	s := receive(t, connected, "the socket")
	n.To("room").Emit("e", 1)
	s.Join("room")
	n.To("room").Emit("e", 2)
	p.event("e")
	p.conn.Close()
	receive(t, gone, "the disconnection")
	_, missed, _, recovered := h.back(p, "") // as if nothing had come
	if !recovered {
		t.Fatal("not recovered")
	}
	same(t, missed, 2)
}

func TestManyLostAtOnceMissNothingWhileEventsGoOn(t *testing.T) {
	h := newHouse(t, recovering(time.Minute))
	n := h.Of("/")
	const clients, events = 50, 2000
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var crowd sync.WaitGroup
	ready := make(chan struct{}, clients)
	var peers []*peer
	for range clients {
		peers = append(peers, h.connect("/", ""))
	}
	for i, p := range peers {
		crowd.Go(func() {
			next, offset := 0, ""
			take := func(list []any) bool {
				for _, v := range list {
					if v != float64(next) {
						t.Errorf("client %d got %v; want %d", i, v, next)
						return false
					}
					next++
				}
				return true
			}
			for next < events && ctx.Err() == nil {
				if next%(97+i) == 96 {
					p.conn.Close() // with what was under way
					var missed []any
					var recovered bool
					p, missed, _, recovered = h.back(p, offset)
					if !recovered {
						t.Errorf("client %d was not recovered", i)
						return
					}
					if !take(missed) {
						return
					}
					if next == events {
						break
					}
				}
				text, err := p.next()
				if err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				var list []any
				if err := json.Unmarshal([]byte(text[2:]), &list); err != nil {
					t.Errorf("client %d got %q", i, text)
					return
				}
				offset = list[2].(string)
				if !take(list[1:2]) {
					return
				}
			}
			ready <- struct{}{}
		})
	}
	for i := range events {
		n.Emit("e", i)
	}
	crowd.Wait()
	if len(ready) != clients {
		t.Errorf("%d of %d clients got everything", len(ready), clients)
	}
}

func TestWhoSaidThatItGoesIsNotRecoveredThoughItsConnectionEndedFirst(t *testing.T) {
	h := newHouse(t, recovering(time.Minute))
	n := h.Of("/")
	reasons := make(chan socketio.Reason, 1)
	release := make(chan struct{})
	n.OnDisconnect(func(_ *socketio.Socket, r socketio.Reason) { reasons <- r })
	socketio.On(n, "hold", func(context.Context, *socketio.Socket, int) error {
		<-release
		return nil
	})
	p := h.connect("/", "")
	p.send(event("hold", 0))
	p.send("41")
	p.conn.Close()
	for end := limit(t); len(n.Sockets()) > 0; {
		if end.Err() != nil {
			t.Fatal("the socket is still there")
		}
		runtime.Gosched()
	}
	close(release)
	if got := receive(t, reasons, "the reason"); got != socketio.ClientDisconnect {
		t.Errorf("reason: got %q; want %q", got, socketio.ClientDisconnect)
	}
	if _, _, _, recovered := h.back(p, ""); recovered {
		t.Error("recovered after it had said that it goes")
	}
}

func TestWhatCannotBeRecoveredIsAskedByMiddleware(t *testing.T) {
	h := newHouse(t, recovering(time.Minute))
	n := h.Of("/")
	_, gone := gate(n)
	var closed atomic.Bool
	n.Use(func(*socketio.Socket) error {
		if closed.Load() {
			return errors.New("no more")
		}
		return nil
	})
	recovered, not := h.connect("/", ""), h.connect("/", "")
	closed.Store(true)
	for _, p := range []*peer{recovered, not} {
		p.conn.Close()
		receive(t, gone, "the disconnection")
	}
	if _, _, _, is := h.back(recovered, ""); !is {
		t.Error("middleware stands in the way of a recovery")
	}
	p := h.dial("")
	p.send(fmt.Sprintf(`40{"pid":%q,"offset":"other-1"}`, not.pid))
	p.want(`44{"message":"no more"}`)
}
