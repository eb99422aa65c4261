package hub_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

func TestAWrappedConnectionCountsAsOneSocketUntilItEnds(t *testing.T) {
	n := newNode(t)
	l, err := n.Listener(hub.ListenerConfig{Name: "own", Transport: "tcp", Record: session.RecordOn,
		OnFailure: session.OnFailureContinue}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sockets := func() int64 {
		st, err := n.Stats(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return int64(st.Sockets)
	}
	near, far := net.Pipe()
	defer far.Close()
	s, err := n.Wrap(l, near)
	if err != nil {
		t.Fatal(err)
	}
	if got := sockets(); got != 1 {
		t.Errorf("%d sockets while it lives; want 1", got)
	}
	s.Close()
	if got := sockets(); got != 0 {
		t.Errorf("%d sockets once it has ended; want 0", got)
	}
}

func TestAnIndexThatCannotBeWrittenDoesNotKeepAHubFromStopping(t *testing.T) {
	dir := t.TempDir()
	logger := slog.New(slog.DiscardHandler)
	inbox := hub.NewInbox()
	store, err := recording.Open(recording.Options{Dir: dir, OnSealed: inbox.Add, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	idx, err := index.Open(filepath.Join(dir, "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := hub.New(hub.Options{Node: "n1", Store: store, Index: idx, Inbox: inbox, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	idx.Close() // from here on it takes nothing
	l, err := h.Listener(hub.ListenerConfig{Name: "own", Transport: "tcp", Record: session.RecordOn,
		OnFailure: session.OnFailureContinue}, nil)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer far.Close()
	s, err := h.Wrap(l, near)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := h.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := h.FinishIndex(ctx); err == nil {
		t.Error("FinishIndex says that everything is in the index")
	}
}

// pushed hands its sessions to the test, as members of a room.
type pushed struct{ opened chan *hub.Session }

func (p *pushed) Open(s *hub.Session) error {
	s.Joined(session.RoomRef{Room: "r", Session: "4tq9m2xk7bfd-n1"})
	p.opened <- s
	return nil
}
func (p *pushed) Receive(*hub.Session, []byte) error { return nil }
func (p *pushed) Close(s *hub.Session)               { s.Left(session.RoomRef{Room: "r"}) }

func TestWhatASlowMemberNeverGotIsOnItsRecordAsUnsent(t *testing.T) {
	for range 5 {
		n := newNode(t)
		p := &pushed{make(chan *hub.Session, 1)}
		c := dial(t, n.listen(hub.ListenerConfig{Name: "pushed", WriteLimit: 64 << 10}, p))
		c.SetReadBuffer(4096)
		s := <-p.opened
		piece := make([]byte, 32<<10)
		pushed := 0
		for i := uint64(1); ; i++ {
			ref := session.RoomRef{Session: "4tq9m2xk7bfd-n1", Room: "r", First: i, Last: i, Messages: 1, Bytes: uint64(len(piece))}
			if err := s.Deliver(piece, ref); err != nil {
				break
			}
			pushed += len(piece)
		}
		sum := n.only(session.Recorded)
		unsent := 0
		r, err := n.store.Recording(sum.ID, sum.Start)
		if err != nil {
			t.Fatal(err)
		}
		events := r.Cursor(1)
		for {
			batch, err := events.Next(context.Background())
			for _, e := range batch {
				if e.Kind == session.Unsent {
					bytes, _ := strconv.Atoi(string(e.Data))
					unsent += bytes
				}
			}
			if err != nil {
				break
			}
		}
		r.Close()
		if sum.Cause != session.Slow || unsent == 0 || unsent > pushed {
			t.Errorf("it ended as %q; of %d bytes %d are on record as unsent", sum.Cause, pushed, unsent)
		}
		n.stop()
	}
}
