package hub_test

import (
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

	"github.com/switchboard-relay/switchboard/bus"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// awaitEnd waits until a session that others run has ended, and says how.
func awaitEnd(t testing.TB, f *foreign) *session.End {
	t.Helper()
	select {
	case <-f.closed:
	case <-time.After(20 * time.Second):
		t.Fatal("it has not ended")
	}
	return f.session.Ended()
}

func TestASessionThatNobodyWatchesIsToldOnce(t *testing.T) {
	n := newNode(t)
	f := n.admit(n.host(hub.ListenerConfig{Name: "source", Transport: "tcp"}, nil))
	defer f.session.Finish()
	s := f.session
	keep := func() func() {
		t.Helper()
		release, err := s.Keep()
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	first := keep()
	s.OnUnwatched(0, func() { s.End(session.Done, "nobody") })
	events, err := n.Events(t.Context(), s.ID(), 1)
	if err != nil {
		t.Fatal(err)
	}
	first()
	first() // counts once
	look, err := n.JoinIn(t.Context(), s.ID(), "ada", false)
	if err != nil {
		t.Fatal(err)
	}
	events.Close()
	second := keep()
	look()
	look()
	reader, err := n.Events(t.Context(), s.ID(), 1) // it follows before the last goes
	if err != nil {
		t.Fatal(err)
	}
	second()
	if err := s.RecordSent([]byte("still here")); err != nil {
		t.Fatalf("it ended while somebody watched: %v", err)
	}
	for seen := ""; !strings.Contains(seen, "still here"); {
		batch, err := reader.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range batch {
			seen += string(e.Data)
		}
	}
	reader.Close()
	if e := awaitEnd(t, f); e.Cause != session.Done || e.Detail != "nobody" {
		t.Errorf("it ended as %+v", e)
	}
	if _, err := s.Keep(); !errors.Is(err, hub.ErrNotLive) {
		t.Errorf("an ended session was kept: %v", err)
	}
	if _, err := n.JoinIn(t.Context(), s.ID(), "ada", false); !errors.Is(err, hub.ErrNotLive) {
		t.Errorf("an ended session was joined: %v", err)
	}
}

func TestWhoComesBackInTimeKeepsTheSession(t *testing.T) {
	n := newNode(t)
	f := n.admit(n.host(hub.ListenerConfig{Name: "source", Transport: "tcp"}, nil))
	defer f.session.Finish()
	f.session.OnUnwatched(time.Hour, func() { t.Error("somebody kept it") })
	for range 10 {
		release, err := f.session.Keep()
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
	f.session.End(session.Done, "")
	awaitEnd(t, f)
}

func TestASessionWhoseFarEndTakesNothingSaysSo(t *testing.T) {
	n := newNode(t)
	l := n.host(hub.ListenerConfig{Name: "source", Transport: "tcp"}, nil)
	f := &silent{foreign: foreign{closed: make(chan struct{})}}
	s, err := l.Admit(f)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Finish()
	if err := n.Send(t.Context(), s.ID(), "ada", []byte("x")); !errors.Is(err, hub.ErrCannotSend) || !strings.Contains(err.Error(), "deaf") {
		t.Errorf("sending: %v", err)
	}
	if err := n.Type(t.Context(), s.ID(), "ada", []byte("x")); !errors.Is(err, hub.ErrCannotType) || !strings.Contains(err.Error(), "deaf") {
		t.Errorf("typing: %v", err)
	}
	s.End(session.Shutdown, "")
	if e := s.Ended(); e.Code != 5 {
		t.Errorf("it ended as %+v; want code 5", e)
	}
}

type silent struct{ foreign }

func (*silent) TakesNothing() string        { return "the far end is deaf" }
func (*silent) Conclude(e *session.End)     { e.Code = 5 }
func (f *silent) RemoteAddr() net.Addr      { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 7001} }
func (f *silent) Datagrams() bool           { return false }
func (f *silent) Write([]byte) (int, error) { return 0, hub.ErrCannotSend }

// twoNodes are hubs that share a bus.
func twoNodes(t *testing.T) (a, b *node) {
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	wires, err := bus.Open(bus.Options{StoreDir: t.TempDir(), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { wires.Close() })
	make := func(name string) *node {
		dir, inbox := t.TempDir(), hub.NewInbox()
		store, err := recording.Open(recording.Options{Dir: dir, Logger: logger, OnSealed: inbox.Add})
		if err != nil {
			t.Fatal(err)
		}
		idx, err := index.Open(filepath.Join(dir, "index.db"))
		if err != nil {
			t.Fatal(err)
		}
		h, err := hub.New(hub.Options{Node: name, Store: store, Index: idx, Inbox: inbox, Bus: wires, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			h.Shutdown(context.Background())
			store.Close()
			h.FinishIndex(context.Background())
			idx.Close()
		})
		return &node{Hub: h, t: t, store: store, dir: dir}
	}
	return make("n1"), make("n2")
}

func TestAKickOfASourcesSessionIsAnsweredByTheSource(t *testing.T) {
	near, far := twoNodes(t)
	ref := threeend.Ref{Source: "plant", Kind: "ssh", ID: "42"}
	answer := threeend.Kicked.Answer()
	var said error
	f := near.admitAs(near.host(hub.ListenerConfig{Name: "source", Transport: "tcp"}, nil), hub.About{
		Kick: func(_ context.Context, by, reason string) (threeend.Answer, error) {
			if by != "ada" || reason != "enough" {
				t.Errorf("kicked by %q: %q", by, reason)
			}
			return answer, said
		}})
	defer f.session.Finish()
	id := f.session.ID()
	for name, n := range map[string]*node{"here": near, "from another node": far} {
		said = nil
		got, err := n.KickAnswered(t.Context(), id, "ada", "enough")
		if err != nil || got == nil || *got != answer {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		said = &threeend.OverError{Ref: ref, Answer: threeend.Over.Answer(), Err: fmt.Errorf("no answer within 5s")}
		var over *threeend.OverError
		if err := n.Kick(t.Context(), id, "ada", "enough"); !errors.As(err, &over) || over.Ref != ref || over.Asked ||
			over.Answer.Code != 5 || over.Error() != "plant/ssh:42: no answer within 5s" {
			t.Errorf("%s, without an answer: %v", name, err)
		}
		for _, known := range []error{threeend.ErrBusy, threeend.ErrNoSource} {
			said = fmt.Errorf("%w: try again", known)
			if err := n.Kick(t.Context(), id, "ada", "enough"); !errors.Is(err, known) || err.Error() != said.Error() {
				t.Errorf("%s: %v; want %v", name, err, said)
			}
		}
		if f.session.Ended() != nil {
			t.Fatalf("%s: the kick ended it: %v", name, f.session.Ended())
		}
	}
	f.session.End(session.Kicked, "")
	for name, n := range map[string]*node{"here": near, "from another node": far} {
		if _, err := n.KickAnswered(t.Context(), id, "ada", ""); !errors.Is(err, hub.ErrNotLive) {
			t.Errorf("%s: an ended session is kicked: %v", name, err)
		}
	}
	other := near.admit(near.host(hub.ListenerConfig{Name: "page", Transport: "tcp"}, nil))
	defer other.session.Finish()
	if got, err := far.KickAnswered(t.Context(), other.session.ID(), "ada", "enough"); got != nil || err != nil {
		t.Errorf("a session that is no source's: %+v, %v", got, err)
	}
	if e := awaitEnd(t, other); e.Cause != session.Kicked || e.By != "ada" {
		t.Errorf("it ended as %+v", e)
	}
}
