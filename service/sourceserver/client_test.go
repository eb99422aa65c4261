package sourceserver_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/source"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// client makes our own client of sources, for which the house is the source "ours" with kind "any".
func (h *house) client() *source.Sources {
	h.t.Helper()
	c := source.New(h.hub, slog.New(slog.DiscardHandler))
	h.t.Cleanup(c.Close)
	if err := c.Configure([]source.Config{{Name: "back", Kinds: map[string]string{"any": h.source}, AnswerTimeout: 30 * time.Second,
		MaxSessions: 100, MaxDials: 10, Record: session.RecordOn, OnFailure: session.OnFailureContinue, Terminal: "80x24"}}); err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *house) screen(id session.ID) []byte {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, err := h.hub.Screen(ctx, id, math.MaxUint64)
	if err != nil {
		h.t.Fatal(err)
	}
	return append(fmt.Appendf(nil, "%s ", s.Size), s.Data...)
}

func (h *house) alike(a, b session.ID) {
	h.t.Helper()
	h.until("both screens are the same", func() bool { return bytes.Equal(h.screen(a), h.screen(b)) })
}

func TestOurOwnClientShowsWhatOurOwnServerDoes(t *testing.T) {
	h := newHouse(t, nil)
	c := h.client()
	f := h.begin(h.terminals)
	f.SetName("door")
	f.shows("\x1b[31m中文\x1b[0m before\r\n\x1b[5;10Hthere")
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	ref := threeend.Ref{Source: "back", Kind: "any", ID: "door"}
	s, release, err := c.Open(ctx, ref, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	h.alike(f.ID(), s.ID())
	for i := range 100 {
		f.shows(fmt.Sprintf("\r\nline %d 好\x1b[4%dm x", i, i%8))
	}
	f.Resize(101, 31)
	f.shows("\x1b[2;2Hresized")
	f.types("ls -l\r")
	h.until("what was typed arrives", func() bool { return s.Totals().ReceivedBytes == 6 })
	h.alike(f.ID(), s.ID())

	if answer, err := c.Kick(ctx, ref, "ada", "enough"); err != nil || answer.Code != 3 {
		t.Fatalf("got %+v, %v of the kick; want code 3", answer, err)
	}
	h.until("the session has ended on both sides", func() bool { return f.Ended() != nil && s.Ended() != nil })
	if e := s.Ended(); e.Cause != session.Kicked || e.Code != 3 {
		t.Errorf("got %+v on our client's side, want kicked, code 3", e)
	}
	list := h.events(s.ID())
	if !slices.Contains(list, "resized:101x31") || !slices.Contains(list, "received:ls -l\r") {
		t.Errorf("got %.2000q, want the resize and what was typed on record", list)
	}
}

func TestOurOwnClientIsToldOfTheEndAndWhoLeavesIsGone(t *testing.T) {
	h := newHouse(t, nil)
	c := h.client()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for _, addr := range []string{h.terminals, h.bytes} {
		f := h.begin(addr)
		f.shows("here")
		ref := threeend.Ref{Kind: "any", ID: string(f.ID())}
		s, release, err := c.Open(ctx, ref, "test")
		if err != nil {
			t.Fatal(err)
		}
		release()
		h.until("nobody watches any more", func() bool { return s.Ended() != nil && f.Watchers() == 0 })
		if s, release, err = c.Open(ctx, ref, "test"); err != nil {
			t.Fatal(err)
		}
		f.conn.Close()
		h.until("the end is told", func() bool { return s.Ended() != nil })
		if e := s.Ended(); e.Code != 5 || e.Cause != session.Done {
			t.Errorf("got %+v, want done, code 5", e)
		}
		release()
		if _, _, err := c.Open(ctx, ref, "test"); err == nil {
			t.Error("a session that is over can be opened")
		}
	}
	h.until("none is left", func() bool {
		n := 0
		h.hub.EachLive(func(*hub.Session) bool { n++; return true })
		return n == 0
	})
}
