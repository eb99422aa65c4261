package recording

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

// FuzzRecords reads arbitrary bytes as a segment and as a sealed file: nothing panics, nothing takes more memory than
// the limits allow, and cursors give numbers that rise.
func FuzzRecords(f *testing.F) {
	_, sealed := sealedFile(f, f.TempDir(), 3)
	f.Add(sealed)
	_, segment := segmentOf(f, f.TempDir(), 2, false)
	f.Add(segment)
	_, finished := segmentOf(f, f.TempDir(), 2, true)
	f.Add(finished)
	f.Add(sealed[:len(sealed)-trailerSize])
	f.Add([]byte(sealedMagic))
	f.Add(bytes.Repeat([]byte("SBc1"), 100))
	huge := header{length: maxPayload, raw: maxRaw, count: 1, first: 1 << 62, id: "x"}
	b := make([]byte, headerSize)
	huge.put(b)
	f.Add(append([]byte(sealedMagic), b...))
	dir := f.TempDir()
	os.MkdirAll(filepath.Join(dir, "recordings"), 0o700)
	os.MkdirAll(filepath.Join(dir, "journal"), 0o700)
	path := filepath.Join(dir, "recordings", "4tq9m2xk7bfd-n1.sbr")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(dir, func(Damage) {}); err != nil {
			t.Fatal(err)
		}
		r, err := openSealed(path)
		if err != nil {
			return
		}
		defer r.Close()
		r.NumberAt(1)
		if a, err := r.Activity(t.Context(), 0, 0, 10); err != nil || len(a.Sent) == 0 || len(a.Sent) > 10 {
			t.Fatalf("Activity: %+v, %v", a, err)
		}
		if n, err := r.Before(5, 1000); n == 0 || n > 5 || err != nil {
			t.Fatalf("Before: %d, %v", n, err)
		}
		last := uint64(0)
		for c, i := r.Cursor(1), 0; i < 10_000; i++ {
			events, err := c.TryNext()
			if err == io.EOF {
				break
			}
			if err != nil || len(events) == 0 {
				t.Fatalf("after event %d: %d events, %v", last, len(events), err)
			}
			for _, e := range events {
				if e.Number <= last {
					t.Fatalf("event %d follows %d", e.Number, last)
				}
				last = e.Number
			}
		}
	})
}

// FuzzEvents reads arbitrary bytes as a payload.
func FuzzEvents(f *testing.F) {
	b := make([]byte, eventHeader+3)
	putEventHeader(b, session.Received, 3, 5)
	f.Add(b, uint64(1), int64(0))
	f.Add([]byte{1, 255, 255, 255, 0, 0, 0, 0}, uint64(1), int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, first uint64, t0 int64) {
		events, _ := parseEvents(nil, raw, first, t0)
		size := 0
		for i, e := range events {
			size += eventHeader + len(e.Data)
			if e.Number != first+uint64(i) {
				t.Fatalf("event %d has number %d", i, e.Number)
			}
		}
		if size > len(raw) {
			t.Fatalf("%d bytes of events in %d", size, len(raw))
		}
	})
}
