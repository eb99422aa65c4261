package hub_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/echo"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// foreign is a connection whose bytes somebody else moves.
type foreign struct {
	transport.Conn
	session *hub.Session
	closed  chan struct{}
	once    sync.Once
}

func (f *foreign) Close() error         { f.once.Do(func() { close(f.closed) }); return nil }
func (f *foreign) LocalAddr() net.Addr  { return nil }
func (f *foreign) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 99} }
func (f *foreign) Datagrams() bool      { return true }
func (f *foreign) Speak(p []byte) error { return f.session.RecordSent(append([]byte("packet "), p...)) }

// host makes a listener that has no socket.
func (n *node) host(conf hub.ListenerConfig, svc any) *hub.Listener {
	n.t.Helper()
	conf.Record, conf.OnFailure = orOn(conf.Record), session.OnFailureContinue
	l, err := n.Listener(conf, svc)
	if err != nil {
		n.t.Fatal(err)
	}
	return l
}

func (n *node) admit(l *hub.Listener) *foreign {
	n.t.Helper()
	return n.admitAs(l, hub.About{})
}

func (n *node) admitAs(l *hub.Listener, about hub.About) *foreign {
	n.t.Helper()
	f := &foreign{closed: make(chan struct{})}
	s, err := l.AdmitAs(f, about)
	if err != nil {
		n.t.Fatal(err)
	}
	f.session = s
	return f
}

func TestAConnectionThatOthersRunIsASession(t *testing.T) {
	n := newNode(t)
	l := n.host(hub.ListenerConfig{Name: "page", Transport: "socketio"}, nil)
	f := n.admit(l)
	s := f.session
	room := session.RoomRef{Room: "page", Session: "9hd2k7w0c3rm-n1", As: session.AsPacket}
	s.RecordDelivered(room, true) // no member yet
	s.Joined(room)
	for i := range uint64(3) {
		ref := room
		ref.First, ref.Last, ref.Messages, ref.Bytes = i+1, i+1, 1, 10
		s.RecordDelivered(ref, true)
	}
	for _, err := range []error{s.RecordReceived([]byte("40")), s.RecordSent([]byte("40{}"))} {
		if err != nil {
			t.Error(err)
		}
	}
	s.RecordUpgraded("websocket")
	live := n.only(session.Live)
	if live.Transport != "socketio" || live.Remote != "192.0.2.7:99" || live.ReceivedBytes != 2 || live.SentBytes != 34 {
		t.Errorf("live is %+v", live)
	}
	if err := n.Send(context.Background(), live.ID, "ada", []byte("text")); err != nil {
		t.Error(err)
	}
	if s.Ended() != nil {
		t.Errorf("it has ended: %v", s.Ended())
	}
	s.Left(room)
	s.RecordDelivered(room, true) // no member any more
	if err := n.Kick(context.Background(), live.ID, "ada", "enough"); err != nil {
		t.Fatal(err)
	}
	<-f.closed
	if e := s.Ended(); e == nil || e.Cause != session.Kicked || e.By != "ada" {
		t.Errorf("it ended as %+v", e)
	}
	s.Finish()
	var end *session.End
	if err := s.RecordReceived([]byte("late")); !errors.As(err, &end) || end.Cause != session.Kicked {
		t.Errorf("what comes behind the end: %v; want the end", err)
	}
	n.only(session.Recorded)
	var kinds []string
	for _, e := range n.events(live.ID) {
		text := e.Kind.String()
		if e.IsData() || e.Kind == session.Upgraded {
			text += " " + string(e.Data)
		}
		kinds = append(kinds, text)
	}
	want := "opened, joined, gap, received 40, sent 40{}, upgraded websocket, sent packet text, noted, left, closed"
	if got := strings.Join(kinds, ", "); got != want { // the gap: there is no such room
		t.Errorf("on record are %s; want %s", got, want)
	}
	if st := l.Status(); st.Live != 0 || st.Accepted != 1 {
		t.Errorf("the listener counts %+v", st)
	}
	if st, err := n.Stats(context.Background()); err != nil || st.Sockets != 0 {
		t.Errorf("%d sockets are held, %v; want none", st.Sockets, err)
	}
}

func TestAConnectionThatOthersRunKeepsTheListenersLimits(t *testing.T) {
	n := newNode(t)
	l := n.host(hub.ListenerConfig{Name: "page", Max: 1, Idle: 100 * time.Millisecond}, nil)
	f := n.admit(l)
	refused := &foreign{closed: make(chan struct{})}
	if s, err := l.Admit(refused); err == nil {
		t.Errorf("a session too many was admitted: %v", s.ID())
	}
	select {
	case <-refused.closed:
		t.Error("a connection that was refused is still the caller's; it was closed")
	default:
	}
	<-f.closed
	if e := f.session.Ended(); e.Cause != session.Idle {
		t.Errorf("ended as %v; want idle", e)
	}
	f.session.Finish()
	l.Close()
	if _, err := l.Admit(refused); err == nil {
		t.Error("a listener that is closed admits")
	}
	if st := l.Status(); st.Refused != 2 || st.Refusals["too many sessions"] != 1 || st.Refusals["shutdown"] != 1 {
		t.Errorf("refusals are %v", st.Refusals)
	}
}

func TestWhoRunsAConnectionRecordsWhatItSendsLast(t *testing.T) {
	n := newNode(t)
	l := n.host(hub.ListenerConfig{Name: "page"}, nil)
	f := n.admit(l)
	s := f.session
	room := session.RoomRef{Room: "page", Session: "9hd2k7w0c3rm-n1", As: session.AsPacket}
	s.Joined(room)
	if err := n.Kick(context.Background(), s.ID(), "ada", "enough"); err != nil {
		t.Fatal(err)
	}
	<-f.closed
	s.RecordSent([]byte(`2["ended",{}]`))
	var end *session.End
	if err := s.RecordReceived([]byte("1")); !errors.As(err, &end) || end.Cause != session.Kicked {
		t.Errorf("what comes behind the end: %v; want the end", err)
	}
	ref := room
	ref.First, ref.Last, ref.Messages, ref.Bytes = 1, 1, 1, 10
	s.RecordDelivered(ref, true)
	s.Left(room)
	s.RecordUnsent(0)
	s.RecordUnsent(4)
	if st := l.Status(); st.Live != 1 {
		t.Errorf("%d are live before it is finished; want 1", st.Live)
	}
	if err := n.Kick(context.Background(), s.ID(), "bob", ""); !errors.Is(err, hub.ErrNotLive) {
		t.Errorf("it is kicked again: %v; want %v", err, hub.ErrNotLive)
	}
	s.Finish()
	s.Finish()
	s.RecordSent([]byte("too late"))
	sum := n.only(session.Recorded)
	if sum.Cause != session.Kicked || sum.By != "ada" || sum.SentBytes != 13+10-4 {
		t.Errorf("recorded is %+v", sum)
	}
	var kinds []string
	for _, e := range n.events(s.ID()) {
		kinds = append(kinds, e.Kind.String())
	}
	want := "opened, joined, sent, received, gap, left, unsent, closed" // the gap: there is no such room
	if got := strings.Join(kinds, ", "); got != want {
		t.Errorf("on record are %s; want %s", got, want)
	}
	if st := l.Status(); st.Live != 0 {
		t.Errorf("%d are live; want none", st.Live)
	}
}

func TestASessionThatItsOwnerGivesUpHasFailed(t *testing.T) {
	n := newNode(t)
	f := n.admit(n.host(hub.ListenerConfig{Name: "page"}, nil))
	f.session.Finish()
	<-f.closed
	if sum := n.only(session.Recorded); sum.Cause != session.Failed {
		t.Errorf("ended as %s; want failed", sum.Cause)
	}
}

func TestASessionThatItsOwnerForgetsIsFinished(t *testing.T) {
	n := newNode(t)
	n.LimitOwners(500 * time.Millisecond)
	f := n.admit(n.host(hub.ListenerConfig{Name: "page"}, nil))
	before := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := n.Shutdown(ctx); err == nil {
		t.Error("the hub has shut down while a session was not finished")
	}
	sum := n.only(session.Recorded)
	if took := time.Since(before); sum.Cause != session.Shutdown || took < 500*time.Millisecond {
		t.Errorf("ended as %s after %v; want shutdown, 500 ms after the end", sum.Cause, took)
	}
	f.session.Finish()
}

// webSockets serves WebSockets as sessions of a listener, and returns the address.
func webSockets(t *testing.T, l *hub.Listener, limit int) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := transport.UpgradeWebSocket(w, r, transport.WebSocketOptions{WriteLimit: limit}); err == nil {
			l.Handle(c)
		}
	}))
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

func dialWebSocket(t *testing.T, addr string) (net.Conn, io.Reader) {
	t.Helper()
	c, rd, _, err := ws.Dial(context.Background(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if rd == nil {
		rd = bufio.NewReader(c)
	}
	return c, rd
}

// readFrame reads the next frame of the server.
func readFrame(t *testing.T, rd io.Reader) ws.Frame {
	t.Helper()
	h, err := ws.ReadHeader(rd)
	if err != nil {
		t.Fatal(err)
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	if _, err := io.ReadFull(rd, f.Payload); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAWebSocketIsASessionOfMessages(t *testing.T) {
	n := newNode(t)
	l := n.host(hub.ListenerConfig{Name: "page", Transport: "ws"}, &echo.Service{Plain: true, Greeting: []byte("hello")})
	c, rd := dialWebSocket(t, webSockets(t, l, 0))
	if got := readFrame(t, rd); string(got.Payload) != "hello" {
		t.Fatalf("greeted by %q", got.Payload)
	}
	for _, text := range []string{"one", "", "你好", "\xff\x00"} {
		if err := wsutil.WriteClientBinary(c, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := readFrame(t, rd); string(got.Payload) != text {
			t.Fatalf("%q comes back as %q", text, got.Payload)
		}
	}
	id := n.only(session.Live).ID
	if err := n.Kick(context.Background(), id, "ada", ""); err != nil {
		t.Fatal(err)
	}
	f := readFrame(t, rd)
	if code, reason := ws.ParseCloseFrameData(f.Payload); f.Header.OpCode != ws.OpClose ||
		code != ws.StatusPolicyViolation || reason != "kicked" {
		t.Errorf("a kick is told as %v %v %q", f.Header.OpCode, code, reason)
	}
	n.only(session.Recorded)
	var got []string
	for _, e := range n.events(id) {
		if e.Kind == session.Received {
			got = append(got, string(e.Data))
		}
	}
	if want := "one||你好|\xff\x00"; strings.Join(got, "|") != want {
		t.Errorf("received %q; want %q", got, want)
	}
}

func TestAWebSocketThatLeavesHasHungUp(t *testing.T) {
	n := newNode(t)
	l := n.host(hub.ListenerConfig{Name: "page", Transport: "ws"}, &echo.Service{Plain: true})
	c, rd := dialWebSocket(t, webSockets(t, l, 0))
	n.only(session.Live)
	if err := ws.WriteFrame(c, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, "")))); err != nil {
		t.Fatal(err)
	}
	if f := readFrame(t, rd); f.Header.OpCode != ws.OpClose {
		t.Errorf("its goodbye is answered by %v", f.Header.OpCode)
	}
	if sum := n.only(session.Recorded); sum.Cause != session.HungUp {
		t.Errorf("ended as %s %s; want hung up", sum.Cause, sum.Detail)
	}
}

// crowded is a service whose sessions are pushed to until they end.
type crowded struct{}

func (crowded) Open(s *hub.Session) error {
	room := session.RoomRef{Room: "r", Session: "9hd2k7w0c3rm-n1"}
	s.Joined(room)
	go func() { // ends with the session
		for i := uint64(1); ; i++ {
			ref := room
			ref.First, ref.Last, ref.Messages, ref.Bytes = i, i, 1, 1000
			if s.Deliver(make([]byte, 1000), ref) != nil {
				return
			}
		}
	}()
	return nil
}

func (crowded) Receive(*hub.Session, []byte) error { return nil }
func (crowded) Close(s *hub.Session)               { s.Left(session.RoomRef{Room: "r"}) }

func TestAWebSocketThatDoesNotReadIsEndedAsSlow(t *testing.T) {
	n := newNode(t)
	_, rd := dialWebSocket(t, webSockets(t, n.host(hub.ListenerConfig{Name: "page", Transport: "ws"}, crowded{}), 100_000))
	sum := n.only(session.Recorded)
	if sum.Cause != session.Slow {
		t.Errorf("ended as %s %s; want slow", sum.Cause, sum.Detail)
	}
	var kinds []session.Kind
	for _, e := range n.events(sum.ID) {
		kinds = append(kinds, e.Kind)
	}
	if end := kinds[max(0, len(kinds)-2):]; end[0] != session.Unsent || end[1] != session.Closed {
		t.Errorf("the record ends with %v; want unsent, closed", end)
	}
	if got := payload(rd); got != sum.SentBytes || got == 0 {
		t.Errorf("%d bytes are on record as sent; %d came", sum.SentBytes, got)
	}
}

// payload counts what comes, the beginning of a last message too.
func payload(rd io.Reader) (n uint64) {
	for {
		h, err := ws.ReadHeader(rd)
		if err != nil {
			return n
		}
		got, err := io.CopyN(io.Discard, rd, h.Length)
		n += uint64(got)
		if err != nil {
			return n
		}
	}
}

// mute is a connection that nothing can be said to.
type mute struct{ foreign }

func (m *mute) Speak([]byte) error {
	return fmt.Errorf("%w: the client is in no room", hub.ErrCannotSend)
}

func TestWhatCannotBeSentIsRefusedAndNotOnRecord(t *testing.T) {
	n := newNode(t)
	m := &mute{foreign{closed: make(chan struct{})}}
	s, err := n.host(hub.ListenerConfig{Name: "page"}, nil).Admit(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Send(context.Background(), s.ID(), "ada", []byte("text")); !errors.Is(err, hub.ErrCannotSend) {
		t.Errorf("it is sent something: %v; want %v", err, hub.ErrCannotSend)
	}
	s.Finish()
	for _, e := range n.events(n.only(session.Recorded).ID) {
		if e.Kind == session.Noted {
			t.Errorf("on record is %q", e.Data)
		}
	}
}
