package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

func (p *poller) probe() *socket {
	p.h.t.Helper()
	return p.h.dial(p.revision, "&sid="+p.sid)
}

func TestAConnectionGoesOnOverWebSocket(t *testing.T) {
	h := newHouse(t, options{})
	for _, revision := range []int{3, 4} {
		a := h.ask("GET", h.url(revision, "polling", ""), "")
		c := h.next("open").conn
		p := &poller{h: h, revision: revision, sid: sidOf(t, a.body)}
		got := p.background(context.Background())
		waitFor(t, "the poll is there", c.Polled)
		s := p.probe()
		s.send("2probe")
		s.want("3probe")
		noop := map[int]string{3: "1:6", 4: "6"}[revision]
		if a := h.wait(got); a.status != 200 || a.body != noop {
			t.Errorf("the poll that waited: got %d %q, want %q", a.status, a.body, noop)
		}
		c.Send(engine.NewMessage([]byte("held"))) // neither poll nor WebSocket is to get it before the upgrade
		p.wantGet(noop)
		s.send("5", "4hello")
		s.want("4held", "4hello")
		h.next("upgraded")
		if got := c.Transport(); got != "websocket" {
			t.Errorf("transport: got %s, want websocket", got)
		}
		if a := p.get(); a.status != 400 {
			t.Errorf("a poll behind the upgrade: got %d %q, want 400", a.status, a.body)
		}
		p.wantPost("4a", 400)
		s.send("4on")
		s.want("4on")
		s.Close()
		h.wantClosed(engine.TransportClose)
	}
	if got := h.engine.Stats(); got.Upgraded != 2 || got.Polling != 0 || got.WebSocket != 0 {
		t.Errorf("stats: got %+v, want two upgraded and none open", got)
	}
}

func TestAPollThatWasSentBehindAnUpgradeIsRefused(t *testing.T) {
	h := newHouse(t, options{})
	for range 20 {
		p := h.poll(4, "")
		s := p.probe()
		s.send("2probe", "5") // the suite does not wait either
		if a := p.get(); a.status != 400 {
			t.Fatalf("poll: got %d %q, want 400", a.status, a.body)
		}
		s.want("3probe")
		h.next("upgraded")
		s.Close()
		h.wantClosed(engine.TransportClose)
	}
}

func TestASecondWebSocketIsAcceptedAndClosed(t *testing.T) {
	h := newHouse(t, options{})
	p := h.poll(4, "")
	s := p.probe()
	p.probe().wantClose(0) // while the first is being probed
	s.send("2probe", "5")
	s.want("3probe")
	h.next("upgraded")
	p.probe().wantClose(0)
	s.send("4hello")
	s.want("4hello")
}

func TestAWebSocketThatDoesNotProbeIsClosedAndPollingGoesOn(t *testing.T) {
	t.Parallel() // most of the time two of them do nothing
	h := newHouse(t, options{Options: engine.Options{UpgradeTimeout: time.Second, PingTimeout: time.Second}})
	p := h.poll(4, "")
	for _, c := range [][]string{
		{"4hello"}, {"5"}, {"2"}, {"2probe", "2probe"}, {"2probe", "4hello"}, {""}, {}, {"2probe"}} {
		s := p.probe()
		s.send(c...)
		if len(c) > 0 && c[0] == "2probe" {
			s.want("3probe")
		}
		s.wantEnd() // of the last two by time
		p.wantPost("4still", 200)
		p.wantGet("4still")
	}
	s := p.probe() // and a good one is taken afterwards
	s.send("2probe", "5", "4up")
	s.want("3probe", "4up")
	h.next("upgraded")
}

func TestAConnectionThatClosesTakesTheProbingWebSocketWithIt(t *testing.T) {
	h := newHouse(t, options{})
	p := h.poll(4, "")
	s := p.probe()
	s.send("2probe")
	s.want("3probe")
	p.wantPost("1", 200)
	h.wantClosed(engine.TransportClose)
	s.wantEnd()
}

// A client that polls, then upgrades, gets each of what is sent all the while once, and in order.
func TestNothingIsLostTwiceOrOutOfOrderInAnUpgrade(t *testing.T) {
	h := newHouse(t, options{})
	rounds := 30
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		revision := 3 + round%2
		a := h.ask("GET", h.url(revision, "polling", ""), "")
		c := h.next("open").conn
		p := &poller{h: h, revision: revision, sid: sidOf(t, a.body)}
		const total = 300
		var wg sync.WaitGroup
		wg.Go(func() {
			var b engine.Batch
			for i := range total {
				m := engine.NewMessage(fmt.Appendf(nil, "%d", i))
				switch b.Add(m); {
				case i%7 == 3:
					continue // goes with the next
				default:
					c.SendBatch(&b)
					b.Reset()
				}
				if i%50 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			c.SendBatch(&b)
		})
		next := 0
		take := func(text string) {
			if want := fmt.Sprintf("4%d", next); text != want {
				t.Fatalf("round %d: got %.100q, want %q", round, text, want)
			}
			next++
		}
		poll := func() (noop bool) {
			a := p.get()
			if a.status != 200 {
				t.Fatalf("poll: got %d %q, want 200", a.status, a.body)
			}
			for _, text := range packetsOf(a.body, revision) {
				if text == "6" {
					return true
				}
				take(text)
			}
			return false
		}
		for range 1 + round%4 {
			if next < total { // else nothing comes before the ping
				poll()
			}
		}
		s := p.probe()
		s.send("2probe")
		s.want("3probe")
		for next < total && !poll() {
		}
		s.send("5")
		for next < total {
			_, text := s.read()
			take(text)
		}
		h.next("upgraded")
		wg.Wait()
		s.Close()
		h.wantClosed(engine.TransportClose)
	}
}

// packetsOf takes a payload of ASCII text apart.
func packetsOf(body string, revision int) (list []string) {
	if revision == 4 {
		return strings.Split(body, "\x1e")
	}
	for body != "" {
		var n int
		fmt.Sscanf(body, "%d:", &n)
		at := strings.IndexByte(body, ':') + 1
		list = append(list, body[at:at+n])
		body = body[at+n:]
	}
	return list
}

func TestWhatWasSentBeforeCloseIsDeliveredAcrossAnUpgrade(t *testing.T) {
	for _, revision := range []int{3, 4} {
		h := newHouse(t, options{})
		a := h.ask("GET", h.url(revision, "polling", ""), "")
		c := h.next("open").conn
		p := &poller{h: h, revision: revision, sid: sidOf(t, a.body)}
		s := p.probe()
		s.send("2probe")
		s.want("3probe")
		for i := range 3 {
			c.Send(engine.NewMessage([]byte{'a' + byte(i)}))
		}
		c.Close(engine.ForcedClose)
		h.wantClosed(engine.ForcedClose)
		s.send("5") // it polls no more
		s.want("4a", "4b", "4c")
		s.wantClose(1000)
		p.wantGone()

		a = h.ask("GET", h.url(revision, "polling", ""), "") // one that gives its upgrade up
		c = h.next("open").conn
		p = &poller{h: h, revision: revision, sid: sidOf(t, a.body)}
		s = p.probe()
		s.send("2probe")
		s.want("3probe")
		c.Send(engine.NewMessage([]byte("a")))
		c.Close(engine.ForcedClose)
		h.wantClosed(engine.ForcedClose)
		s.Close()
		p.wantGet(map[int]string{3: "2:4a", 4: "4a"}[revision])
		p.wantGet(map[int]string{3: "1:1", 4: "1"}[revision])
		p.wantGone()
		waitFor(t, "nobody is left", func() bool { return h.engine.Len() == 0 })
	}
}

func TestAServerThatClosesDoesNotWaitForAnUpgrade(t *testing.T) {
	h := newHouse(t, options{})
	a := h.ask("GET", h.url(4, "polling", ""), "")
	c := h.next("open").conn
	p := &poller{h: h, revision: 4, sid: sidOf(t, a.body)}
	s := p.probe()
	s.send("2probe")
	s.want("3probe")
	c.Send(engine.NewMessage([]byte("a")))
	c.Close(engine.ForcedClose)
	h.wantClosed(engine.ForcedClose)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.engine.Close(ctx); err != nil {
		t.Errorf("with an upgrade that its client never finishes: %v", err)
	}
}

func TestWhatWasSentBeforeCloseIsDeliveredOverAWebSocketThatHasJustBegun(t *testing.T) {
	h := newHouse(t, options{})
	for range 100 {
		s := h.dial(4, "")
		c := h.next("open").conn // the open packet goes out a moment later
		c.Send(engine.NewMessage([]byte("a")))
		c.Close(engine.ForcedClose)
		h.wantClosed(engine.ForcedClose)
		if op, text := s.read(); op != 1 || !strings.HasPrefix(text, `0{"sid"`) {
			t.Fatalf("got %q; want the open packet", text)
		}
		s.want("4a")
		s.wantClose(1000)
	}
}
