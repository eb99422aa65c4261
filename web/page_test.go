package web_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/switchboard-relay/switchboard/session"
)

// page is a viewer that speaks Socket.IO by hand. It reads only while somebody waits for something.
type page struct {
	t    testing.TB
	conn net.Conn
	rd   io.Reader
	asks int
	kept []told // came while something else was waited for
}

// told is an event that a viewer got.
type told struct {
	event  string
	args   []json.RawMessage
	binary []byte
}

// into decodes argument i.
func (e *told) into(t testing.TB, i int, v any) {
	t.Helper()
	if i >= len(e.args) {
		t.Fatalf("%s has %d arguments", e.event, len(e.args))
	}
	if err := json.Unmarshal(e.args[i], v); err != nil {
		t.Fatalf("%s: %v in %s", e.event, err, e.args[i])
	}
}

// dial opens a connection, without a namespace.
func (h *house) dialPage(header http.Header) (*page, error) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	conn, br, _, err := ws.Dialer{Header: ws.HandshakeHeaderHTTP(header)}.Dial(ctx,
		strings.Replace(h.base, "http", "ws", 1)+"/api/v1/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		return nil, err
	}
	h.t.Cleanup(func() { conn.Close() })
	p := &page{t: h.t, conn: conn, rd: bufio.NewReader(conn)}
	if br != nil {
		p.rd = br
	}
	if open, _ := p.message(); !strings.HasPrefix(open, "0{") {
		h.t.Fatalf("the first message is %q; want an open packet", open)
	}
	return p, nil
}

// join connects to a namespace; what comes back is the answer.
func (p *page) join(namespace, auth string) string {
	p.t.Helper()
	p.say("40" + namespace + "," + auth)
	text, _ := p.message()
	return text
}

// look is a page that has signed in with a token, and got hello.
func (h *house) look(token string) *page {
	h.t.Helper()
	p, err := h.dialPage(nil)
	check(h.t, err)
	if got := p.join("/console", fmt.Sprintf(`{"token":%q}`, token)); !strings.HasPrefix(got, "40/console,{") {
		h.t.Fatalf("the answer to CONNECT is %q", got)
	}
	if e := p.next(); e.event != "hello" {
		h.t.Fatalf("the first event is %q; want hello", e.event)
	}
	return p
}

func (p *page) say(text string) {
	p.t.Helper()
	check(p.t, wsutil.WriteClientText(p.conn, []byte(text)))
}

// message is the next message that is no ping, and its attachment.
func (p *page) message() (text string, attachment []byte) {
	p.t.Helper()
	for {
		b := p.frame(ws.OpText)
		if string(b) == "2" {
			p.say("3")
			continue
		}
		if strings.HasPrefix(string(b), "451-") || strings.HasPrefix(string(b), "461-") {
			attachment = p.frame(ws.OpBinary)
		}
		return string(b), attachment
	}
}

func (p *page) frame(want ws.OpCode) []byte {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(patience))
	b, op, err := wsutil.ReadServerData(struct {
		io.Reader
		io.Writer
	}{p.rd, p.conn})
	if err != nil || op != want {
		p.t.Fatalf("reading a frame: %v, kind %v; want kind %v", err, op, want)
	}
	return b
}

// read is the next event, or an answer with its id.
func (p *page) read() (e told, answer int) {
	p.t.Helper()
	text, attachment := p.message()
	kind, rest, found := strings.Cut(text, "/console,")
	if !found {
		p.t.Fatalf("got %q; want something of /console", text)
	}
	e.binary = attachment
	switch kind {
	case "42", "451-":
		check(p.t, json.Unmarshal([]byte(rest), &e.args))
		e.into(p.t, 0, &e.event)
		e.args = e.args[1:]
		return e, -1
	case "43", "461-":
		digits := strings.IndexByte(rest, '[')
		id, err := strconv.Atoi(rest[:digits])
		check(p.t, err)
		check(p.t, json.Unmarshal([]byte(rest[digits:]), &e.args))
		return e, id
	}
	p.t.Fatalf("got %q", text)
	return e, -1
}

// next is the next event.
func (p *page) next() told {
	p.t.Helper()
	if len(p.kept) > 0 {
		e := p.kept[0]
		p.kept = p.kept[1:]
		return e
	}
	e, answer := p.read()
	if answer >= 0 {
		p.t.Fatalf("got an answer to %d; want an event", answer)
	}
	return e
}

// await is the next event of a name; others are kept.
func (p *page) await(event string) told {
	p.t.Helper()
	for i, e := range p.kept {
		if e.event == event {
			p.kept = append(p.kept[:i:i], p.kept[i+1:]...)
			return e
		}
	}
	for {
		e, _ := p.read()
		if e.event == event {
			return e
		}
		p.kept = append(p.kept, e)
	}
}

// ask sends an event, and decodes the answer to it.
func (p *page) ask(event, arg string, into any) {
	p.t.Helper()
	id := p.asks
	p.asks++
	p.say(fmt.Sprintf("42/console,%d[%q,%s]", id, event, arg))
	for {
		e, answer := p.read()
		if answer == id {
			e.into(p.t, 0, into)
			if b, is := into.(*begun); is && b.Screen != nil {
				b.Screen.data = e.binary
			}
			return
		}
		p.kept = append(p.kept, e)
	}
}

// refused checks that the answer to an event is an error.
func (p *page) refused(event, arg string, status int, says string) {
	p.t.Helper()
	var got struct {
		Error  string
		Status int
	}
	p.ask(event, arg, &got)
	if got.Status != status || !strings.Contains(got.Error, says) {
		p.t.Errorf("%s %s: got %d %q; want %d and a message that says %q", event, arg, got.Status, got.Error, status, says)
	}
}

// begun is the answer to watch.
type begun struct {
	Summary session.Summary
	From    uint64
	At      uint64
	Screen  *begunScreen
	Error   string
	Status  int
}

// begunScreen is what a stream begins with.
type begunScreen struct {
	Number     uint64
	Time       int64
	Cols, Rows int
	Title      string
	Data       any

	data []byte // the attachment
}

// watch begins a stream.
func (p *page) watch(stream int, id session.ID, more string) (b begun) {
	p.t.Helper()
	if more != "" {
		more = "," + more
	}
	p.ask("watch", fmt.Sprintf(`{"stream":%d,"id":%q%s}`, stream, id, more), &b)
	if b.Error != "" {
		p.t.Fatalf("watch %s%s: %d %s", id, more, b.Status, b.Error)
	}
	return b
}

// batch is the next batch of a stream; nil when the stream is over.
func (p *page) batch(stream int) []session.Event {
	p.t.Helper()
	for i := 0; ; i++ {
		for i >= len(p.kept) {
			e, _ := p.read()
			p.kept = append(p.kept, e)
		}
		e := p.kept[i]
		var number int
		if e.event != "events" && e.event != "over" {
			continue
		}
		if e.into(p.t, 0, &number); number != stream {
			continue
		}
		p.kept = append(p.kept[:i:i], p.kept[i+1:]...)
		if e.event == "over" {
			var why struct{ Error string }
			if e.into(p.t, 1, &why); why.Error != "" {
				p.t.Fatalf("the stream ended: %s", why.Error)
			}
			return nil
		}
		p.say(fmt.Sprintf(`42/console,["took",%d,%d]`, stream, len(e.binary)))
		return parseBatch(p.t, e.binary)
	}
}

// rest is all events of a stream until it is over.
func (p *page) rest(stream int) (all []session.Event) {
	p.t.Helper()
	for {
		events := p.batch(stream)
		if events == nil {
			return all
		}
		all = append(all, events...)
	}
}

// some reads a stream until enough says so.
func (p *page) some(stream int, enough func([]session.Event) bool) (all []session.Event) {
	p.t.Helper()
	for !enough(all) {
		events := p.batch(stream)
		if events == nil {
			p.t.Fatal("the stream is over")
		}
		all = append(all, events...)
	}
	return all
}

// parseBatch reads a batch; times are µs since the session's start.
func parseBatch(t testing.TB, b []byte) (events []session.Event) {
	t.Helper()
	var number, at uint64
	take := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			t.Fatalf("a number is malformed: % x", b[:min(12, len(b))])
		}
		b = b[n:]
		return v
	}
	for len(b) > 0 {
		kind := session.Kind(b[0])
		b = b[1:]
		number += take()
		at += take()
		size := take()
		if uint64(len(b)) < size {
			t.Fatalf("event %d has %d bytes of %d", number, len(b), size)
		}
		events = append(events, session.Event{Number: number, Time: int64(at), Kind: kind, Data: b[:size:size]})
		b = b[size:]
	}
	if len(events) == 0 {
		t.Fatal("a batch without events")
	}
	return events
}

// nothingComes checks that nothing but live packets came before the answer to a question.
func (p *page) nothingComes(event string) {
	p.t.Helper()
	var answer struct{}
	p.ask("unwatch", `{"stream":999999}`, &answer)
	for _, e := range p.kept {
		if e.event == event {
			p.t.Errorf("got %s %s; want nothing", e.event, e.args)
		}
	}
}
