package sourceserver_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/sourceserver"
	"github.com/switchboard-relay/switchboard/session"
)

func TestAViewerThatTakesNothingEndsAsSlowAndHoldsNothingUp(t *testing.T) {
	h := newHouse(t, func(svc *sourceserver.Service) { svc.Patience = 200 * time.Millisecond })
	for _, addr := range []string{h.terminals, h.bytes} {
		f := h.begin(addr)
		go io.Copy(io.Discard, f.conn)
		a := h.ask(view(string(f.ID())))
		h.until("it is watched", func() bool { return f.Watchers() == 1 })
		page := bytes.Repeat([]byte("0123456789abcdef\r\n"), 3000)
		for sent := 0; h.ended[a.conn.LocalAddr().String()] == nil; sent += len(page) {
			if _, err := f.Write(page); err != nil {
				t.Fatal(err)
			}
			if sent > 512<<20 {
				t.Fatal("512 MiB were sent, and the viewer that takes nothing is still there")
			}
			for _, s := range h.endings.Take() {
				h.ended[s.RemoteAddr().String()] = s.Ended()
			}
		}
		if end := h.end(a); end.Cause != session.Slow || !strings.Contains(end.Detail, "200ms") {
			t.Errorf("got %+v, want slow", end)
		}
		if f.Ended() != nil {
			t.Errorf("got %+v of the session that was watched, want that it lives", f.Ended())
		}
	}
}

func TestAViewerThatWasLateSeesTheScreenOfNow(t *testing.T) {
	t.Cleanup(sourceserver.SetLate(time.Millisecond, time.Millisecond)) // once the house has been left
	h := newHouse(t, nil)
	f := h.begin(h.terminals)
	go io.Copy(io.Discard, f.conn)
	a := h.ask(view(string(f.ID())))
	a.await("v:80x24")
	viewer := h.live(func(s *hub.Session) bool { return s.RemoteAddr().String() == a.conn.LocalAddr().String() })
	page := bytes.Repeat([]byte("old old old old old old old old\r\n"), 2000)
	for total := uint64(0); total < viewer.Totals().SentBytes+16<<20; total = f.Totals().SentBytes { // more than sockets hold
		if _, err := f.Write(page); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Write([]byte("\x1b[2J\x1b[Hthe newest")); err != nil {
		t.Fatal(err)
	}
	views, got := 0, 0
	for _, s := range a.await("d:the newest") {
		got += len(s)
		if strings.HasPrefix(s, "v:") {
			views++
		}
	}
	if shown := f.Totals().SentBytes; views == 0 || uint64(got) > shown-8<<20 {
		t.Errorf("got %d sizes and %d bytes, of %d that were shown; want the screen drawn anew, and much less than all", views, got, shown)
	}
}

func TestWhoTalksOnBehindTheRequestIsEnded(t *testing.T) {
	h := newHouse(t, nil)
	f := h.begin(h.terminals)
	a := h.ask(view(string(f.ID())))
	a.await("v:80x24")
	go io.Copy(io.Discard, a.r)
	for range 100 {
		if _, err := a.conn.Write(make([]byte, 1<<10)); err != nil {
			break
		}
	}
	if end := h.end(a); end.Cause != session.Failed || !strings.Contains(end.Detail, "talking") {
		t.Errorf("got %+v, want failed", end)
	}
}

func TestSilenceIsAnsweredFive(t *testing.T) {
	h := newHouse(t, nil)
	silent, slow := h.ask(""), h.ask("[flag]=0&[sess")
	silent.expect("5")
	slow.expect("5")
	for _, a := range []*asker{silent, slow} {
		if end := h.end(a); end.Cause != session.Refused || !strings.Contains(end.Detail, "within 5s") {
			t.Errorf("got %+v, want refused", end)
		}
	}
}

// FuzzRequest sends whatever it likes to a real listener, and holds that each is answered by 5, and harms nothing.
func FuzzRequest(f *testing.F) {
	h := newHouse(f, nil)
	watched := h.begin(h.terminals)
	for _, seed := range []string{"", "x", view("a"), kick("zzzz"), "[flag]=", "[flag]=1&[sessionid]=\x00", strings.Repeat("\xff", 3000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		if len(request) > 32<<10 || bytes.Contains(request, []byte(watched.ID().Short()[:1])) {
			return // it might name the session, and end it
		}
		mine := *h
		mine.t = t
		a := mine.ask(string(request))
		a.conn.CloseWrite()
		rest, err := io.ReadAll(a.r)
		if err != nil || len(rest) > 1 || len(rest) == 1 && rest[0] != '5' {
			t.Fatalf("%q: got %q, %v; want 5, or nothing for what is no whole request", request, rest, err)
		}
		a.conn.Close()
		if _, err := h.hub.Find(context.Background(), string(watched.ID())); err != nil || watched.Ended() != nil {
			t.Fatalf("%q: %v, %v of the session that was there", request, err, watched.Ended())
		}
	})
}
