package fleet_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/fleet"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

func (h *house) link() *far {
	h.t.Helper()
	n := h.fleets.Link("devices").Connected()
	c := h.dialFrom("127.0.0.2")
	h.until("the web server is connected", func() bool { return h.fleets.Link("devices").Connected() > n })
	return c
}

func TestTheWebServerIsNoDeviceAndGetsEveryLine(t *testing.T) {
	h := newHouse(t)
	link := h.fleets.Link("devices")
	if err := link.Deliver(t.Context(), []byte("x\n")); !errors.Is(err, fleet.ErrNoLink) {
		t.Fatalf("with nobody there: %v", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- link.Wait(t.Context()) }()
	a, b := h.link(), h.link()
	must(t, <-waited)
	if n := h.fleets.Online("devices"); n != 0 {
		t.Errorf("%d are counted; want 0", n)
	}
	for i := range 100 {
		line := fmt.Sprintf(`{"n":%d}`+"\n", i)
		must(t, link.Deliver(t.Context(), []byte(line)))
		a.expect(line)
		b.expect(line)
	}
	a.Close()
	h.until("one is left", func() bool { return link.Connected() == 1 })
	must(t, link.Deliver(t.Context(), []byte("last\n")))
	b.expect("last\n")
	h.hub.EachLive(func(s *hub.Session) bool {
		if info := s.Info(); info.Listener != "devices-web" || info.Record != session.RecordOff {
			t.Errorf("the link is a session of %s, recorded %s", info.Listener, info.Record)
		}
		return true
	})
}

// A web server that takes nothing must be found out by what its system has not acknowledged: the lines fit into the buffers.
func TestALineIsDeliveredOnceTheFarEndHasIt(t *testing.T) {
	h := newHouse(t)
	c := h.link()
	lines := bytes.Repeat([]byte(strings.Repeat("x", 1023)+"\n"), 32<<10) // more than fits into the buffers between
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { done <- h.fleets.Link("devices").Deliver(ctx, lines) }()
	r := bufio.NewReader(c)
	if _, err := io.CopyN(io.Discard, r, int64(len(lines)/4)); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		t.Fatalf("delivered before it was read: %v", err)
	default:
	}
	if _, err := io.CopyN(io.Discard, r, int64(len(lines)-len(lines)/4)); err != nil {
		t.Fatal(err)
	}
	must(t, <-done)
}

func TestALinkThatBreaksHasNotGotWhatWasNotAcknowledged(t *testing.T) {
	h := newHouse(t)
	c := h.link()
	c.Conn.(*net.TCPConn).SetReadBuffer(4096)
	done := make(chan error, 1)
	go func() {
		done <- h.fleets.Link("devices").Deliver(t.Context(), bytes.Repeat([]byte(strings.Repeat("x", 1023)+"\n"), 16<<10))
	}()
	c.expect("xxxxxxxxxx")
	c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
	if err := <-done; !errors.Is(err, fleet.ErrNoLink) {
		t.Errorf("got %v; want %v", err, fleet.ErrNoLink)
	}
}

func TestLinesOfTheWebServerAreRequests(t *testing.T) {
	orders := &commander{peers: make(chan fleet.Peer, 10)}
	h := newHouse(t, func(_ *fleet.Config, o *fleet.Options) { o.Commander = orders })
	c := h.link()
	c.say("one\r\n\ntw").say("o\nlater\n")
	c.expect("answer to one\nanswer to two\nit is later\n")
	go io.WriteString(c, strings.Repeat("x", 3<<20)+"\nbehind\n")
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, `{"error":"a line of more than 1048576 bytes`) {
		t.Fatalf("got %q, %v; want an error", line, err)
	}
	if line, err := r.ReadString('\n'); line != "answer to behind\n" {
		t.Fatalf("got %q, %v; want the next line's answer", line, err)
	}
	if !orders.told("request devices one") {
		t.Errorf("told %q", orders.lines)
	}
}

func TestTheCommanderKnowsWhoIsThere(t *testing.T) {
	orders := &commander{peers: make(chan fleet.Peer, 10)}
	h := newHouse(t, func(_ *fleet.Config, o *fleet.Options) { o.Commander = orders })
	h.dial().say("nameless")
	c := h.dial().say("ETUNG:930\n")
	p := <-orders.peers
	if p.Fleet() != "devices" || p.Name() != "930" || p.Session() != h.online("930", 1).Session {
		t.Errorf("peer %s %s %s", p.Fleet(), p.Name(), p.Session())
	}
	must(t, p.Send([]byte("do it")))
	c.expect("do it")
	c.say("done")
	h.until("it is heard", func() bool { return orders.told("heard done") })
	c.Close()
	h.until("it is offline", func() bool { return orders.told("offline 930 hung up") })
	if err := p.Send([]byte("too late")); !errors.Is(err, command.ErrNotSent) {
		t.Errorf("sent behind the end: %v; want %v", err, command.ErrNotSent)
	}
	if orders.told("heard nameless") || orders.told("online unknown") {
		t.Error("it was told of a device without a name")
	}
}

func TestManyReplacementsTellTheCommanderOfEach(t *testing.T) {
	orders := &commander{peers: make(chan fleet.Peer, 1000)}
	h := newHouse(t, func(_ *fleet.Config, o *fleet.Options) { o.Commander = orders })
	began := time.Now()
	for range 50 {
		go h.dial().say("ETUNG:931\n")
	}
	h.until("all came", func() bool { return h.status("931").Connections == 50 })
	h.until("one is left, and each other was told of", func() bool {
		orders.mu.Lock()
		defer orders.mu.Unlock()
		on, off := 0, 0
		for _, line := range orders.lines {
			if strings.HasPrefix(line, "online 931") {
				on++
			} else if strings.HasPrefix(line, "offline 931") {
				off++
			}
		}
		return on == off+1 && h.fleets.Online("devices") == 1
	})
	t.Logf("50 takeovers in %s", time.Since(began))
}

// A delivery waited until nothing at all was on its way: of answers there may always be some. Behind 30 s it ended the connection
// of a web server that read all the time.
func TestALineIsDeliveredThoughAnswersNeverCease(t *testing.T) {
	h := newHouse(t)
	web := h.link()
	over := make(chan struct{})
	asking := make(chan struct{})
	go func() { // ends with the connection
		defer close(asking)
		questions := bytes.Repeat([]byte("x\n"), 4096)
		for {
			if _, err := web.Write(questions); err != nil {
				return
			}
		}
	}()
	seen := make(chan struct{})
	go func() {
		defer close(over)
		came := seen
		buf, got := make([]byte, 4<<10), []byte(nil)
		for {
			n, err := web.Read(buf)
			if err != nil {
				return
			}
			got = append(got, buf[:n]...)
			if came != nil && bytes.Contains(got, []byte("delivered")) {
				close(came)
				came = nil
			}
			got = append(got[:0], got[max(0, len(got)-16):]...)
			time.Sleep(100 * time.Microsecond) // a web server that has other things to do as well
		}
	}()
	h.until("answers wait for the web server", func() bool {
		waits := false
		h.hub.EachLive(func(s *hub.Session) bool {
			left, _, _, _ := transport.Unacknowledged(s.Under())
			waits = waits || left > 100_000
			return true
		})
		return waits
	})
	delivered := make(chan error, 1)
	go func() { delivered <- h.fleets.Link("devices").Deliver(t.Context(), []byte("delivered\n")) }()
	<-seen
	select {
	case err := <-delivered:
		must(t, err)
	case <-time.After(20 * time.Second):
		t.Error("the line came, and 20 s later its delivery still waits")
	}
	web.Close()
	<-over
	<-asking
}
