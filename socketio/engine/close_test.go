package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

func TestAServerThatClosesTellsEverybody(t *testing.T) {
	h := newHouse(t, options{})
	s := h.open(4)
	a := h.ask("GET", h.url(4, "polling", ""), "")
	c := h.next("open").conn
	waits := &poller{h: h, revision: 4, sid: sidOf(t, a.body)}
	got := waits.background(context.Background())
	waitFor(t, "the poll is there", c.Polled)
	later := h.poll(3, "")
	probing := later.probe()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.engine.Close(ctx); err != nil {
		t.Fatalf("Close: got %v, want no error", err)
	}
	if got := h.engine.Len(); got != 0 {
		t.Errorf("connections: got %d, want none", got)
	}
	for range 3 {
		h.wantClosed(engine.ServerShutdown)
	}
	s.wantClose(1001)
	if a := h.wait(got); a.body != "1" {
		t.Errorf("the poll that waited: got %q, want 1", a.body)
	}
	later.wantGet("1:1")
	probing.wantEnd()
	if a := h.ask("GET", h.url(4, "polling", ""), ""); a.status != 503 {
		t.Errorf("a handshake: got %d, want 503", a.status)
	}
	if err := h.engine.Close(ctx); err != nil {
		t.Errorf("closing again: got %v, want no error", err)
	}
}

func TestCloseWaitsForHandlersButNotLongerThanItMay(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	h := newHouse(t, options{message: func(*engine.Conn, []byte, bool) error {
		entered <- true
		<-leave
		return nil
	}})
	s := h.open(4)
	s.send("4x")
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := h.engine.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: got %v, want %v", err, context.DeadlineExceeded)
	}
	select {
	case e := <-h.events.seen:
		t.Errorf("got %s while Message had not returned", e.what)
	default:
	}
	close(leave)
	h.wantClosed(engine.ServerShutdown)
}
