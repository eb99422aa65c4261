package recording

import (
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

func TestWhoYieldsWaitsSoonerThanOthers(t *testing.T) {
	s := openStore(t, Options{QueueLimit: 1 << 20})
	yields, other := begin(t, s, Policy{Yields: true}), begin(t, s, Policy{})
	var few, many []*chunk = make([]*chunk, yieldsTo-1), make([]*chunk, yieldsTo)
	for _, c := range []struct {
		log     *Log
		pending []*chunk
		queued  int64
		want    bool
	}{
		{yields, many, 0, false},
		{yields, many, 1<<20/yieldsAt - 1, false},
		{yields, many, 1 << 20 / yieldsAt, true},
		{yields, few, 1 << 20 / yieldsAt, false},
		{yields, few, 1 << 20, true},
		{other, many, 1<<20 - 1, false},
		{other, few, 1 << 20, true},
	} {
		l := &Log{store: &Store{opt: s.opt}, yields: c.log.yields, pending: c.pending}
		l.store.queued.Store(c.queued)
		if got := l.waits(); got != c.want {
			t.Errorf("yields %v, %d chunks and %d bytes in all: waits %v", l.yields, len(c.pending), c.queued, got)
		}
	}
}

func TestWhoYieldsGetsOnAllTheSame(t *testing.T) {
	s := openStore(t, Options{QueueLimit: 1 << 20})
	l := begin(t, s, Policy{Yields: true})
	const n = 500
	for range n {
		if _, err := l.Append(session.Sent, make([]byte, 30<<10)); err != nil {
			t.Fatal(err)
		}
	}
	l.End(session.End{Cause: session.Done})
	sent := 0
	for _, e := range readAll(t, l.Cursor(1)) {
		if e.Kind == session.Sent {
			sent++
		}
	}
	if sent != n {
		t.Errorf("%d of %d events are on record", sent, n)
	}
}
