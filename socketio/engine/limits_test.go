package engine_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

// from lets a test say where a request comes from.
func from(r *http.Request) string { return r.URL.Query().Get("from") }

func TestThereAreNoMoreConnectionsThanMayBe(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{MaxConnections: 2}})
	p, s := h.poll(4, ""), h.open(4)
	if a := h.ask("GET", h.url(4, "polling", ""), ""); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("a third: got %d %s, want 503", a.status, a.body)
	}
	if _, err := h.tryDial(4, ""); err == nil {
		t.Error("a third over WebSocket: got a connection, want none")
	}
	s.Close()
	h.wantClosed(engine.TransportClose)
	h.open(4)
	p.wantPost("1", 200)
	p.wantGet("6") // until then it has its place
	h.wantClosed(engine.TransportClose)
	h.open(4)
	if got := h.engine.Stats().Refused["connections"]; got != 2 {
		t.Errorf("refused: got %d, want 2", got)
	}
}

func TestAnAddressHasNoMoreConnectionsThanItMay(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{MaxPerAddress: 2, Address: from}})
	status := func(from string) int {
		a := h.ask("GET", h.url(4, "polling", "&from="+from), "")
		if a.status == 200 {
			h.next("open")
		}
		return a.status
	}
	for _, c := range []struct {
		from string
		want int
	}{
		{"10.0.0.1:1000", 200},
		{"10.0.0.1:1001", 200},
		{"10.0.0.1:1002", 429},
		{"10.0.0.1", 429},
		{"10.0.0.2", 200},
		{"[::ffff:10.0.0.2]:5", 200},
		{"10.0.0.2:80", 429},
		{"[2001:db8::1]:1", 200},
		{"[2001:db8::2]:1", 200},
		{"[2001:db8:0:0:ffff::2]:1", 429}, // of the same network
		{"[2001:db8:0:1::2]:1", 200},
		{"alice", 200},
		{"alice", 200},
		{"alice", 429},
		{"bob", 200},
	} {
		if got := status(c.from); got != c.want {
			t.Errorf("from %s: got %d, want %d", c.from, got, c.want)
		}
	}
}

func TestNewConnectionsOfAnAddressComeAtARate(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{
		HandshakeRate: 20, MaxConnections: -1, MaxPerAddress: -1, Address: from}})
	ask := func(from string) int { return h.ask("GET", h.url(4, "polling", "&from="+from), "").status }
	began, n := time.Now(), 0
	for ask("10.0.0.1") == 200 {
		n++
	}
	if most := 200 + int(20*time.Since(began).Seconds()) + 1; n < 200 || n > most {
		t.Errorf("at once: got %d, want between 200 and %d", n, most)
	}
	if got := ask("10.0.0.2"); got != 200 {
		t.Errorf("another address: got %d, want 200", got)
	}
	waitFor(t, "one more after a while", func() bool { return ask("10.0.0.1") == 200 })
}

func TestAddressesAreForgotten(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{
		HandshakeRate: 1000, Address: from, PingInterval: 10 * time.Millisecond, PingTimeout: 10 * time.Millisecond}})
	for i := range 50 {
		h.ask("GET", h.url(4, "polling", fmt.Sprintf("&from=10.0.0.%d", i)), "")
	}
	waitFor(t, "no address is remembered", func() bool { return h.engine.Places() == 0 })
}

func TestSecondWebSocketsComeAtTheRateOfNewConnections(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{HandshakeRate: 0.5}})
	p := h.poll(4, "")
	s := p.probe()
	s.send("2probe", "5")
	s.want("3probe")
	h.next("upgraded")
	for range 10 {
		if s, err := h.tryDial(4, "&sid="+p.sid); err != nil {
			return
		} else {
			s.Close()
		}
	}
	t.Error("second WebSockets: got 10, want fewer")
}

// A client that talks more than it may is read slower. Its pongs wait behind what it said, and it is not ended for
// that.
func TestAClientThatTalksTooMuchIsReadSlowerAndNotEnded(t *testing.T) {
	const rate, total = 200, 600
	got := make(chan time.Time, total)
	h := newHouse(t, options{
		Options: engine.Options{
			MessageRate: rate, PingInterval: 200 * time.Millisecond, PingTimeout: 400 * time.Millisecond},
		message: func(*engine.Conn, []byte, bool) error {
			got <- time.Now()
			return nil
		}})
	s := h.open(4)
	began := time.Now()
	var b []byte
	for range total {
		b = append(b, frame(1, []byte("4x"))...)
	}
	s.Write(append(b, frame(1, []byte("3"))...))
	var last time.Time
	for range total {
		select {
		case last = <-got:
		case e := <-h.events.seen:
			t.Fatalf("event: got %s %q, want %d messages", e.what, e.Reason, total)
		}
	}
	took := last.Sub(began)
	if least := time.Second * (total - 2*rate) / rate; took < least-50*time.Millisecond {
		t.Errorf("%d messages: got them within %v, want at least %v", total, took, least)
	}
	for range 3 { // it still lives
		s.want("2")
		s.send("3")
	}
	s.Close()
	h.next("closed")

	p := h.poll(4, "")
	polls := make(chan string, 100)
	go func() { // polls all the while, as a client does
		defer close(polls)
		for {
			a, err := h.do(context.Background(), "GET", p.url(), "")
			if err != nil || a.status != 200 {
				return
			}
			polls <- a.body
		}
	}()
	p.wantPost(strings.Repeat("4x\x1e", total-1)+"4x", 200) // takes as long
	for range 3 {
		if got := <-polls; got != "2" {
			t.Errorf("poll: got %q, want a ping", got)
		}
		p.wantPost("3", 200)
	}
	p.wantPost("1", 200)
	for range polls {
	}
}

func TestAHandlerThatIsHeldUpDoesNotEndItsClient(t *testing.T) {
	leave := make(chan bool)
	h := newHouse(t, options{
		Options: engine.Options{PingInterval: 50 * time.Millisecond, PingTimeout: 50 * time.Millisecond},
		message: func(*engine.Conn, []byte, bool) error {
			<-leave
			return nil
		}})
	s := h.open(4)
	s.send("4x")
	s.want("2")
	h.pass(3)
	if h.engine.Len() != 1 {
		t.Fatal("the connection was ended while its handler was at work")
	}
	close(leave)
	s.send("3")
	s.want("2")
}
