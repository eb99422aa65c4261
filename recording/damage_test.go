package recording

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// chunksOfOne records a session of which every event is a chunk, and returns its events in all.
func chunksOfOne(t testing.TB, s *Store, n int) *session.Info {
	t.Helper()
	info := newInfo()
	l, err := s.Begin(info, Policy{Record: session.RecordOn, OnFailure: session.OnFailureEnd})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := l.Append(session.Received, fmt.Appendf(nil, "event %d", i+2)); err != nil {
			t.Fatal(err)
		}
		l.Flush()
	}
	l.End(session.End{Time: time.Now().UnixMicro(), Cause: session.HungUp})
	return info
}

// sealedFile records a small session and returns its file.
func sealedFile(t testing.TB, dir string, n int) (path string, content []byte) {
	t.Helper()
	s := openStore(t, Options{Dir: dir})
	info := chunksOfOne(t, s, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path = s.sealedPath(info.ID, info.Start)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

// lostIn counts the events that a damaged file does not give back, and fails if it gives back anything else than events
// or gaps that say so.
func lostIn(t *testing.T, path string, events uint64) (lost uint64) {
	t.Helper()
	r, err := openSealed(path)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer r.Close()
	c := r.Cursor(1)
	next := uint64(1)
	for {
		batch, err := c.TryNext()
		if err == io.EOF {
			return events + 1 - next + lost
		}
		if err != nil || len(batch) == 0 {
			t.Fatalf("after event %d: %d events, %v", next-1, len(batch), err)
		}
		for _, e := range batch {
			if e.Number != next {
				t.Fatalf("event %d follows %d", e.Number, next-1)
			}
			next++
			switch e.Kind {
			case session.Gap:
				n := missing(t, e).Events
				lost += n
				next += n - 1
			case session.Received:
				if want := fmt.Sprintf("event %d", e.Number); string(e.Data) != want {
					t.Fatalf("event %d says %q", e.Number, e.Data)
				}
			}
		}
	}
}

// eachFlip calls f with every bit of a file flipped in turn.
func entriesOf(t *testing.T, path string) []indexEntry {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entries, err := readEntries(f, &segment{path: path, file: f})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// segmentOf copies the one segment of a store whose session still lives.
func segmentOf(t testing.TB, dir string, n int, finished bool) (path string, content []byte) {
	t.Helper()
	opt := Options{Dir: dir, SegmentSize: 64 << 10}
	if finished {
		opt.SegmentSize = 400
	}
	s := openStore(t, opt)
	l := begin(t, s, Policy{})
	for i := range n {
		number, err := l.Append(session.Received, fmt.Appendf(nil, "event %d", i+2))
		if err != nil {
			t.Fatal(err)
		}
		l.Flush()
		if err := l.WaitDurable(context.Background(), number); err != nil {
			t.Fatal(err)
		}
	}
	segments, _ := filepath.Glob(filepath.Join(dir, "journal", "*.seg"))
	content, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	l.End(session.End{Cause: session.HungUp})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !finished {
		content = bytes.TrimRight(content, "\x00")
	}
	return segments[0], content
}

func TestAJournalCutAtAnyByteGivesBackEveryRecordBeforeTheCut(t *testing.T) {
	source := t.TempDir()
	name, whole := segmentOf(t, source, 3, false)
	whole = bytes.TrimRight(whole, "\x00")
	probe := filepath.Join(t.TempDir(), "probe.seg")
	os.WriteFile(probe, whole, 0o600)
	entries := entriesOf(t, probe)
	garbage := bytes.Repeat([]byte("SBc1 is no record "), 40)
	for cut := fileMagic; cut <= len(whole); cut++ {
		want := uint64(0)
		for _, e := range entries {
			if e.ref.off+int64(e.ref.length) <= int64(cut) {
				want = e.ref.last()
			}
		}
		for _, tail := range [][]byte{nil, make([]byte, 512), garbage} {
			dir := t.TempDir()
			os.MkdirAll(filepath.Join(dir, "journal"), 0o700)
			os.WriteFile(filepath.Join(dir, "journal", filepath.Base(name)), append(bytes.Clone(whole[:cut]), tail...), 0o600)
			s := openStore(t, Options{Dir: dir, Sync: SyncNone})
			if want > 0 {
				rec, err := s.Recording(entries[0].id, entries[0].ref.t0)
				if err != nil {
					t.Fatalf("cut at %d: %v", cut, err)
				}
				events := readAll(t, rec.Cursor(1))
				// A record whose header came to the disk and whose payload did not was never acknowledged: it may show as a gap.
				if n := len(events) - 2; n >= 0 && events[n].Kind == session.Gap {
					events = append(events[:n], events[n+1])
				}
				if uint64(len(events)) != want+1 || events[want].Kind != session.Closed {
					t.Fatalf("cut at %d: %d events; want %d and closed", cut, len(events), want)
				}
				for i, e := range events[1:want] {
					if e.Number != uint64(i+2) || string(e.Data) != fmt.Sprintf("event %d", i+2) {
						t.Fatalf("cut at %d: event %d says %q", cut, e.Number, e.Data)
					}
				}
				rec.Close()
			}
			if err := s.Close(); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
	}
}
