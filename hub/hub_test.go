package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	"github.com/switchboard-relay/switchboard/service/echo"
	"github.com/switchboard-relay/switchboard/service/relay"
	"github.com/switchboard-relay/switchboard/service/sink"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// node is a hub over a real store and index.
type node struct {
	*hub.Hub
	t     testing.TB
	store *recording.Store
	dir   string
	stop  func()
}

func newNode(t testing.TB, sealed ...func(session.Summary)) *node {
	return newNodeKeeping(t, hub.Retention{}, sealed...)
}

func newNodeKeeping(t testing.TB, keep hub.Retention, sealed ...func(session.Summary)) *node {
	return newNodeIn(t, t.TempDir(), keep, sealed...)
}

func newNodeIn(t testing.TB, dir string, keep hub.Retention, sealed ...func(session.Summary)) *node {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	inbox := hub.NewInbox()
	store, err := recording.Open(recording.Options{Dir: dir, Logger: logger, OnSealed: func(sum session.Summary) {
		inbox.Add(sum)
		for _, f := range sealed {
			f(sum)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	idx, err := index.Open(filepath.Join(dir, "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := hub.New(hub.Options{Node: "n1", Store: store, Index: idx, Inbox: inbox, Retention: keep,
		Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Hub: h, t: t, store: store, dir: dir}
	n.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		h.FinishIndex(context.Background())
		idx.Close()
	})
	t.Cleanup(n.stop)
	return n
}

// listen serves a service on a free port and returns the address.
func (n *node) listen(conf hub.ListenerConfig, svc any) string {
	n.t.Helper()
	conf.Transport, conf.Record = "tcp", orOn(conf.Record)
	if conf.OnFailure == "" {
		conf.OnFailure = session.OnFailureContinue
	}
	l, err := n.Listener(conf, svc)
	if err != nil {
		n.t.Fatal(err)
	}
	ln, err := transport.Listen(context.Background(), transport.Address{Transport: "tcp", Host: "127.0.0.1:0"}, transport.ListenOptions{})
	if err != nil {
		n.t.Fatal(err)
	}
	l.Attach(ln)
	go l.Serve(ln) // ends with the hub's Shutdown
	return ln.Addr().String()
}

func orOn(r session.Record) session.Record {
	if r == "" {
		return session.RecordOn
	}
	return r
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// only returns the one session that there is, waiting until there is one in the state.
func (n *node) only(state session.State) session.Summary {
	n.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		list, err := n.List(context.Background(), state, index.Filter{})
		if err != nil {
			n.t.Fatal(err)
		}
		if len(list) == 1 {
			return list[0]
		}
	}
	n.t.Fatalf("no session became %s", state)
	return session.Summary{}
}

// events reads a session to its end.
func (n *node) events(id session.ID) []session.Event {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	e, err := n.Events(ctx, id, 1)
	if err != nil {
		n.t.Fatal(err)
	}
	defer e.Close()
	var all []session.Event
	for {
		batch, err := e.Next(ctx)
		for _, ev := range batch {
			ev.Data = slices.Clone(ev.Data)
			all = append(all, ev)
		}
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			n.t.Fatal(err)
		}
	}
}

func bytesOf(events []session.Event, k session.Kind) string {
	var b bytes.Buffer
	for _, e := range events {
		if e.Kind == k {
			b.Write(e.Data)
		}
	}
	return b.String()
}

func expect(t testing.TB, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func TestASessionIsListedRecordedAndEndsWithItsCause(t *testing.T) {
	n := newNode(t)
	addr := n.listen(hub.ListenerConfig{Name: "hello"}, &sink.Service{Greeting: []byte("Hello client!")})
	c := dial(t, addr)
	expect(t, c, "Hello client!")
	c.Write([]byte("\x00\xff text"))
	live := n.only(session.Live)
	if live.Listener != "hello" || live.Remote != c.LocalAddr().String() || live.Transport != "tcp" {
		t.Errorf("live session %+v", live)
	}
	c.Close()
	ended := n.only(session.Recorded)
	if ended.Cause != session.HungUp || ended.ReceivedBytes != 7 || ended.SentBytes != 13 {
		t.Errorf("ended session %+v; want hung up, 7 and 13 bytes", ended)
	}
	events := n.events(ended.ID)
	if got := bytesOf(events, session.Received); got != "\x00\xff text" {
		t.Errorf("received %q", got)
	}
	if got := bytesOf(events, session.Sent); got != "Hello client!" {
		t.Errorf("sent %q", got)
	}
	if first, last := events[0].Kind, events[len(events)-1].Kind; first != session.Opened || last != session.Closed {
		t.Errorf("events from %v to %v; want opened to closed", first, last)
	}
}

func TestAKickPassesAStuckWrite(t *testing.T) {
	n := newNode(t)
	addr := n.listen(hub.ListenerConfig{Name: "echo"}, &echo.Service{Plain: true})
	c := dial(t, addr)
	go io.Copy(c, endless{}) // never reads the answers: the echo's write gets stuck; ends with the kick
	sum := n.only(session.Live)
	for stuck := uint64(0); ; {
		now := n.only(session.Live).SentBytes
		if now == stuck && now > 1<<20 {
			break
		}
		stuck = now
	}
	start := time.Now()
	if err := n.Kick(context.Background(), sum.ID, "ann", "too loud"); err != nil {
		t.Fatal(err)
	}
	ended := n.only(session.Recorded)
	if ended.Cause != session.Kicked || ended.By != "ann" || ended.Reason != "too loud" {
		t.Errorf("ended %+v; want kicked by ann, too loud", ended)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the kick took %v", took)
	}
	if err := n.Kick(context.Background(), sum.ID, "ann", ""); !errors.Is(err, hub.ErrNotLive) {
		t.Errorf("second kick: %v; want ErrNotLive", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestWhatAnOperatorSendsReachesTheFarEndAndIsOnTheRecord(t *testing.T) {
	n := newNode(t)
	c := dial(t, n.listen(hub.ListenerConfig{Name: "sink"}, &sink.Service{}))
	sum := n.only(session.Live)
	if err := n.Send(context.Background(), sum.ID, "bob", []byte("reboot\n")); err != nil {
		t.Fatal(err)
	}
	expect(t, c, "reboot\n")
	c.Close()
	n.only(session.Recorded)
	events := n.events(sum.ID)
	if bytesOf(events, session.Sent) != "reboot\n" || !strings.Contains(bytesOf(events, session.Noted), "bob") {
		t.Errorf("events %v; want the bytes, and who sent them", events)
	}
}

func TestSilenceEndsASessionAsIdle(t *testing.T) {
	n := newNode(t)
	dial(t, n.listen(hub.ListenerConfig{Name: "sink", Idle: 30 * time.Millisecond}, &sink.Service{}))
	if ended := n.only(session.Recorded); ended.Cause != session.Idle {
		t.Errorf("cause %q; want idle", ended.Cause)
	}
}

func TestAResetIsToldFromAHangUp(t *testing.T) {
	n := newNode(t)
	c := dial(t, n.listen(hub.ListenerConfig{Name: "sink"}, &sink.Service{}))
	n.only(session.Live)
	c.SetLinger(0)
	c.Close()
	if ended := n.only(session.Recorded); ended.Cause != session.Reset {
		t.Errorf("cause %q; want reset", ended.Cause)
	}
}

func TestARelayCarriesBothDirectionsAndEachHalfClose(t *testing.T) {
	n := newNode(t)
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	go func() { // answers when its client has finished, as many protocols do; ends with the test
		c, err := upstream.Accept()
		if err != nil {
			return
		}
		b, _ := io.ReadAll(c)
		fmt.Fprintf(c, "you said %d bytes", len(b))
		c.Close()
	}()
	to := transport.Address{Transport: "tcp", Host: upstream.Addr().String()}
	c := dial(t, n.listen(hub.ListenerConfig{Name: "line"}, &relay.Service{Upstream: to}))
	request := bytes.Repeat([]byte("0123456789"), 100_000)
	if _, err := c.Write(request); err != nil {
		t.Fatal(err)
	}
	c.CloseWrite()
	answer, err := io.ReadAll(c)
	if err != nil || string(answer) != "you said 1000000 bytes" {
		t.Fatalf("answer %q, %v", answer, err)
	}
	sum := n.only(session.Recorded)
	if sum.Cause != session.HungUp {
		t.Errorf("cause %q (%s); want hung up", sum.Cause, sum.Detail)
	}
	events := n.events(sum.ID)
	if bytesOf(events, session.Received) != string(request) || bytesOf(events, session.Sent) != string(answer) {
		t.Error("the record differs from what passed")
	}
}

func TestAnUpstreamThatRefusesEndsTheSessionAsRefused(t *testing.T) {
	n := newNode(t)
	closed, err := net.Listen("tcp", "127.0.0.77:0") // where nobody else takes the port meanwhile
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	to := transport.Address{Transport: "tcp", Host: closed.Addr().String()}
	c := dial(t, n.listen(hub.ListenerConfig{Name: "line"}, &relay.Service{Upstream: to}))
	if b, _ := io.ReadAll(c); len(b) > 0 {
		t.Errorf("the client got %q; want the close alone", b)
	}
	if ended := n.only(session.Recorded); ended.Cause != session.Refused || !strings.Contains(ended.Detail, to.Host) {
		t.Errorf("ended %q, %q; want refused, with the upstream's address", ended.Cause, ended.Detail)
	}
}

func TestAStrictSessionEchoesOnlyWhatIsOnDisk(t *testing.T) {
	n := newNode(t)
	c := dial(t, n.listen(hub.ListenerConfig{Name: "echo", Record: session.RecordStrict}, &echo.Service{Plain: true}))
	before := n.store.Stats().Commits
	for range 20 {
		c.Write([]byte("ping"))
		expect(t, c, "ping")
	}
	if commits := n.store.Stats().Commits - before; commits < 40 {
		t.Errorf("%d commits for 20 round trips; want one before each read is passed on and each write", commits)
	}
}

func TestMoreSessionsThanTheListenerAllowsAreRefusedAndCounted(t *testing.T) {
	n := newNode(t)
	addr := n.listen(hub.ListenerConfig{Name: "small", Max: 2}, &sink.Service{Greeting: []byte("hi")})
	for range 2 {
		expect(t, dial(t, addr), "hi")
	}
	if b, err := io.ReadAll(dial(t, addr)); len(b) > 0 {
		t.Errorf("the third got %q, %v; want nothing", b, err)
	}
	if st := n.Listeners()[0]; st.Live != 2 || st.Accepted != 2 || st.Refusals["too many sessions"] != 1 {
		t.Errorf("status %+v; want 2 live, 1 refused as too many sessions", st)
	}
}

func TestShutdownEndsEverySessionAndSealsIt(t *testing.T) {
	n := newNode(t)
	addr := n.listen(hub.ListenerConfig{Name: "sink"}, &sink.Service{Greeting: []byte("hi")})
	for range 50 {
		expect(t, dial(t, addr), "hi")
	}
	ctx := context.Background()
	if err := n.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	list, err := n.List(ctx, session.Recorded, index.Filter{Cause: session.Shutdown})
	if err != nil || len(list) != 50 {
		t.Errorf("%d sessions ended as shutdown, %v; want 50", len(list), err)
	}
}

func TestAWrappedConnectionIsASessionUntilItIsClosed(t *testing.T) {
	n := newNode(t)
	l, err := n.Listener(hub.ListenerConfig{Name: "own", Transport: "tcp", Record: session.RecordOn, OnFailure: session.OnFailureContinue}, nil)
	if err != nil {
		t.Fatal(err)
	}
	far, near := net.Pipe()
	s, err := n.Wrap(l, near)
	if err != nil {
		t.Fatal(err)
	}
	go far.Write([]byte("question")) // ends with the read below
	buf := make([]byte, 4)
	for _, want := range []string{"ques", "tion"} {
		if k, err := io.ReadFull(s, buf); string(buf[:k]) != want || err != nil {
			t.Fatalf("read %q, %v; want %q", buf[:k], err, want)
		}
	}
	done := make(chan struct{})
	go func() { io.ReadFull(far, make([]byte, 6)); close(done) }()
	if _, err := s.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	<-done
	s.Close()
	ended := n.only(session.Recorded)
	if ended.Cause != session.Done || ended.ReceivedBytes != 8 || ended.SentBytes != 6 {
		t.Errorf("ended %+v; want done, 8 and 6 bytes", ended)
	}
	if _, err := s.Read(buf); err == nil {
		t.Error("a closed session can be read")
	}
}

func TestAPrefixNamesOneSessionOrSaysWhichItCouldBe(t *testing.T) {
	n := newNode(t)
	addr := n.listen(hub.ListenerConfig{Name: "sink"}, &sink.Service{Greeting: []byte("hi")})
	for range 40 {
		expect(t, dial(t, addr), "hi")
	}
	list, err := n.List(context.Background(), session.Live, index.Filter{})
	if err != nil || len(list) != 40 {
		t.Fatalf("%d sessions, %v", len(list), err)
	}
	if got, err := n.Find(context.Background(), list[0].ID.Short()); err != nil || got.ID != list[0].ID {
		t.Errorf("Find(short) = %v, %v", got.ID, err)
	}
	first := map[byte]int{}
	for _, s := range list {
		first[s.ID[0]]++
	}
	for c, count := range first {
		_, err := n.Find(context.Background(), string(c))
		var ambiguous *hub.AmbiguousError
		if count > 1 && !errors.As(err, &ambiguous) {
			t.Errorf("Find(%q), which %d ids begin with: %v; want an AmbiguousError", c, count, err)
		}
	}
	if _, err := n.Find(context.Background(), "zzzzzzzzzzzz-zz"); !errors.Is(err, hub.ErrNotFound) {
		t.Errorf("Find(unknown): %v; want ErrNotFound", err)
	}
}

func TestRetentionRemovesTheOldestAndKeepsThePinned(t *testing.T) {
	n := newNode(t)
	addr := n.listen(hub.ListenerConfig{Name: "sink"}, &sink.Service{Greeting: []byte("hi")})
	for range 3 {
		c := dial(t, addr)
		expect(t, c, "hi")
		c.Close()
	}
	ctx := context.Background()
	var list []session.Summary
	for len(list) < 3 {
		var err error
		if list, err = n.List(ctx, session.Recorded, index.Filter{}); err != nil {
			t.Fatal(err)
		}
	}
	pinned := list[1].ID
	if err := n.Pin(ctx, pinned, true); err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if err := n.WaitIndexed(ctx, s.ID); err != nil {
			t.Fatal(err)
		}
	}
	unknown := list[2] // the oldest: pinned, and the index does not know
	if err := n.store.SetPinned(unknown.ID, unknown.Start, true); err != nil {
		t.Fatal(err)
	}
	n.Retain(ctx, hub.Retention{MaxSize: 1})
	left, err := n.List(ctx, session.Recorded, index.Filter{})
	if err != nil || len(left) != 2 || left[0].ID != pinned || !left[0].Pinned || left[1].ID != unknown.ID || !left[1].Pinned {
		t.Errorf("left %v, %v; want only the pinned %s and %s", left, err, pinned, unknown.ID)
	}
	if err := n.Delete(ctx, pinned); !errors.Is(err, hub.ErrPinned) {
		t.Errorf("Delete(pinned): %v; want ErrPinned", err)
	}
}
