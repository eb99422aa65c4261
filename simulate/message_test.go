package simulate

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestAMarkIsFoundWhereverAMessageIsCut(t *testing.T) {
	at := time.UnixMicro(1_700_000_000_123_456)
	whole := appendMark([]byte("sim:sim:x y"), "860000000000012", 7, at, 60)
	m, ok := Parse(whole)
	if !ok || string(m.Name) != "860000000000012" || m.Number != 7 || !m.At.Equal(at) {
		t.Fatalf("Parse(%q): got %q, %d, %v, %v; want the mark", whole, m.Name, m.Number, m.At, ok)
	}
	var stream []byte
	for n := range 5 {
		stream = append(appendMark(stream, "dev-1", uint64(n+1), at, 40), "\r\n"...)
	}
	for first := range stream {
		for second := first; second < len(stream); second += 7 {
			var got []uint64
			each := func(m Mark) { got = append(got, m.Number) }
			var carry []byte
			for _, part := range [][]byte{stream[:first], stream[first:second], stream[second:]} {
				carry = append(carry, part...)
				rest := ParseAll(carry, each)
				carry = bytes.Clone(carry[len(carry)-rest:])
			}
			if want := []uint64{1, 2, 3, 4, 5}; !slices.Equal(got, want) {
				t.Fatalf("cut at %d and %d: got %v, want %v", first, second, got, want)
			}
		}
	}
}

func TestWhatIsNoMarkIsPassedOver(t *testing.T) {
	for _, text := range []string{"", "sim", "sim:a b:1:2:", "sim:a::2:", "sim:a:1x:2:", "sim:a:1::", "sim:a:99999999999999999999:1:", "sim:a:1:2"} {
		if m, ok := Parse([]byte(text)); ok {
			t.Errorf("Parse(%q): got %q %d, want nothing", text, m.Name, m.Number)
		}
	}
	if m, ok := Parse([]byte("sim:a:12ETUNG:b\nsim:a:13:5:")); !ok || m.Number != 13 {
		t.Errorf("behind half a mark: got %d, %v; want 13", m.Number, ok)
	}
}

func FuzzParseAll(f *testing.F) {
	f.Add([]byte("sim:a:1:2:xx\nsim:b:2:3:"), 3)
	f.Add([]byte("sim:sim:a:1:2:"), 5)
	f.Fuzz(func(t *testing.T, p []byte, at int) {
		var whole, parts []string
		rest := ParseAll(p, func(m Mark) { whole = append(whole, fmt.Sprint(string(m.Name), m.Number, m.At)) })
		if rest < 0 || rest > len(p) {
			t.Fatalf("%q: a rest of %d bytes of %d", p, rest, len(p))
		}
		if len(p) == 0 {
			return
		}
		at = int(uint(at) % uint(len(p)))
		each := func(m Mark) { parts = append(parts, fmt.Sprint(string(m.Name), m.Number, m.At)) }
		rest = ParseAll(p[:at], each)
		ParseAll(p[at-rest:], each)
		if !slices.Equal(whole, parts) {
			t.Fatalf("%q cut at %d: got %v, want %v", p, at, parts, whole)
		}
	})
}

func TestALedgerTellsWhatIsMissingTwiceOrLate(t *testing.T) {
	l := NewLedger()
	for _, n := range []uint64{1, 2, 5, 6, 4, 2, 9, 9} {
		if !l.TakeMessage(appendMark(nil, "a", n, time.Now(), 0)) {
			t.Fatalf("message %d has no mark", n)
		}
	}
	if got, want := l.Counts(), (LedgerCounts{Messages: 6, Duplicates: 2, Disordered: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	var gaps []string
	l.missing("a", 1, 12, func(first, last uint64) { gaps = append(gaps, fmt.Sprint(first, last)) })
	if want := []string{"3 3", "7 8", "10 12"}; !slices.Equal(gaps, want) {
		t.Errorf("gaps: got %q, want %q", gaps, want)
	}
}
