package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/bus"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/service/echo"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
	"github.com/switchboard-relay/switchboard/web"
)

// house is a node with its REST interface on a real port.
type house struct {
	t     testing.TB
	hub   *hub.Hub
	store *recording.Store
	rooms *room.Rooms
	auth  *auth.Auth
	web   *web.Handler
	log   journal
	data  string
	base  string

	changed func(id session.ID, what string)
	changes changes
}

// changes is what the handler said that somebody changed.
type changes struct {
	mu   sync.Mutex
	list []string
}

func (c *changes) add(id session.ID, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, string(id)+" "+what)
}

// take is what was changed since the last take.
func (c *changes) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return strings.Join(list, ", ")
}

// journal is what was logged.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// patience bounds every wait of a test.
const patience = time.Minute

func open(t testing.TB, change ...func(*web.Options)) *house {
	t.Helper()
	h := &house{t: t, data: t.TempDir()}
	logger := slog.New(slog.NewTextHandler(&h.log, nil))
	inbox := hub.NewInbox()
	store, err := recording.Open(recording.Options{Dir: h.data, OnSealed: inbox.Add, Logger: logger})
	check(t, err)
	h.store = store
	idx, err := index.Open(filepath.Join(h.data, "index.db"))
	check(t, err)
	h.hub, err = hub.New(hub.Options{Node: "n1", Store: store, Index: idx, Inbox: inbox, Logger: logger})
	check(t, err)
	wires, err := bus.Open(bus.Options{StoreDir: h.data + "/bus", Logger: logger})
	check(t, err)
	h.rooms, err = room.New(room.Options{Bus: wires, Store: store, Node: "n1", Logger: logger, Began: h.hub.TrackRoom,
		Ended: h.hub.ForgetRoom})
	check(t, err)
	h.auth, err = auth.New([]auth.Token{{Name: "vera", Role: auth.Viewer, SHA256: auth.Hash("vera")},
		{Name: "otto", Role: auth.Operator, SHA256: auth.Hash("otto")}, {Name: "ada", Role: auth.Admin,
			SHA256: auth.Hash("ada")}})
	check(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	h.base = "http://" + ln.Addr().String()
	opt := web.Options{Hub: h.hub, Rooms: h.rooms, Auth: h.auth, Version: "v9", Node: "n1", Data: h.data,
		Start: time.Now(), Secret: "the administrator's token", Logger: logger}
	for _, f := range change {
		f(&opt)
	}
	h.web = web.New(opt)
	h.changed = h.web.Changed
	h.web.AlsoOnChange(h.changes.add)
	server := web.Server(h.web, logger)
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(ln) }()
	t.Cleanup(func() {
		h.web.Close()
		server.Close()
		<-served
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.hub.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		h.rooms.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		h.hub.FinishIndex(context.Background())
		wires.Close()
		idx.Close()
	})
	return h
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// listen opens a listener of the name that echoes the bytes alone, and returns its address.
func (h *house) listen(name string, change ...func(*hub.ListenerConfig)) string {
	h.t.Helper()
	conf := hub.ListenerConfig{Name: name, Transport: "tcp", Service: "echo", Record: session.RecordOn,
		OnFailure: session.OnFailureContinue}
	for _, f := range change {
		f(&conf)
	}
	l, err := h.hub.Listener(conf, &echo.Service{Plain: true})
	check(h.t, err)
	ln, err := transport.Listen(h.t.Context(), transport.Address{Transport: "tcp", Host: "127.0.0.1:0"},
		transport.ListenOptions{})
	check(h.t, err)
	l.Attach(ln)
	go l.Serve(ln) // ends with the hub's Shutdown
	return ln.Addr().String()
}

// caller is a far end.
type caller struct {
	net.Conn
	h  *house
	id session.ID
}

// call connects, and returns once the session is live.
func (h *house) call(addr string) *caller {
	h.t.Helper()
	conn, err := net.Dial("tcp", addr)
	check(h.t, err)
	h.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	c := &caller{Conn: conn, h: h}
	h.until("the connection is a session", func() bool {
		list := h.list("state=live&remote=" + conn.LocalAddr().String())
		if len(list) == 1 {
			c.id = list[0].ID
		}
		return len(list) == 1
	})
	return c
}

// say sends text and reads it back.
func (c *caller) say(text string) {
	c.h.t.Helper()
	_, err := io.WriteString(c, text)
	check(c.h.t, err)
	back := make([]byte, len(text))
	if _, err := io.ReadFull(c, back); err != nil || string(back) != text {
		c.h.t.Fatalf("echo of %q: got %q, %v", text, back, err)
	}
}

// hangUp ends the call, and returns once it is recorded.
func (c *caller) hangUp() session.Summary {
	c.h.t.Helper()
	c.Close()
	var sum session.Summary
	c.h.until("the session is recorded", func() bool {
		sum = c.h.one(c.id)
		return sum.State == session.Recorded
	})
	return sum
}

// until asks again and again, and fails after a long time.
func (h *house) until(what string, f func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !f(); {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

// do makes a request with a token and returns the answer's status and body.
func (h *house) do(token, method, path, body string) (int, string) {
	h.t.Helper()
	return h.read(h.request(h.t.Context(), token, method, path, body))
}

func (h *house) read(resp *http.Response) (int, string) {
	h.t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	check(h.t, err)
	return resp.StatusCode, string(b)
}

func (h *house) request(ctx context.Context, token, method, path, body string) *http.Response {
	h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, h.base+path, strings.NewReader(body))
	check(h.t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	check(h.t, err)
	return resp
}

// get asks as a viewer and decodes the JSON of the answer.
func (h *house) get(path string, into any) {
	h.t.Helper()
	status, body := h.do("vera", "GET", path, "")
	if status != http.StatusOK {
		h.t.Fatalf("GET %s: %d %s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		h.t.Fatalf("GET %s: %v in %s", path, err, body)
	}
}

func (h *house) list(query string) (list []session.Summary) {
	h.t.Helper()
	h.get("/api/v1/sessions?"+query, &list)
	return list
}

func (h *house) one(id session.ID) (sum session.Summary) {
	h.t.Helper()
	h.get("/api/v1/sessions/"+string(id), &sum)
	return sum
}

// refused checks that a request is refused with a status, and a message that contains some text.
func (h *house) refused(token, method, path, body string, status int, says string) {
	h.t.Helper()
	got, text := h.do(token, method, path, body)
	var answer struct{ Error string }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Error == "" {
		h.t.Errorf("%s %s: the answer is no error in JSON: %d %q", method, path, got, text)
		return
	}
	if got != status || !strings.Contains(answer.Error, says) {
		h.t.Errorf("%s %s: got %d %q; want %d and a message that says %q", method, path, got, answer.Error, status, says)
	}
}

// watcher reads a stream of events.
type watcher struct {
	t     testing.TB
	lines *bufio.Reader
	stop  context.CancelFunc
}

func (h *house) watch(id session.ID, query string) *watcher {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	resp := h.request(ctx, "vera", "GET", "/api/v1/sessions/"+string(id)+"/events?"+query, "")
	h.t.Cleanup(func() { cancel(); resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		h.t.Fatalf("watch %s?%s: %s %s", id, query, resp.Status, b)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/x-ndjson" {
		h.t.Errorf("Content-Type %q", got)
	}
	return &watcher{h.t, bufio.NewReader(resp.Body), cancel}
}

// next waits for an event; ok is false after the last.
func (w *watcher) next() (e session.Event, ok bool) {
	w.t.Helper()
	line, err := w.lines.ReadBytes('\n')
	if err == io.EOF && len(line) == 0 {
		return e, false
	}
	check(w.t, err)
	if err := json.Unmarshal(line, &e); err != nil {
		w.t.Fatalf("%v in %s", err, line)
	}
	return e, true
}

// rest reads until the stream ends.
func (w *watcher) rest() (events []session.Event) {
	w.t.Helper()
	for {
		e, ok := w.next()
		if !ok {
			return events
		}
		events = append(events, e)
	}
}

// bytesOf joins the data of one kind.
func bytesOf(events []session.Event, k session.Kind) string {
	var b bytes.Buffer
	for _, e := range events {
		if e.Kind == k {
			b.Write(e.Data)
		}
	}
	return b.String()
}

// kinds names the events' kinds.
func kinds(events []session.Event) string {
	var names []string
	for _, e := range events {
		names = append(names, e.Kind.String())
	}
	return strings.Join(names, " ")
}

func sessionPath(id session.ID, rest string) string {
	return fmt.Sprintf("/api/v1/sessions/%s%s", id, rest)
}
