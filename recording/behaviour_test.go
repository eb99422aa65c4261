package recording

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

func durably(t testing.TB, l *Log, k session.Kind, data []byte) uint64 {
	t.Helper()
	n, err := l.Append(k, data)
	if err != nil {
		t.Fatal(err)
	}
	l.Flush()
	if err := l.WaitDurable(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	return n
}

// awaitMoved fills segments beside logs until the journal is shortened and they have moved to files of their own.
func awaitMoved(t testing.TB, s *Store, logs ...*Log) {
	t.Helper()
	busy := begin(t, s, Policy{})
	data := make([]byte, 8<<10)
	for i := range data {
		data[i] = byte(i*i>>3 ^ i*31)
	}
	for range 10_000 {
		durably(t, busy, session.Sent, data)
		moved := 0
		for _, l := range logs {
			l.mu.Lock()
			if l.seldom().part != nil {
				moved++
			}
			l.mu.Unlock()
		}
		if moved == len(logs) {
			busy.End(session.End{Cause: session.Done})
			return
		}
	}
	t.Fatal("the journal was never shortened")
}

func TestASessionThatLivesLongMovesToItsOwnFileAndIsWholeAfterwards(t *testing.T) {
	sealed := make(chan session.Summary, 10)
	s := openStore(t, Options{SegmentSize: 32 << 10, JournalLimit: 64 << 10,
		OnSealed: func(sum session.Summary) { sealed <- sum }})
	l := begin(t, s, Policy{})
	early := l.Cursor(1)
	for i := range 20 {
		durably(t, l, session.Received, fmt.Appendf(nil, "event %d", i+2))
	}
	awaitMoved(t, s, l)
	for i := range 20 {
		durably(t, l, session.Received, fmt.Appendf(nil, "event %d", i+22))
	}
	l.End(session.End{Cause: session.HungUp})
	check := func(c *Cursor) {
		t.Helper()
		events := readAll(t, c)
		checkOnceInOrder(t, events, 1)
		for _, e := range events[1 : len(events)-1] {
			if want := fmt.Sprintf("event %d", e.Number); string(e.Data) != want {
				t.Fatalf("event %d says %q", e.Number, e.Data)
			}
		}
	}
	check(early)
	for sum := range sealed {
		if sum.ID != l.ID() {
			continue
		}
		rec, err := s.Recording(sum.ID, sum.Start)
		if err != nil {
			t.Fatal(err)
		}
		check(rec.Cursor(1))
		rec.Close()
		break
	}
	if parts, _ := filepath.Glob(filepath.Join(s.journalDir(), "*.part")); len(parts) != 0 {
		t.Errorf("%v remain", parts)
	}
}

// kill lets go of a store as the end of its process would: files stay as they are.
func TestCursorsReadOnWhileTheSessionIsSealedUnderThem(t *testing.T) {
	s := openStore(t, Options{SegmentSize: 64 << 10, JournalLimit: 128 << 10, ChunkAge: time.Millisecond})
	var wg sync.WaitGroup
	for range 30 {
		l := begin(t, s, Policy{})
		for i := range 8 {
			c := l.Cursor(uint64(i + 1))
			wg.Go(func() {
				events := readAll(t, c)
				checkOnceInOrder(t, events, uint64(i+1))
			})
		}
		for i := range 200 {
			l.Append(session.Sent, bytes.Repeat([]byte{byte(i)}, i*7))
		}
		l.End(session.End{Cause: session.Done})
	}
	wg.Wait()
}

func TestAnIdleLogTakesLittleMemory(t *testing.T) {
	s := openStore(t, Options{Sync: SyncNone})
	const n = 5000
	var logs []*Log
	for range n { // as many before, so that what is made once, for a burst of them, is there
		logs = append(logs, begin(t, s, Policy{}))
	}
	if err := logs[n-1].WaitDurable(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	before := heap()
	for range n {
		logs = append(logs, begin(t, s, Policy{}))
	}
	last := logs[len(logs)-1]
	if err := last.WaitDurable(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	// The info is the caller's; what one takes is measured and left out.
	const info = 400
	each := (heap()-before)/n - info
	for deadline := time.Now().Add(10 * time.Second); each > 700 && time.Now().Before(deadline); {
		each = (heap()-before)/n - info // what the journal has written it lets go of a moment later
	}
	if each > 700 {
		t.Errorf("%d B of heap for an idle log beside its info; want at most 700", each)
	}
	for _, l := range logs {
		l.End(session.End{Cause: session.Done})
	}
}

func TestAStoreThatIsClosedRefusesNewSessionsAndHasSealedAllOthers(t *testing.T) {
	s := openStore(t, Options{})
	var infos []*session.Info
	for range 200 {
		infos = append(infos, chunksOfOne(t, s, 2))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, info := range infos {
		if lost := lostIn(t, s.sealedPath(info.ID, info.Start), 4); lost != 0 {
			t.Errorf("%d events of %s are lost", lost, info.ID)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.journalDir(), "*.seg")); len(left) != 0 {
		t.Errorf("segments remain: %v", left)
	}
	if _, err := s.Begin(newInfo(), Policy{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Begin: %v; want ErrClosed", err)
	}
}

func TestADamagedRecordingPlaysOnAfterAGapThatSaysHowMuchIsMissing(t *testing.T) {
	path, whole := sealedFile(t, t.TempDir(), 3)
	whole[bytes.Index(whole, []byte("event 3"))] ^= 0x20
	os.WriteFile(path, whole, 0o600)
	r, err := openSealed(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var kinds []string
	for c := r.Cursor(1); ; {
		events, err := c.TryNext()
		if err == io.EOF {
			break
		}
		for _, e := range events {
			kinds = append(kinds, fmt.Sprintf("%d %v", e.Number, e.Kind))
			if e.Kind == session.Gap && (missing(t, e).Events != 1 || missing(t, e).Reason != "damaged") {
				t.Errorf("gap says %s", e.Data)
			}
		}
	}
	if got, want := fmt.Sprint(kinds), "[1 opened 2 received 3 gap 4 received 5 closed]"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}
