package terminal

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestASnapshotOfWhatIsWholeSaysAllThatMatters has terminals resized at random, and goes on from snapshots of them.
func TestASnapshotOfWhatIsWholeSaysAllThatMatters(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	whole, parts := 0, 0
	for range 300 {
		a := New(20+random.IntN(60), 10)
		for range 20 {
			play(a, random)
			if !a.IsWhole() {
				parts++
				continue
			}
			whole++
			snapshot := a.AppendSnapshot(nil)
			cols, rows := a.Size()
			b := New(cols, rows)
			b.Write(snapshot)
			seed := random.Uint64()
			for _, t := range []*Terminal{a, b} {
				again := rand.New(rand.NewPCG(seed, 0))
				for range 5 {
					play(t, again)
				}
			}
			if got, want := said(b), said(a); got != want {
				t.Fatalf("from %q came\n%q\nwant\n%q", snapshot, got, want)
			}
		}
	}
	if whole < 100 || parts < 100 {
		t.Errorf("%d were whole, %d were not; want enough of both", whole, parts)
	}
}

// said is a terminal's snapshot, in the words of one that was brought to it.
func said(t *Terminal) string {
	snapshot := t.AppendSnapshot(nil)
	again := New(t.Size())
	again.Write(snapshot)
	snapshot = again.AppendSnapshot(nil)
	return string(snapshot)
}

// play does one thing of those that show what lies beyond the right edge.
func play(t *Terminal, random *rand.Rand) {
	switch random.IntN(8) {
	case 0, 1:
		t.Resize(10+random.IntN(80), 10)
	case 2:
		t.Write([]byte("\x1b[?1049h\x1b[2J"))
	case 3:
		t.Write([]byte("\x1b[?1049l\x1bc"))
	case 4:
		fmt.Fprintf(t, "\x1b[%d;1H\x1b[%dP", 1+random.IntN(10), 1+random.IntN(9))
	default:
		fmt.Fprintf(t, "\x1b[%d;1H%.*s\x1b[1;1H", 1+random.IntN(10), 1+random.IntN(70),
			"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ\t<\t>")
	}
}

func TestTabStopsBeyondTheEdgeAreNotSaid(t *testing.T) {
	for stops, want := range map[string]bool{"": true, "\x1b[36G\x1bH": true, "\x1b[44G\x1bH": false, "\x1b[41G\x1b[g": false, "\x1b[3g": true} {
		term := New(80, 24)
		term.Write([]byte(stops))
		if term.Resize(40, 24); term.IsWhole() != want {
			t.Errorf("%q: whole %v; want %v", stops, term.IsWhole(), want)
		}
	}
}
