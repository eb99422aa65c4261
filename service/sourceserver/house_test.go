package sourceserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/service/sink"
	"github.com/switchboard-relay/switchboard/service/sourceserver"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// house is a node with a listener of terminals, one of bytes, and a source-server.
type house struct {
	t   testing.TB
	hub *hub.Hub

	terminals, bytes, source string // addresses

	endings *hub.Endings
	ended   map[string]*session.End // by remote address
}

func newHouse(t testing.TB, change func(*sourceserver.Service)) *house {
	t.Helper()
	dir, logger, inbox := t.TempDir(), slog.New(slog.DiscardHandler), hub.NewInbox()
	store, err := recording.Open(recording.Options{Dir: dir, Logger: logger, OnSealed: inbox.Add})
	if err != nil {
		t.Fatal(err)
	}
	idx, err := index.Open(filepath.Join(dir, "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	nodeHub, err := hub.New(hub.Options{Node: "n1", Store: store, Index: idx, Inbox: inbox, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := nodeHub.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		nodeHub.FinishIndex(context.Background())
		idx.Close()
	})
	svc := &sourceserver.Service{Hub: nodeHub}
	if change != nil {
		change(svc)
	}
	h := &house{t: t, hub: nodeHub, endings: nodeHub.FollowEndings(10_000), ended: map[string]*session.End{}}
	h.terminals = h.listen(hub.ListenerConfig{Name: "terminals", Service: "sink", Terminal: "80x24", Record: session.RecordOn}, &sink.Service{})
	h.bytes = h.listen(hub.ListenerConfig{Name: "bytes", Service: "sink", Record: session.RecordOn}, &sink.Service{})
	h.source = h.listen(hub.ListenerConfig{Name: "ours", Service: sourceserver.Name, Record: session.RecordOff}, svc)
	return h
}

func (h *house) listen(conf hub.ListenerConfig, svc any) string {
	h.t.Helper()
	conf.Transport, conf.OnFailure = "tcp", session.OnFailureContinue
	l, err := h.hub.Listener(conf, svc)
	if err != nil {
		h.t.Fatal(err)
	}
	ln, err := transport.Listen(context.Background(), transport.Address{Transport: "tcp", Host: "127.0.0.1:0"}, transport.ListenOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	l.Attach(ln)
	go l.Serve(ln) // ends with the hub's Shutdown
	return ln.Addr().String()
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(60 * time.Second))
	return c.(*net.TCPConn)
}

// far is a session, and its far end.
type far struct {
	*hub.Session
	conn *net.TCPConn
	t    testing.TB
	hub  *hub.Hub
}

// begin begins a session at a listener.
func (h *house) begin(addr string) *far {
	h.t.Helper()
	c := dial(h.t, addr)
	return &far{h.live(func(s *hub.Session) bool { return s.RemoteAddr().String() == c.LocalAddr().String() }), c, h.t, h.hub}
}

// live waits for a live session.
func (h *house) live(is func(*hub.Session) bool) (found *hub.Session) {
	h.t.Helper()
	h.until("there is such a session", func() bool {
		h.hub.EachLive(func(s *hub.Session) bool {
			if is(s) {
				found = s
			}
			return found == nil
		})
		return found != nil
	})
	return found
}

func (h *house) until(what string, is func() bool) {
	h.t.Helper()
	for end := time.Now().Add(60 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("it never came that %s", what)
		}
	}
}

// shows sends text to the far end, which takes it.
func (f *far) shows(text string) {
	f.t.Helper()
	if _, err := f.Write([]byte(text)); err != nil {
		f.t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, f.conn, int64(len(text))); err != nil {
		f.t.Fatal(err)
	}
}

// types has the far end send text, which is on record then.
func (f *far) types(text string) {
	f.t.Helper()
	before := f.Totals().ReceivedBytes
	if _, err := io.WriteString(f.conn, text); err != nil {
		f.t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Second); f.Totals().ReceivedBytes < before+uint64(len(text)); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("%q did not arrive", text)
		}
	}
}

// asker is a program that asks the source-server.
type asker struct {
	t    testing.TB
	conn *net.TCPConn
	r    *bufio.Reader
}

func (h *house) ask(request string) *asker {
	h.t.Helper()
	c := dial(h.t, h.source)
	if _, err := io.WriteString(c, request); err != nil {
		h.t.Fatal(err)
	}
	return &asker{h.t, c, bufio.NewReader(c)}
}

func view(id string) string { return "[flag]=0&[sessionid]=" + id }
func kick(id string) string { return "[flag]=1&[sessionid]=" + id }

// next is the next frame, as TYPE:payload, or control. Frames without payload are passed over.
func (a *asker) next() string {
	a.t.Helper()
	for {
		kind, err := a.r.ReadByte()
		if err != nil {
			a.t.Fatalf("%v instead of a frame", err)
		}
		if kind == '3' || kind == '5' {
			return string(rune(kind))
		}
		var head [4]byte
		if _, err := io.ReadFull(a.r, head[:]); err != nil {
			a.t.Fatal(err)
		}
		n := int(head[0])<<24 | int(head[1])<<16 | int(head[2])<<8 | int(head[3])
		if n > 64<<10 || !strings.ContainsRune("dvi", rune(kind)) {
			a.t.Fatalf("got a frame %q of %d bytes", kind, n)
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(a.r, payload); err != nil {
			a.t.Fatal(err)
		}
		if n > 0 {
			return string(rune(kind)) + ":" + string(payload)
		}
	}
}

// await reads frames until one of the type has the text, or the control comes.
func (a *asker) await(want string) (seen []string) {
	a.t.Helper()
	for {
		got := a.next()
		seen = append(seen, got)
		if got == want || len(got) > 2 && len(want) > 2 && got[0] == want[0] && strings.Contains(got, want[2:]) {
			return seen
		}
		if len(got) == 1 {
			a.t.Fatalf("got %q, want %q", seen, want)
		}
	}
}

// expect reads what comes, to the connection's end.
func (a *asker) expect(want ...string) {
	a.t.Helper()
	for i, w := range want {
		if got := a.next(); got != w {
			a.t.Fatalf("got %q as number %d, want %q", got, i, want)
		}
	}
	if rest, err := io.ReadAll(a.r); len(rest) > 0 || err != nil {
		a.t.Fatalf("behind %q got %q, %v; want the connection's end", want, rest, err)
	}
	a.conn.Close()
}

// end waits for the end of the asker's own session, and tells of it.
func (h *house) end(a *asker) (end *session.End) {
	h.t.Helper()
	h.until("the asker's session has ended", func() bool {
		for _, s := range h.endings.Take() {
			h.ended[s.RemoteAddr().String()] = s.Ended()
		}
		end = h.ended[a.conn.LocalAddr().String()]
		return end != nil
	})
	return end
}

// events reads all of a session, which has ended.
func (h *house) events(id session.ID) (list []string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	e, err := h.hub.Events(ctx, id, 1)
	if err != nil {
		h.t.Fatal(err)
	}
	defer e.Close()
	for {
		batch, err := e.Next(ctx)
		for _, ev := range batch {
			list = append(list, fmt.Sprintf("%s:%s", ev.Kind, ev.Data))
		}
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}
