package source_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/service/source"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// house is a hub with sources.
type house struct {
	t       testing.TB
	hub     *hub.Hub
	sources *source.Sources
	origin  *origin // of kind ssh of the source plant
	conf    source.Config
}

// patience bounds every wait of a test.
const patience = time.Minute

// newHouse has one source, whose settings change may change.
func newHouse(t testing.TB, change func(*source.Config)) *house {
	t.Helper()
	dir, logger, inbox := t.TempDir(), slog.New(slog.NewTextHandler(io.Discard, nil)), hub.NewInbox()
	store, err := recording.Open(recording.Options{Dir: dir, Logger: logger, OnSealed: inbox.Add})
	if err != nil {
		t.Fatal(err)
	}
	idx, err := index.Open(filepath.Join(dir, "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, origin: newOrigin(t)}
	if h.hub, err = hub.New(hub.Options{Node: "n1", Store: store, Index: idx, Inbox: inbox, Logger: logger}); err != nil {
		t.Fatal(err)
	}
	h.sources = source.New(h.hub, logger)
	t.Cleanup(func() {
		h.sources.Close()
		if n := h.sources.Held(); n != 0 {
			t.Errorf("%d things are held after closing", n)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(h.hub.Shutdown(ctx), store.Close(), h.hub.FinishIndex(ctx), idx.Close()); err != nil {
			t.Error(err)
		}
	})
	h.conf = source.Config{Name: "plant", Kinds: map[string]string{"ssh": h.origin.address()}, AnswerTimeout: patience,
		MaxSessions: 1000, MaxDials: 64, Record: session.RecordOn, OnFailure: session.OnFailureContinue, Terminal: "80x24"}
	if change != nil {
		change(&h.conf)
	}
	h.configure(h.conf)
	return h
}

func (h *house) configure(confs ...source.Config) {
	h.t.Helper()
	if err := h.sources.Configure(confs); err != nil {
		h.t.Fatal(err)
	}
}

func ref(text string) threeend.Ref {
	r, err := threeend.ParseRef(text)
	if err != nil {
		panic(err)
	}
	return r
}

// opening is somebody who waits for a session.
type opening struct {
	t       testing.TB
	done    chan struct{}
	session *hub.Session
	release func()
	err     error
}

// open asks for a session.
func (h *house) open(ctx context.Context, text string) *opening {
	o := &opening{t: h.t, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		o.session, o.release, o.err = h.sources.Open(ctx, ref(text), "ada")
	}()
	return o
}

func (o *opening) wait() *opening {
	o.t.Helper()
	await(o.t, o.done, "an answer to Open")
	return o
}

// opened is the session, which must have been opened.
func (o *opening) opened() *hub.Session {
	o.t.Helper()
	if o.wait(); o.err != nil {
		o.t.Fatalf("it was not opened: %v", o.err)
	}
	return o.session
}

func await[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
	}
	return v
}

// ended waits until a session has ended.
func ended(t testing.TB, s *hub.Session) session.End {
	t.Helper()
	await(t, s.Context().Done(), "the session's end")
	return *s.Ended()
}

// until waits for what is not told.
func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to be: %s", what)
		}
	}
}

func (h *house) status() threeend.SourceStatus { return h.sources.Status()[0] }

// watch follows a session until it has seen text.
func (h *house) watch(s *hub.Session, text string) *hub.Events {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	events, err := h.hub.Events(ctx, s.ID(), 1)
	if err != nil {
		h.t.Fatal(err)
	}
	for seen := ""; !strings.Contains(seen, text); {
		batch, err := events.Next(ctx)
		if err != nil {
			h.t.Fatalf("%v; want %q in %q", err, text, seen)
		}
		for _, e := range batch {
			seen += string(e.Data)
		}
	}
	return events
}

// record reads all of an ended session.
func (h *house) record(id session.ID) (all []session.Event) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	events, err := h.hub.Events(ctx, id, 1)
	if err != nil {
		h.t.Fatal(err)
	}
	defer events.Close()
	for {
		batch, err := events.Next(ctx)
		for _, e := range batch {
			e.Data = slices.Clone(e.Data)
			all = append(all, e)
		}
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// origin is a source: a TCP server, which the test plays.
type origin struct {
	t     testing.TB
	ln    net.Listener
	asked chan *line

	mu   sync.Mutex
	kept []*line // what nobody refers to is closed by the collector
}

// line is a connection of the relay's to a source.
type line struct {
	*net.TCPConn
	t    testing.TB
	kick bool
	id   string
}

func newOrigin(t testing.TB) *origin {
	t.Helper()
	return newOriginAt(t, "127.0.0.1:0")
}

func newOriginAt(t testing.TB, address string) *origin {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	o := &origin{t: t, ln: ln, asked: make(chan *line, 2000)}
	go o.serve()
	return o
}

func (o *origin) address() string { return o.ln.Addr().String() }

func (o *origin) serve() {
	for {
		c, err := o.ln.Accept()
		if err != nil {
			return
		}
		go func() {
			var b [threeend.MaxRequest]byte
			n, err := c.Read(b[:])
			r, _, bad := threeend.ParseRequest(b[:n])
			if err != nil || bad != nil {
				c.Close() // of who only looked whether somebody is there
				return
			}
			l := &line{c.(*net.TCPConn), o.t, r.Kick, r.ID}
			o.mu.Lock()
			o.kept = append(o.kept, l)
			o.mu.Unlock()
			o.asked <- l
		}()
	}
}

// next is the connection on which the next request came.
func (o *origin) next(kick bool, id string) *line {
	o.t.Helper()
	l := await(o.t, o.asked, "a request")
	o.t.Cleanup(func() { l.Close() })
	if l.kick != kick || l.id != id {
		o.t.Fatalf("asked is kick %v of %q; want %v of %q", l.kick, l.id, kick, id)
	}
	return l
}

// say sends bytes.
func (l *line) say(p []byte) {
	l.t.Helper()
	l.SetWriteDeadline(time.Now().Add(patience))
	if _, err := l.Write(p); err != nil {
		l.t.Fatal(err)
	}
}

func (l *line) show(text string) {
	l.t.Helper()
	l.say(threeend.AppendFrame(nil, threeend.Display, []byte(text)))
}

// closed waits until the relay has closed the connection.
func (l *line) closed() {
	l.t.Helper()
	l.SetReadDeadline(time.Now().Add(patience))
	var b [1]byte
	if n, err := l.Read(b[:]); n != 0 || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		l.t.Fatalf("the connection is not closed: %d bytes, %v", n, err)
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// cut resets the connection.
func (l *line) cut() {
	l.SetLinger(0)
	l.Close()
}
