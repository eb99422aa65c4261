package recording

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func openStore(t testing.TB, opt Options) *Store {
	t.Helper()
	if opt.Dir == "" {
		opt.Dir = t.TempDir()
	}
	if opt.Logger == nil {
		opt.Logger = quiet()
	}
	s, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newInfo() *session.Info {
	return &session.Info{ID: session.NewID("n1"), Listener: "test", Transport: "tcp", Remote: "127.0.0.1:1",
		Start: time.Now().UnixMicro()}
}

func begin(t testing.TB, s *Store, p Policy) *Log {
	t.Helper()
	if p.Record == "" {
		p.Record = session.RecordOn
	}
	if p.OnFailure == "" {
		p.OnFailure = session.OnFailureContinue
	}
	l, err := s.Begin(newInfo(), p)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// readAll reads a cursor to its end.
func readAll(t testing.TB, c *Cursor) []session.Event {
	t.Helper()
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var all []session.Event
	for {
		events, err := c.Next(ctx)
		for _, e := range events {
			e.Data = append([]byte(nil), e.Data...)
			all = append(all, e)
		}
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("cursor after %d events: %v", len(all), err)
		}
	}
}

func checkOnceInOrder(t testing.TB, events []session.Event, from uint64) {
	t.Helper()
	for i, e := range events {
		if want := from + uint64(i); e.Number != want {
			t.Fatalf("event %d has number %d; want %d", i, e.Number, want)
		}
		if i > 0 && e.Time < events[i-1].Time {
			t.Fatalf("event %d is earlier than the one before", e.Number)
		}
	}
	if len(events) == 0 || events[len(events)-1].Kind != session.Closed {
		t.Fatalf("%d events, the last is not closed", len(events))
	}
}

func TestARecordingGivesBackTheExactBytesOfBothDirections(t *testing.T) {
	sealed := make(chan session.Summary, 1)
	s := openStore(t, Options{OnSealed: func(sum session.Summary) { sealed <- sum }})
	l := begin(t, s, Policy{})
	r := rand.New(rand.NewPCG(1, 2))
	var received, sent []byte
	for range 2000 {
		b := make([]byte, r.IntN(3000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			sent = append(sent, b...)
			if _, err := l.Append(session.Sent, b); err != nil {
				t.Fatal(err)
			}
			continue
		}
		received = append(received, b...)
		src := bytes.NewReader(b)
		for src.Len() > 0 {
			h, err := l.Fill(session.Received, func(p []byte) (int, error) { return src.Read(p) })
			if err != nil {
				t.Fatal(err)
			}
			h.Release()
		}
	}
	live := l.Cursor(1)
	l.End(session.End{Time: time.Now().UnixMicro(), Cause: session.Kicked, By: "ann"})
	sum := <-sealed
	if sum.Cause != session.Kicked || sum.By != "ann" || sum.ReceivedBytes != uint64(len(received)) ||
		sum.SentBytes != uint64(len(sent)) {
		t.Errorf("summary %+v; want kicked by ann, %d and %d bytes", sum, len(received), len(sent))
	}
	rec, err := s.Recording(sum.ID, sum.Start)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	for name, c := range map[string]*Cursor{"the live cursor": live, "the sealed file": rec.Cursor(1)} {
		events := readAll(t, c)
		checkOnceInOrder(t, events, 1)
		var gotReceived, gotSent []byte
		for _, e := range events {
			switch e.Kind {
			case session.Received:
				gotReceived = append(gotReceived, e.Data...)
			case session.Sent:
				gotSent = append(gotSent, e.Data...)
			}
		}
		if !bytes.Equal(gotReceived, received) || !bytes.Equal(gotSent, sent) {
			t.Errorf("%s: %d received and %d sent bytes differ from the %d and %d recorded", name, len(gotReceived),
				len(gotSent), len(received), len(sent))
		}
	}
}

func TestManyCursorsThatJoinAtAnyTimeSeeEachEventOnceInOrder(t *testing.T) {
	s := openStore(t, Options{SegmentSize: 1 << 20, ChunkAge: 5 * time.Millisecond})
	l := begin(t, s, Policy{})
	const events = 20_000
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			from := uint64(1 + i*250)
			for l.Events() < uint64(i*400) { // joins when the session has got that far
				if err := l.WaitDurable(context.Background(), min(uint64(i*400), events)); err != nil {
					break
				}
			}
			checkOnceInOrder(t, readAll(t, l.Cursor(from)), from)
		})
	}
	for i := range events {
		data := fmt.Appendf(nil, "%d:%0*d", i, i%700, i)
		if _, err := l.Append(session.Received, data); err != nil {
			t.Fatal(err)
		}
	}
	l.End(session.End{Cause: session.HungUp})
	wg.Wait()
}

func TestWaitDurableReturnsOnlyWhenTheEventIsOnDisk(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	l := begin(t, s, Policy{Record: session.RecordStrict})
	n, err := l.Append(session.Received, []byte("acknowledged"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.WaitDurable(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	found := false
	_, err = Verify(dir, func(d Damage) { t.Errorf("damage: %v", d) })
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range s.segments {
		b := make([]byte, 1<<16)
		k, _ := g.file.ReadAt(b, 0)
		found = found || bytes.Contains(b[:k], []byte("acknowledged"))
	}
	if !found {
		t.Error("the event is in no segment")
	}
	l.End(session.End{Cause: session.Done})
}

func TestAppendAndFillAllocateNothingOnceWarm(t *testing.T) {
	s := openStore(t, Options{Sync: SyncNone})
	l := begin(t, s, Policy{})
	defer l.End(session.End{Cause: session.Done})
	data := bytes.Repeat([]byte("x"), 100)
	read := func(p []byte) (int, error) { return copy(p, data), nil }
	work := func() {
		for range 100 {
			l.Append(session.Sent, data)
			h, _ := l.Fill(session.Received, read)
			h.Release()
		}
	}
	work()
	// The journal works beside: what it allocates per round is spread over many events.
	if allocs := testing.AllocsPerRun(200, work); allocs > 20 {
		t.Errorf("%v allocations for 200 events; want under one for ten", allocs)
	}
}

func TestAnInterruptedLogWaitsForNothingAndCanStillEnd(t *testing.T) {
	s := openStore(t, Options{QueueLimit: 1 << 20})
	l := begin(t, s, Policy{})
	l.Interrupt()
	if _, err := l.Fill(session.Received, func(p []byte) (int, error) { return 1, nil }); !errors.Is(err, ErrInterrupted) {
		t.Errorf("Fill: %v; want ErrInterrupted", err)
	}
	l.End(session.End{Cause: session.Kicked})
	events := readAll(t, l.Cursor(1))
	if last := events[len(events)-1]; last.Kind != session.Closed || !bytes.Contains(last.Data, []byte("kicked")) {
		t.Errorf("last event %v %s; want closed, kicked", last.Kind, last.Data)
	}
}

func TestASessionThatIsNotRecordedIsWatchedFromWhenTheWatcherCame(t *testing.T) {
	s := openStore(t, Options{})
	l := begin(t, s, Policy{Record: session.RecordOff})
	l.Append(session.Received, []byte("before"))
	c := l.Cursor(1)
	l.Append(session.Received, []byte("after"))
	l.End(session.End{Cause: session.HungUp})
	events := readAll(t, c)
	if len(events) != 2 || string(events[0].Data) != "after" || events[1].Kind != session.Closed {
		t.Errorf("got %v; want after and closed", events)
	}
	if got := l.Totals().ReceivedEvents; got != 2 {
		t.Errorf("%d events counted; want 2", got)
	}
}

func TestASecondProcessIsToldThatTheFolderIsInUse(t *testing.T) {
	dir := t.TempDir()
	openStore(t, Options{Dir: dir})
	if _, err := Open(Options{Dir: dir, Logger: quiet()}); err == nil ||
		!bytes.Contains([]byte(err.Error()), []byte("another switchboard")) {
		t.Errorf("second Open: %v; want an error that says who has it", err)
	}
}
