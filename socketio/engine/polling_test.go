package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

func TestPollingCarriesTextAndBinaryInBothRevisions(t *testing.T) {
	h := newHouse(t, options{})
	for _, c := range []struct {
		revision         int
		query            string
		post, header     string
		want, wantHeader string
	}{
		{4, "", "4hello", "text/plain", "4hello", "text/plain; charset=UTF-8"},
		{4, "", "4a\x1e4é😀\x1ebAQIDBA==", "text/plain", "4a\x1e4é😀\x1ebAQIDBA==", "text/plain; charset=UTF-8"},
		{3, "", "6:4hello3:4😀", "text/plain", "6:4hello3:4😀", "text/plain; charset=UTF-8"},
		{3, "&b64=1", "6:4hello10:b4AQIDBA==", "text/plain", "6:4hello10:b4AQIDBA==", "text/plain; charset=UTF-8"},
		{3, "", "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", "application/octet-stream",
			"\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", "application/octet-stream"},
	} {
		p := h.poll(c.revision, c.query)
		if a := p.post(c.post, "Content-Type", c.header); a.status != 200 || a.body != "ok" {
			t.Errorf("POST %q: got %d %q, want 200 ok", c.post, a.status, a.body)
		}
		a := p.get()
		if a.status != 200 || a.body != c.want || a.header.Get("Content-Type") != c.wantHeader ||
			a.header.Get("Content-Length") != fmt.Sprint(len(c.want)) || a.header.Get("Content-Encoding") != "" {
			t.Errorf("poll: got %d %q %v, want 200 %q as %s", a.status, a.body, a.header, c.want, c.wantHeader)
		}
	}
}

func TestAPollWaitsUntilThereIsSomethingToSay(t *testing.T) {
	h := newHouse(t, options{})
	a := h.ask("GET", h.url(4, "polling", ""), "")
	c := h.next("open").conn
	p := &poller{h: h, revision: 4, sid: sidOf(t, a.body)}
	got := p.background(context.Background())
	waitFor(t, "the poll is there", c.Polled)
	if !c.SendVolatile(engine.NewMessage([]byte("now"))) {
		t.Error("a volatile message with a poll: got dropped, want taken")
	}
	if a := h.wait(got); a.body != "4now" {
		t.Errorf("poll: got %q, want 4now", a.body)
	}
	if c.SendVolatile(engine.NewMessage([]byte("lost"))) {
		t.Error("a volatile message without a poll: got taken, want dropped")
	}
	c.Send(engine.NewMessage([]byte("kept")))
	if c.Waiting() == 0 {
		t.Error("waiting: got 0 bytes, want some")
	}
	p.wantGet("4kept")
	waitFor(t, "nothing waits behind the poll", func() bool { return c.Waiting() == 0 })
}

func TestABodyThatMakesNoSenseClosesTheConnection(t *testing.T) {
	h := newHouse(t, options{})
	for _, c := range []struct {
		revision int
		body     string
		header   string
		reason   engine.Reason
	}{
		{4, "abc", "", engine.ParseError},
		{4, "4a\x1e\xff", "", engine.ParseError},
		{4, "4a", "application/octet-stream", engine.ParseError},
		{4, "2", "", engine.TransportError}, // wrong direction
		{3, "1:3", "", engine.TransportError},
		{3, "abc", "", engine.ParseError},
		{3, "2:4", "", engine.ParseError},
	} {
		p := h.poll(c.revision, "")
		if a := p.post(c.body, "Content-Type", c.header); a.status != 400 {
			t.Errorf("revision %d, POST %q: got %d %q, want 400", c.revision, c.body, a.status, a.body)
		}
		p.wantGone()
		h.wantClosed(c.reason)
	}
}

func TestASecondPollClosesTheConnection(t *testing.T) {
	h := newHouse(t, options{})
	for revision, want := range map[int]string{3: "1:1", 4: "1"} {
		p := h.poll(revision, "")
		ctx := context.Background()
		one, two := p.background(ctx), p.background(ctx)
		first, second := h.wait(one), h.wait(two)
		if first.status != 200 { // which one came first is open
			first, second = second, first
		}
		if first.status != 200 || first.body != want || second.status != 400 {
			t.Errorf("polls: got %d %q and %d, want 200 %q and 400", first.status, first.body, second.status, want)
		}
		p.wantGone()
		h.wantClosed(engine.TransportError)
	}
}

func TestASecondPostClosesTheConnection(t *testing.T) {
	entered, leave := make(chan bool, 1), make(chan bool)
	h := newHouse(t, options{message: func(*engine.Conn, []byte, bool) error {
		entered <- true
		<-leave
		return nil
	}})
	p := h.poll(4, "")
	first := make(chan answer, 1)
	go func() {
		a, _ := h.do(context.Background(), "POST", p.url(), "4a\x1e4b")
		first <- a
	}()
	<-entered
	p.wantPost("4b", 400)
	close(leave)
	h.wait(first)
	h.wantClosed(engine.TransportError)
	p.wantGone()
}

func TestAnAbortedPollClosesTheConnection(t *testing.T) {
	h := newHouse(t, options{})
	a := h.ask("GET", h.url(4, "polling", ""), "")
	c := h.next("open").conn
	p := &poller{h: h, revision: 4, sid: sidOf(t, a.body)}
	ctx, abort := context.WithCancel(context.Background())
	got := p.background(ctx)
	waitFor(t, "the poll is there", c.Polled)
	abort()
	h.wait(got)
	h.wantClosed(engine.TransportError)
	p.wantGone()
}

// waitFor waits until it is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not seen: %s", what)
		}
	}
}

// pass lets time pass: n clients, one after the other, are silent until they are ended for it. So what is alive behind
// them was silent for n times as long as it may be, on a machine of any speed.
func (h *house) pass(n int) {
	h.t.Helper()
	for range n {
		s := h.open(4)
		h.wantClosed(engine.PingTimeout)
		s.Close()
	}
}

func TestAClientThatSaysThatItGoesGetsANoop(t *testing.T) {
	h := newHouse(t, options{})
	p := h.poll(4, "")
	p.wantPost("1", 200)
	h.wantClosed(engine.TransportClose)
	p.wantGet("6") // sent before, handled behind
	p.wantGone()

	a := h.ask("GET", h.url(3, "polling", ""), "")
	c := h.next("open").conn
	p = &poller{h: h, revision: 3, sid: sidOf(t, a.body)}
	got := p.background(context.Background())
	waitFor(t, "the poll is there", c.Polled)
	p.wantPost("1:1", 200)
	if a := h.wait(got); a.body != "1:6" {
		t.Errorf("poll: got %q, want 1:6", a.body)
	}
	h.wantClosed(engine.TransportClose)
	p.wantGone()
}

func TestWhatWasSentBeforeCloseIsDeliveredWithTheNextPoll(t *testing.T) {
	h := newHouse(t, options{message: func(c *engine.Conn, p []byte, _ bool) error {
		c.Send(engine.NewMessage(p))
		c.Close(engine.ForcedClose)
		if err := c.Send(engine.NewMessage([]byte("late"))); !errors.Is(err, engine.ErrClosed) {
			return fmt.Errorf("sending on a closed connection: got %v", err)
		}
		return nil
	}})
	p := h.poll(4, "")
	p.wantPost("4bye", 200)
	h.wantClosed(engine.ForcedClose)
	p.wantGet("4bye")
	p.wantPost("4pardon", 200) // of a client that has not heard the end
	p.wantGet("1")             // by itself: stock clients act on it before they hand over what came with it
	p.wantGone()
	if got := h.engine.Len(); got != 0 {
		t.Errorf("connections: got %d, want none", got)
	}
}

func TestAnErrorOfTheHandlerClosesTheConnectionBehindWhatItSent(t *testing.T) {
	wrong := errors.New("that is wrong")
	h := newHouse(t, options{message: func(c *engine.Conn, p []byte, _ bool) error {
		c.Send(engine.NewMessage([]byte("no")))
		return wrong
	}})
	p := h.poll(4, "")
	p.wantPost("4a\x1e4b", 400)
	if e := h.next("closed"); e.Reason != engine.ParseError || e.err != wrong {
		t.Errorf("end: got %q, %v, want %q and the handler's error", e.Reason, e.err, engine.ParseError)
	}
	p.wantGet("4no")
	p.wantGet("1")

	s := h.open(4)
	s.send("4a", "4b")
	s.want("4no")
	s.wantClose(1002)
	h.wantClosed(engine.ParseError)
}

func TestABodyOverTheLimitIsRefused(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{MaxPayload: 1000}})
	p := h.poll(4, "")
	p.wantPost("4"+strings.Repeat("x", 999), 200)
	a := p.post("4" + strings.Repeat("x", 1000))
	if a.status != 413 || a.body != "" {
		t.Errorf("POST: got %d %q, want 413 with an empty body", a.status, a.body)
	}
	// without a length
	c, err := net.Dial("tcp", h.web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "POST /engine.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n3e9\r\n4%s\r\n0\r\n\r\n", p.sid, strings.Repeat("y", 1000))
	status := make([]byte, 12)
	if c.Read(status); string(status) != "HTTP/1.1 413" {
		t.Errorf("POST without a length: got %q, want 413", status)
	}
	p.wantGet("4" + strings.Repeat("x", 999))
}

func TestAPollOutlivesTheTimeLimitsOfTheHTTPServer(t *testing.T) {
	t.Parallel() // most of the time it waits for the ping
	h := newHouse(t, options{
		Options: engine.Options{PingInterval: 1500 * time.Millisecond},
		web: func(s *http.Server) {
			s.ReadTimeout, s.WriteTimeout = 500*time.Millisecond, 500*time.Millisecond
			s.IdleTimeout = patience // or else it is that of reading, and a POST may meet the end of its connection
		}})
	p := h.poll(4, "")
	p.wantGet("2") // the ping, three limits later
	p.wantPost("3\x1e4a", 200)
	p.wantGet("4a")
}

func TestPollingHasItsHeartbeat(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{PingInterval: 100 * time.Millisecond, PingTimeout: patience}})
	p := h.poll(4, "")
	for range 3 {
		p.wantGet("2")
		p.wantPost("3", 200)
	}
	old := h.poll(3, "")
	for range 3 {
		old.wantPost("1:2", 200)
		old.wantGet("1:3")
	}
}

func TestAClientThatDoesNotAnswerIsEndedByPingTimeout(t *testing.T) {
	t.Parallel() // most of the time nobody answers
	h := newHouse(t, options{Options: engine.Options{
		PingInterval: 400 * time.Millisecond, PingTimeout: 200 * time.Millisecond}})
	p := h.poll(4, "") // and never polls
	h.wantClosed(engine.PingTimeout)
	p.wantGone()
	p = h.poll(4, "")
	p.wantGet("2") // and does not answer
	if a := p.get(); a.body != "1" && a.status != 400 {
		t.Errorf("poll: got %d %q, want the end", a.status, a.body)
	}
	h.wantClosed(engine.PingTimeout)
	h.poll(3, "")
	h.wantClosed(engine.PingTimeout)
	h.open(3)
	h.wantClosed(engine.PingTimeout)
	s := h.open(4)
	s.want("2")
	s.wantClose(1000)
	h.wantClosed(engine.PingTimeout)
}

func TestAClientThatOnlyTalksIsEndedSinceItDoesNotPoll(t *testing.T) {
	h := newHouse(t, options{
		Options: engine.Options{PingInterval: 200 * time.Millisecond, PingTimeout: 100 * time.Millisecond},
		message: func(*engine.Conn, []byte, bool) error { return nil }})
	p := h.poll(3, "")
	waitFor(t, "the end of one who only talks", func() bool { return p.post("1:2").status != 200 })
	h.wantClosed(engine.PingTimeout)
}

func TestAClientThatPollsTooLittleIsSlow(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{WriteLimit: 100 << 10}})
	a := h.ask("GET", h.url(4, "polling", ""), "")
	c := h.next("open").conn
	m := engine.NewMessage(make([]byte, 10<<10))
	for i := 0; c.Send(m) == nil; i++ {
		if got := c.Waiting(); got > 100<<10 {
			t.Fatalf("waiting: got %d bytes, want at most %d", got, 100<<10)
		}
	}
	h.wantClosed(engine.Slow)
	p := &poller{h: h, revision: 4, sid: sidOf(t, a.body)}
	p.wantGone()
}

func TestAnAnswerThatIsNotReadCountsAsWaiting(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{WriteLimit: 32 << 20}})
	a := h.ask("GET", h.url(4, "polling", ""), "")
	c := h.next("open").conn
	m := engine.NewMessage(make([]byte, 20<<20)) // more than sockets hold
	c.Send(m)
	s, err := net.Dial("tcp", h.web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(s, "GET /engine.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n\r\n", sidOf(t, a.body))
	s.SetReadDeadline(time.Now().Add(patience))
	s.Read(make([]byte, 100)) // the answer has begun
	if got := c.Waiting(); got < 20<<20 {
		t.Errorf("waiting: got %d bytes, want those that are being written", got)
	}
	for c.Send(m) == nil {
	}
	h.wantClosed(engine.Slow)
	s.Close()
}

func TestPollingGoesOverHTTP2(t *testing.T) {
	h := newHouse(t, options{tls: true, http2: true})
	a := h.ask("GET", h.url(4, "polling", ""), "")
	c := h.next("open").conn
	p := &poller{h: h, revision: 4, sid: sidOf(t, a.body)}
	p.wantPost("4hello\x1ebAQIDBA==", 200)
	p.wantGet("4hello\x1ebAQIDBA==")
	ctx, abort := context.WithCancel(context.Background())
	got := p.background(ctx)
	waitFor(t, "the poll is there", c.Polled)
	abort()
	h.wait(got)
	h.wantClosed(engine.TransportError)
}

func TestAHandlerThatTakesLongToOpenDoesNotEndItsClient(t *testing.T) {
	t.Parallel() // most of the time the handler sleeps
	h := newHouse(t, options{
		Options: engine.Options{PingInterval: 50 * time.Millisecond, PingTimeout: time.Second},
		open: func(*engine.Conn, *http.Request) error {
			time.Sleep(1300 * time.Millisecond)
			return nil
		}})
	s := h.open(4)
	s.want("2")
	s.send("3")
	s.want("2")
	s.Close()
	h.wantClosed(engine.TransportClose)
	p := h.poll(4, "")
	p.wantGet("2")
	p.wantPost("3", 200)
}

func TestAClientThatReadsALongAnswerSlowlyIsNotEnded(t *testing.T) {
	h := newHouse(t, options{Options: engine.Options{
		PingInterval: 200 * time.Millisecond, PingTimeout: 400 * time.Millisecond, WriteLimit: 32 << 20}})
	m := engine.NewMessage(make([]byte, 20<<20)) // more than sockets hold
	a := h.ask("GET", h.url(4, "polling", ""), "")
	c := h.next("open").conn
	p := &poller{h: h, revision: 4, sid: sidOf(t, a.body)}
	c.Send(m)
	s, err := net.Dial("tcp", h.web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fmt.Fprintf(s, "GET /engine.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n\r\n", p.sid)
	s.SetReadDeadline(time.Now().Add(patience))
	s.Read(make([]byte, 100))
	h.pass(2)
	if c.Closed() {
		t.Fatal("the connection was ended while its client read")
	}
	io.CopyN(io.Discard, s, 20<<20)
	p.wantPost("3", 200) // a ping may have been behind the message
	p.wantGet("2")
	p.wantPost("3", 200)
	p.wantGet("2")
}
