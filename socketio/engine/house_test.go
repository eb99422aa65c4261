package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// house is a server with a handler that echoes and keeps a list of what happens.
type house struct {
	t      *testing.T
	engine *engine.Server
	web    *httptest.Server
	events *events
}

type options struct {
	engine.Options
	tls     bool
	http2   bool
	message func(c *engine.Conn, p []byte, binary bool) error // default is an echo
	open    func(c *engine.Conn, r *http.Request) error
	web     func(*http.Server)
}

func newHouse(t *testing.T, opt options) *house {
	t.Helper()
	h := &house{t: t, events: &events{message: opt.message, open: opt.open, seen: make(chan event, 1<<16)}}
	if opt.message == nil {
		h.events.message = echo
	}
	h.engine = engine.New(opt.Options, h.events)
	h.web = httptest.NewUnstartedServer(h.engine)
	if opt.web != nil {
		opt.web(h.web.Config)
	}
	h.web.EnableHTTP2 = opt.http2
	if opt.tls {
		h.web.StartTLS()
	} else {
		h.web.Start()
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.engine.Close(ctx); err != nil {
			t.Errorf("closing the server: got %v, want no error", err)
		}
		h.web.CloseClientConnections()
		h.web.Close()
	})
	return h
}

func echo(c *engine.Conn, p []byte, binary bool) error {
	if binary {
		c.Send(engine.NewBinary(p))
	} else {
		c.Send(engine.NewMessage(p))
	}
	return nil
}

// event is one call of the handler.
type event struct {
	what string // open, upgraded or closed
	conn *engine.Conn
	engine.Reason
	err error
}

type events struct {
	message func(c *engine.Conn, p []byte, binary bool) error
	open    func(c *engine.Conn, r *http.Request) error
	seen    chan event
	calls   sync.Map // of *engine.Conn to *call
}

// call finds calls that overlap, or come after Closed.
type call struct {
	mu     sync.Mutex
	inside bool
	closed bool
}

func (e *events) enter(c *engine.Conn, closes bool) func() {
	v, _ := e.calls.LoadOrStore(c, &call{})
	k := v.(*call)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.inside || k.closed {
		panic(fmt.Sprintf("a call of the handler: inside another: %v, after Closed: %v", k.inside, k.closed))
	}
	k.inside, k.closed = true, closes
	return func() {
		k.mu.Lock()
		k.inside = false
		k.mu.Unlock()
	}
}

func (e *events) Open(c *engine.Conn, r *http.Request) error {
	defer e.enter(c, false)()
	if e.open != nil {
		if err := e.open(c, r); err != nil {
			return err
		}
	}
	e.seen <- event{what: "open", conn: c}
	return nil
}

func (e *events) Message(c *engine.Conn, p []byte, binary bool) error {
	defer e.enter(c, false)()
	return e.message(c, p, binary)
}

func (e *events) Upgraded(c *engine.Conn) {
	defer e.enter(c, false)()
	e.seen <- event{what: "upgraded", conn: c}
}

func (e *events) Closed(c *engine.Conn, reason engine.Reason, err error) {
	defer e.enter(c, true)()
	e.seen <- event{"closed", c, reason, err}
}

// next is the next event, which must be the one that is wanted.
func (h *house) next(what string) event {
	h.t.Helper()
	select {
	case e := <-h.events.seen:
		if e.what != what {
			h.t.Fatalf("event: got %q (%q, %v), want %q", e.what, e.Reason, e.err, what)
		}
		return e
	case <-time.After(patience):
		h.t.Fatalf("event: got none, want %q", what)
	}
	return event{}
}

func (h *house) wantClosed(want engine.Reason) {
	h.t.Helper()
	if e := h.next("closed"); e.Reason != want {
		h.t.Errorf("reason: got %q (%v), want %q", e.Reason, e.err, want)
	}
}

// poller is a client that polls.
type poller struct {
	h        *house
	revision int
	query    string // more of it
	sid      string
}

// answer is one of HTTP.
type answer struct {
	status int
	body   string
	header http.Header
}

func (h *house) url(revision int, transport, more string) string {
	return fmt.Sprintf("%s/engine.io/?EIO=%d&transport=%s%s", h.web.URL, revision, transport, more)
}

func (h *house) do(ctx context.Context, method, url, body string, header ...string) (answer, error) {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := h.web.Client().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, string(b), res.Header}, err
}

func (h *house) ask(method, url, body string, header ...string) answer {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a, err := h.do(ctx, method, url, body, header...)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}

// poll opens a connection.
func (h *house) poll(revision int, query string) *poller {
	h.t.Helper()
	a := h.ask("GET", h.url(revision, "polling", query), "")
	if a.status != 200 {
		h.t.Fatalf("handshake: got %d %q, want 200", a.status, a.body)
	}
	p := &poller{h: h, revision: revision, query: query, sid: sidOf(h.t, a.body)}
	h.next("open")
	return p
}

func sidOf(t *testing.T, open string) string {
	t.Helper()
	var data struct{ Sid string }
	if err := json.Unmarshal([]byte(open[max(0, strings.IndexByte(open, '{')):]), &data); err != nil || data.Sid == "" {
		t.Fatalf("open packet: got %q, want one with a sid", open)
	}
	return data.Sid
}

func (p *poller) url() string { return p.h.url(p.revision, "polling", "&sid="+p.sid) }

func (p *poller) get() answer {
	p.h.t.Helper()
	return p.h.ask("GET", p.url(), "")
}

func (p *poller) post(body string, header ...string) answer {
	p.h.t.Helper()
	return p.h.ask("POST", p.url(), body, header...)
}

func (p *poller) wantGet(want string) {
	p.h.t.Helper()
	if a := p.get(); a.status != 200 || a.body != want {
		p.h.t.Fatalf("poll: got %d %q, want 200 %q", a.status, a.body, want)
	}
}

func (p *poller) wantPost(body string, status int) {
	p.h.t.Helper()
	if a := p.post(body); a.status != status || status == 200 && a.body != "ok" {
		p.h.t.Fatalf("POST %q: got %d %q, want %d", body, a.status, a.body, status)
	}
}

// wantGone checks that the connection is unknown.
func (p *poller) wantGone() {
	p.h.t.Helper()
	if a := p.get(); a.status != 400 {
		p.h.t.Fatalf("poll of a closed connection: got %d %q, want 400", a.status, a.body)
	}
}

// background sends a GET whose answer is waited for elsewhere.
func (p *poller) background(ctx context.Context) <-chan answer {
	got := make(chan answer, 1)
	go func() {
		a, err := p.h.do(ctx, "GET", p.url(), "")
		if err != nil {
			a = answer{body: err.Error()}
		}
		got <- a
	}()
	return got
}

func (h *house) wait(got <-chan answer) answer {
	h.t.Helper()
	select {
	case a := <-got:
		return a
	case <-time.After(patience):
		h.t.Fatal("a poll was not answered")
	}
	return answer{}
}

// socket is a raw WebSocket client.
type socket struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

// dial does a WebSocket handshake, which must succeed.
func (h *house) dial(revision int, query string) *socket {
	h.t.Helper()
	s, err := h.tryDial(revision, query)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *house) tryDial(revision int, query string) (*socket, error) {
	address := h.web.Listener.Addr().String()
	var c net.Conn
	var err error
	if h.web.TLS != nil {
		c, err = tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	} else {
		c, err = net.Dial("tcp", address)
	}
	if err != nil {
		return nil, err
	}
	h.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "GET /engine.io/?EIO=%d&transport=websocket%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		revision, query, address)
	s := &socket{h.t, c, bufio.NewReaderSize(c, 512)}
	res, err := http.ReadResponse(s.in, nil)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(res.Body)
		return nil, fmt.Errorf("websocket handshake: %s %s", res.Status, body)
	}
	return s, nil
}

// open dials and reads the open packet.
func (h *house) open(revision int) *socket {
	h.t.Helper()
	s := h.dial(revision, "")
	if op, p := s.read(); op != 1 || !strings.HasPrefix(p, `0{"sid":"`) {
		h.t.Fatalf("first message: got op %d %q, want an open packet", op, p)
	}
	h.next("open")
	return s
}

func frame(op byte, p []byte) []byte {
	b := []byte{0x80 | op}
	switch n := len(p); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, 0, 0, 0, 0) // a mask that changes nothing
	return append(b, p...)
}

func (s *socket) send(texts ...string) {
	s.t.Helper()
	var b []byte
	for _, p := range texts {
		b = append(b, frame(1, []byte(p))...)
	}
	if _, err := s.Write(b); err != nil {
		s.t.Fatalf("sending %q: %v", texts, err)
	}
}

func (s *socket) sendBinary(p []byte) {
	s.t.Helper()
	if _, err := s.Write(frame(2, p)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *socket) tryRead() (op byte, p []byte, err error) {
	var h [2]byte
	if _, err = io.ReadFull(s.in, h[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(h[1])
	switch {
	case n == 126:
		var b [2]byte
		_, err = io.ReadFull(s.in, b[:])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case n == 127:
		var b [8]byte
		_, err = io.ReadFull(s.in, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return 0, nil, err
	}
	p = make([]byte, n)
	_, err = io.ReadFull(s.in, p)
	return h[0] & 0xf, p, err
}

func (s *socket) read() (op byte, p string) {
	s.t.Helper()
	op, b, err := s.tryRead()
	if err != nil {
		s.t.Fatalf("reading a message: %v", err)
	}
	return op, string(b)
}

func (s *socket) want(texts ...string) {
	s.t.Helper()
	for _, want := range texts {
		if op, p := s.read(); op != 1 || p != want {
			s.t.Fatalf("message: got op %d %.100q, want text %.100q", op, p, want)
		}
	}
}

func (s *socket) wantBinary(want []byte) {
	s.t.Helper()
	if op, p := s.read(); op != 2 || !bytes.Equal([]byte(p), want) {
		s.t.Fatalf("message: got op %d %.100q, want binary %.100q", op, p, want)
	}
}

// wantClose reads until the close frame; a code of 0 is any.
func (s *socket) wantClose(code uint16) {
	s.t.Helper()
	for {
		op, p, err := s.tryRead()
		if err != nil {
			s.t.Fatalf("reading: got %v, want a close frame", err)
		}
		if op != 8 {
			continue
		}
		if got := binary.BigEndian.Uint16(p); code != 0 && got != code {
			s.t.Errorf("close frame: got %d %q, want %d", got, p[2:], code)
		}
		return
	}
}

// wantEnd reads until the connection ends.
func (s *socket) wantEnd() {
	s.t.Helper()
	for {
		_, _, err := s.tryRead()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.t.Fatal("a WebSocket was not ended")
		}
		if err != nil {
			return
		}
	}
}
