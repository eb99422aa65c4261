package socketio_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/switchboard-relay/switchboard/socketio"
)

// house is a server on a real listener.
type house struct {
	*socketio.Server
	t   testing.TB
	url string
}

func newHouse(t testing.TB, change func(*socketio.Options)) *house {
	t.Helper()
	opt := socketio.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	opt.MaxPerAddress, opt.HandshakeRate, opt.MessageRate = -1, -1, -1
	if change != nil {
		change(&opt)
	}
	h := &house{Server: socketio.New(opt), t: t}
	web := httptest.NewServer(h.Server)
	h.url = web.URL
	t.Cleanup(func() {
		if err := h.Close(limit(t)); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return h
}

func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// peer is a client that speaks the protocol by hand, over WebSocket.
type peer struct {
	t    testing.TB
	conn net.Conn
	rd   io.Reader

	sid string
	pid string
}

func (h *house) dial(query string) *peer {
	h.t.Helper()
	conn, br, _, err := ws.Dial(limit(h.t), strings.Replace(h.url, "http", "ws", 1)+"/?EIO=4&transport=websocket"+query)
	if err != nil {
		h.t.Fatal(err)
	}
	p := &peer{t: h.t, conn: conn, rd: conn}
	if br != nil {
		p.rd = br
	} else {
		p.rd = bufio.NewReader(conn)
	}
	h.t.Cleanup(func() { conn.Close() })
	if open := p.read(); !strings.HasPrefix(open, "0{") {
		h.t.Fatalf("the first message is %q; want an open packet", open)
	}
	return p
}

// connect dials and connects to a namespace, with what goes into the CONNECT.
func (h *house) connect(namespace, payload string) *peer {
	h.t.Helper()
	p := h.dial("")
	p.join(namespace, payload)
	return p
}

func (p *peer) join(namespace, payload string) {
	p.t.Helper()
	head := ""
	if namespace != "/" {
		head = namespace + ","
	}
	p.send("40" + head + payload)
	answer := p.read()
	for !strings.HasPrefix(answer, "40"+head+"{") {
		p.t.Fatalf("got %q; want the answer to a CONNECT to %s", answer, namespace)
	}
	p.keep(answer[len("40"+head):])
}

func (p *peer) keep(payload string) {
	var got struct{ SID, PID string }
	if err := json.Unmarshal([]byte(payload), &got); err != nil {
		p.t.Fatalf("%v in %q", err, payload)
	}
	p.sid, p.pid = got.SID, got.PID
}

func (p *peer) send(text string) {
	p.t.Helper()
	if err := wsutil.WriteClientText(p.conn, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) sendBinary(b []byte) {
	p.t.Helper()
	if err := wsutil.WriteClientBinary(p.conn, b); err != nil {
		p.t.Fatal(err)
	}
}

// next is the next message that is no ping, or an error.
func (p *peer) next() (string, error) {
	for {
		p.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		b, err := wsutil.ReadServerText(struct {
			io.Reader
			io.Writer
		}{p.rd, p.conn})
		if err != nil {
			return "", err
		}
		if string(b) == "2" {
			p.send("3")
			continue
		}
		return string(b), nil
	}
}

func (p *peer) read() string {
	p.t.Helper()
	text, err := p.next()
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

func (p *peer) want(text string) {
	p.t.Helper()
	if got := p.read(); got != text {
		p.t.Fatalf("got %q; want %q", got, text)
	}
}

// ends reads until the connection is over.
func (p *peer) ends() {
	p.t.Helper()
	for {
		if _, err := p.next(); err != nil {
			if t, ok := err.(net.Error); ok && t.Timeout() {
				p.t.Fatal("the connection goes on; want its end")
			}
			return
		}
	}
}

// event is the text of an EVENT of the main namespace.
func event(name string, args ...any) string {
	b, err := json.Marshal(append([]any{name}, args...))
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("42%s", b)
}

// receive waits for something to come over a channel.
func receive[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s did not come", what)
	}
	return v
}
