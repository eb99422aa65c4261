package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

// offer is what an open packet says.
type offer struct {
	Sid                                   string
	Upgrades                              []string
	PingInterval, PingTimeout, MaxPayload int
}

func TestAHandshakeTellsWhatTheServerOffers(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{
		PingInterval: 7 * time.Second, PingTimeout: 1500 * time.Millisecond, MaxPayload: 5000}})
	check := func(name, open, id string, upgrades ...string) {
		t.Helper()
		var got offer
		if err := json.Unmarshal([]byte(open[1:]), &got); err != nil {
			t.Fatalf("%s: open packet %q: %v", name, open, err)
		}
		want := offer{id, upgrades, 7000, 1500, 5000}
		if len(id) != 20 || fmt.Sprint(got) != fmt.Sprint(want) || got.Upgrades == nil {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	for _, revision := range []int{3, 4} {
		a := h.ask("GET", h.url(revision, "polling", ""), "")
		body := a.body
		if revision == 3 {
			var n int
			fmt.Sscanf(body, "%d:", &n)
			if body = body[len(body)-n:]; body[0] != '0' {
				t.Errorf("payload: got %q, want one packet with its length", a.body)
			}
		}
		c := h.next("open").conn
		check("polling", body, c.ID(), "websocket")
		if got := a.header.Get("Content-Type"); got != "text/plain; charset=UTF-8" {
			t.Errorf("Content-Type: got %q, want text", got)
		}
		if c.Revision() != revision || c.Transport() != "polling" || c.Remote() == "" {
			t.Errorf("got revision %d over %s from %q, want %d over polling",
				c.Revision(), c.Transport(), c.Remote(), revision)
		}
		s := h.dial(revision, "")
		_, open := s.read()
		c = h.next("open").conn
		check("websocket", open, c.ID())
		if c.Revision() != revision || c.Transport() != "websocket" || c.Remote() != s.LocalAddr().String() {
			t.Errorf("got revision %d over %s from %q, want %d over websocket",
				c.Revision(), c.Transport(), c.Remote(), revision)
		}
	}
	if got := h.engine.Len(); got != 4 {
		t.Errorf("connections: got %d, want 4", got)
	}
	stats := h.engine.Stats()
	if stats.Connections != 4 || stats.Polling != 2 || stats.WebSocket != 2 || stats.Opened != 4 {
		t.Errorf("stats: got %+v, want 2 polling and 2 over WebSocket", stats)
	}
}

func TestARequestThatMakesNoSenseIsRefusedWithItsCode(t *testing.T) {
	h := newHouse(t, options{})
	polls, other := h.poll(4, ""), h.open(4)
	_ = other
	var webSocket string
	for _, c := range h.ids() {
		if c != polls.sid {
			webSocket = c
		}
	}
	for _, c := range []struct {
		name, method, query string
		header              []string
		status, code        int
	}{
		{"no transport", "GET", "EIO=4", nil, 400, 0},
		{"unknown transport", "GET", "EIO=4&transport=abc", nil, 400, 0},
		{"no revision", "GET", "transport=polling", nil, 400, 5},
		{"unknown revision", "GET", "EIO=abc&transport=polling", nil, 400, 5},
		{"revision 2", "GET", "EIO=2&transport=polling", nil, 400, 5},
		{"POST", "POST", "EIO=4&transport=polling", nil, 400, 2},
		{"PUT", "PUT", "EIO=4&transport=polling", nil, 400, 2},
		{"HEAD", "HEAD", "EIO=4&transport=polling", nil, 400, 2},
		{"WebSocket without an upgrade", "GET", "EIO=4&transport=websocket", nil, 400, 3},
		{"JSONP", "GET", "EIO=3&transport=polling&j=0", nil, 400, 3},
		{"unknown session", "GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", nil, 400, 1},
		{"no session", "GET", "EIO=4&transport=polling&sid=a", nil, 400, 1},
		{"odd session", "GET", "EIO=4&transport=polling&sid=****************%2f**", nil, 400, 1},
		{"another revision", "GET", "EIO=3&transport=polling&sid=" + polls.sid, nil, 400, 3},
		{"DELETE", "DELETE", "EIO=4&transport=polling&sid=" + polls.sid, nil, 400, 2},
		{"HEAD of a session", "HEAD", "EIO=4&transport=polling&sid=" + polls.sid, nil, 400, 2},
		{"WebSocket of a session without an upgrade", "GET", "EIO=4&transport=websocket&sid=" + polls.sid, nil, 400, 3},
		{"polling of a WebSocket", "GET", "EIO=4&transport=polling&sid=" + webSocket, nil, 400, 3},
		{"POST to a WebSocket", "POST", "EIO=4&transport=polling&sid=" + webSocket, nil, 400, 3},
		{"foreign page", "GET", "EIO=4&transport=polling", []string{"Origin", "https://other.example"}, 403, 4},
	} {
		a := h.ask(c.method, h.web.URL+"/engine.io/?"+c.query, "", c.header...)
		var got struct {
			Code    *int
			Message string
		}
		json.Unmarshal([]byte(a.body), &got)
		if c.method == "HEAD" {
			if a.status != c.status || a.header.Get("Content-Length") == "" {
				t.Errorf("%s: got %d, want %d with a length", c.name, a.status, c.status)
			}
			continue
		}
		if a.status != c.status || got.Code == nil || *got.Code != c.code || got.Message == "" {
			t.Errorf("%s: got %d %s, want %d with code %d", c.name, a.status, a.body, c.status, c.code)
		}
	}
	polls.wantPost("4still here", 200)
	polls.wantGet("4still here")
}

// ids are those of connections that were opened so far.
func (h *house) ids() (list []string) {
	h.events.calls.Range(func(k, _ any) bool {
		list = append(list, k.(*engine.Conn).ID())
		return true
	})
	return list
}

func TestTransportsAndRevisionsCanBeRefused(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{NoPolling: true, NoEIO3: true}})
	if a := h.ask("GET", h.url(4, "polling", ""), ""); a.status != 400 {
		t.Errorf("polling: got %d %s, want 400", a.status, a.body)
	}
	if _, err := h.tryDial(3, ""); err == nil {
		t.Error("revision 3: got a connection, want none")
	}
	h.open(4)

	h = newHouse(t, options{Options: engine.Options{NoWebSocket: true}})
	a := h.ask("GET", h.url(4, "polling", ""), "")
	var got offer
	if json.Unmarshal([]byte(a.body[1:]), &got); got.Upgrades == nil || len(got.Upgrades) != 0 {
		t.Errorf("upgrades: got %s, want an empty list", a.body)
	}
	if _, err := h.tryDial(4, ""); err == nil {
		t.Error("WebSocket: got a connection, want none")
	}
}

func TestAHandlerCanRefuseAConnection(t *testing.T) {
	refusal := error(&engine.Refusal{Status: 401, Message: "who are you?"})
	h := newHouse(t, options{open: func(*engine.Conn, *http.Request) error { return refusal }})
	a := h.ask("GET", h.url(4, "polling", ""), "")
	if a.status != 401 || a.body != `{"code":4,"message":"who are you?"}` {
		t.Errorf("polling: got %d %s, want 401 with the handler's words", a.status, a.body)
	}
	refusal = errors.New("a secret")
	a = h.ask("GET", h.url(4, "polling", ""), "")
	if a.status != 403 || a.body != `{"code":4,"message":"Forbidden"}` {
		t.Errorf("polling: got %d %s, want 403 without the error", a.status, a.body)
	}
	if _, err := h.tryDial(4, ""); err == nil {
		t.Error("WebSocket: got a connection, want none")
	}
	if got := h.engine.Stats(); got.Opened != 0 || got.Connections != 0 || got.Refused["handler"] != 3 {
		t.Errorf("stats: got %+v, want three refused and none opened", got)
	}
	select {
	case e := <-h.events.seen:
		t.Errorf("got %q, want no event of a connection that was refused", e.what)
	default:
	}
}

func TestWhatIsSentInOpenComesBehindTheOpenPacket(t *testing.T) {
	h := newHouse(t, options{open: func(c *engine.Conn, _ *http.Request) error {
		c.User = "mine"
		return c.Send(engine.NewMessage([]byte("welcome")))
	}})
	h.open(4).want("4welcome")
	p := h.poll(4, "")
	p.wantGet("4welcome")
}

func TestAConnectionMayBeClosedInOpen(t *testing.T) {
	h := newHouse(t, options{open: func(c *engine.Conn, _ *http.Request) error {
		c.Close(engine.ForcedClose)
		return nil
	}})
	if a := h.ask("GET", h.url(4, "polling", ""), ""); a.status != 400 {
		t.Errorf("polling: got %d %s, want 400", a.status, a.body)
	}
	h.next("open")
	h.wantClosed(engine.ForcedClose)
	if s, err := h.tryDial(4, ""); err == nil {
		if op, p, err := s.tryRead(); err == nil {
			t.Errorf("WebSocket: got op %d %q, want an end", op, p)
		}
	}
	h.next("open")
	h.wantClosed(engine.ForcedClose)
}

func TestNoneOfTenThousandHandshakesIsLost(t *testing.T) {
	total := 10_000
	if testing.Short() {
		total = 1_000
	}
	h := newHouse(t, options{Options: engine.Options{MaxConnections: -1, MaxPerAddress: -1, HandshakeRate: -1}})
	var wg sync.WaitGroup
	errs := make(chan error, total)
	room := make(chan struct{}, 500)
	for i := range total {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			s, err := h.tryDial(3+i%2, "")
			if err != nil {
				errs <- err
				return
			}
			defer s.Close()
			if _, p, err := s.tryRead(); err != nil || p[0] != '0' {
				errs <- fmt.Errorf("open packet: got %q, %v", p, err)
				return
			}
			s.Write(frame(1, []byte("4hello")))
			if _, p, err := s.tryRead(); err != nil || string(p) != "4hello" {
				errs <- fmt.Errorf("echo: got %q, %v", p, err)
			}
		})
	}
	wg.Wait()
	close(errs)
	n := 0
	for err := range errs {
		if n++; n < 5 {
			t.Error(err)
		}
	}
	if n > 0 {
		t.Errorf("lost: got %d of %d, want none", n, total)
	}
}

func TestIDsAreUnlike(t *testing.T) {
	h := newHouse(t, options{})
	for range 20 {
		h.poll(4, "")
	}
	ids := h.ids()
	slices.Sort(ids)
	if got := len(slices.Compact(ids)); got != 20 {
		t.Errorf("got %d ids, want 20", got)
	}
}

func TestAHandlerThatPanicsInOpenLeavesNothingBehind(t *testing.T) {
	h := newHouse(t, options{
		Options: engine.Options{MaxConnections: 1},
		open: func(_ *engine.Conn, r *http.Request) error {
			if r.URL.Query().Has("panic") {
				panic(http.ErrAbortHandler) // which net/http does not log
			}
			return nil
		}})
	ctx := context.Background()
	if a, err := h.do(ctx, "GET", h.url(4, "polling", "&panic=1"), ""); err == nil {
		t.Errorf("handshake: got %d %s, want no answer", a.status, a.body)
	}
	waitFor(t, "its place is free", func() bool {
		a, err := h.do(ctx, "GET", h.url(4, "polling", ""), "")
		return err == nil && a.status == 200
	})
}
