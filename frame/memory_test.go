package frame_test

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/switchboard-relay/switchboard/frame"
)

func TestAnIdleReaderIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(frame.Reader{}); n > 128 {
		t.Errorf("a reader has %d bytes; want at most 128", n)
	}
}

func TestMessagesCostNoAllocation(t *testing.T) {
	each := func(*frame.Message) error { return nil }
	for _, row := range benched(t) {
		r := row.dialect.Reader(false)
		stream := bytes.Repeat(row.message, 50)
		once := func() {
			if err := r.Feed(stream, noon, each); err != nil {
				t.Fatal(err)
			}
			for rest := stream; len(rest) > 0; {
				n := min(len(rest), 23)
				if err := r.Feed(rest[:n], noon, each); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
		}
		once()
		// The race detector makes pools forget on purpose: what is borrowed from them is then made anew.
		if got := testing.AllocsPerRun(20, once); got > 0 && !raced {
			t.Errorf("%s: %v allocations for 150 messages; want none", row.name, got)
		}
	}
}

func TestNoCopyIsMadeOfAMessageThatLiesWithinOnePiece(t *testing.T) {
	for _, row := range benched(t) {
		if row.name == "between, with escapes" {
			continue // what has escapes is written anew
		}
		tail := row.message[len(row.message)/2:]
		piece := append(append([]byte(nil), tail...), bytes.Repeat(row.message, 3)...)
		first := uintptr(unsafe.Pointer(unsafe.SliceData(piece)))
		own, all := 0, 0
		r := row.dialect.Reader(false)
		each := func(m *frame.Message) error {
			all++
			if at := uintptr(unsafe.Pointer(unsafe.SliceData(m.Data))); at >= first && at < first+uintptr(len(piece)) {
				own++
			}
			return nil
		}
		for _, p := range [][]byte{row.message[:len(row.message)/2], piece} {
			if err := r.Feed(p, noon, each); err != nil {
				t.Fatal(err)
			}
		}
		want := all - 1 // the first one was there in two pieces
		if row.name == "raw" || row.name == "etung" || row.name == "usr-dtu" {
			want = 1 // the first one was another piece
		}
		if own != want {
			t.Errorf("%s: %d of %d messages were of the piece's own memory; want %d", row.name, own, all, want)
		}
	}
}
