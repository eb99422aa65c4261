package threeend_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// heard is what a parser found; pieces of one type that follow each other are joined.
type heard struct {
	things  []string
	largest int
	fail    error
}

func (h *heard) Data(t threeend.Type, p []byte) error {
	h.largest = max(h.largest, len(p))
	if len(p) == 0 {
		panic("an empty piece")
	}
	if n := len(h.things) - 1; n >= 0 && strings.HasPrefix(h.things[n], string(rune(t))+":") {
		h.things[n] += string(p)
	} else {
		h.things = append(h.things, string(rune(t))+":"+string(p))
	}
	return h.fail
}

func (h *heard) View(cols, rows int) error {
	h.things = append(h.things, fmt.Sprintf("v:%dx%d", cols, rows))
	return h.fail
}

func (h *heard) Control(c threeend.Code) error {
	h.things = append(h.things, "control "+string(rune(c)))
	return h.fail
}

// story is a stream of every kind of frame, and what it says.
func story() (stream []byte, want []string) {
	stream = threeend.AppendView(stream, 132, 43)
	stream = threeend.AppendFrame(stream, threeend.Display, []byte("中文 \x1b[1mok\x1b[0m 3 5 d\x00\x00\x00\x04"))
	stream = threeend.AppendFrame(stream, threeend.Input, []byte("ls\r"))
	stream = threeend.AppendFrame(stream, threeend.Display, nil)
	stream = threeend.AppendFrame(stream, threeend.View, nil)
	stream = threeend.AppendFrame(stream, threeend.Display, bytes.Repeat([]byte("v"), 300))
	stream = threeend.AppendView(stream, 1, 1000)
	stream = append(stream, '3')
	stream = append(stream, "behind the control \xff"...)
	return stream, []string{"v:132x43", "d:中文 \x1b[1mok\x1b[0m 3 5 d\x00\x00\x00\x04", "i:ls\r",
		"d:" + strings.Repeat("v", 300), "v:1x1000", "control 3"}
}

func feed(t *testing.T, want []string, pieces ...[]byte) {
	t.Helper()
	var p threeend.Parser
	var h heard
	for _, piece := range pieces {
		if err := p.Feed(piece, &h); err != nil {
			t.Fatalf("got %v", err)
		}
	}
	if !slices.Equal(h.things, want) {
		t.Fatalf("got %q, want %q", h.things, want)
	}
	if !p.Ended() || p.Frames() != 7 || !p.Between() {
		t.Fatalf("got ended %v, %d frames, between %v; want true, 7, true", p.Ended(), p.Frames(), p.Between())
	}
}

func TestAStreamMeansTheSameHoweverItIsSplit(t *testing.T) {
	stream, want := story()
	feed(t, want, stream)
	for i := range len(stream) + 1 {
		feed(t, want, stream[:i], nil, stream[i:])
		for j := i; j < min(i+12, len(stream)+1); j++ {
			feed(t, want, stream[:i], stream[i:j], stream[j:])
		}
	}
	for size := 1; size <= 16; size++ {
		feed(t, want, slices.Collect(slices.Chunk(stream, size))...)
	}
}

func TestManyFramesInOneSegmentComeInOrder(t *testing.T) {
	var stream []byte
	var want strings.Builder
	for i := range 10_000 {
		text := fmt.Sprintf("%d;", i)
		want.WriteString(text)
		stream = threeend.AppendFrame(stream, threeend.Display, []byte(text))
	}
	var p threeend.Parser
	var h heard
	if err := p.Feed(stream, &h); err != nil || len(h.things) != 1 || h.things[0] != "d:"+want.String() || p.Frames() != 10_000 {
		t.Fatalf("got %d frames, %d things, %v; want 10000 frames, all their bytes in order", p.Frames(), len(h.things), err)
	}
}

// counted takes what comes without keeping it.
type counted struct{ bytes, pieces int }

func (c *counted) Data(_ threeend.Type, p []byte) error { c.bytes += len(p); c.pieces++; return nil }
func (c *counted) View(int, int) error                  { return nil }
func (c *counted) Control(threeend.Code) error          { return nil }

func TestTheLargestPayloadsPassThroughInPieces(t *testing.T) {
	var p threeend.Parser
	var c counted
	piece := make([]byte, 64<<10)
	allocs := testing.AllocsPerRun(1, func() {
		for _, kind := range []threeend.Type{threeend.Display, threeend.Input} {
			var head [threeend.HeaderSize]byte
			if err := p.Feed(threeend.AppendHeader(head[:0], kind, threeend.MaxPayload), &c); err != nil {
				t.Fatal(err)
			}
			for range threeend.MaxPayload / len(piece) {
				if p.Between() {
					t.Fatal("between frames within a payload")
				}
				if err := p.Feed(piece, &c); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	if want := 2 * 2 * threeend.MaxPayload; c.bytes != want || !p.Between() || allocs > 2 {
		t.Errorf("got %d bytes, between %v, %v allocations; want %d, true, none to speak of", c.bytes, p.Between(), allocs, want)
	}
}

func TestWhatIsNotOfTheProtocolIsRefusedWithItsPlace(t *testing.T) {
	good := threeend.AppendFrame(nil, threeend.Display, []byte("good"))
	for _, c := range []struct{ name, stream, want string }{
		{"type", "x", `byte 9: 'x' (0x78) is no type`},
		{"zero", "\x00", `(0x00) is no type`},
		{"upper case", "D\x00\x00\x00\x01a", `'D' (0x44)`},
		{"control of another number", "4", `'4' (0x34)`},
		{"not ASCII", "\xff", `(0xff)`},
		{"length", "d\x01\x00\x00\x01", "with 16777217 bytes: at most 16777216"},
		{"greatest length", "i\xff\xff\xff\xff", "with 4294967295 bytes"},
		{"long view", "v\x00\x00\x00\x0a", "a view's size of 10 bytes"},
		{"view of 16 MiB", "v\x01\x00\x00\x00", "a view's size of 16777216 bytes"},
		{"view without x", "v\x00\x00\x00\x0280", `"80" is no view's size`},
		{"view of text", "v\x00\x00\x00\x03axb", `"axb" is no view's size`},
		{"view of nothing", "v\x00\x00\x00\x01x", `"x" is no view's size`},
		{"view of zero", "v\x00\x00\x00\x040x24", `"0x24" is no view's size`},
		{"view with a leading zero", "v\x00\x00\x00\x0508x24", `"08x24" is no view's size`},
		{"view with a sign", "v\x00\x00\x00\x05+8x24", `"+8x24" is no view's size`},
		{"view with more", "v\x00\x00\x00\x0680x24\x00", `"80x24\x00" is no view's size`},
		{"too wide", "v\x00\x00\x00\x071001x24", `"1001x24" is no view's size`},
		{"too high", "v\x00\x00\x00\x0724x9999", `"24x9999" is no view's size`},
		{"many digits", "v\x00\x00\x00\x09999999999", `is no view's size`},
	} {
		stream := append(slices.Clone(good), c.stream...)
		for i := range stream {
			var p threeend.Parser
			var h heard
			err := p.Feed(stream[:i], &h)
			if err == nil {
				err = p.Feed(stream[i:], &h)
			}
			var format *threeend.FormatError
			if !errors.As(err, &format) || format.Offset != 9 || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%s, split at %d: got %v, want one at byte 9 with %q", c.name, i, err, c.want)
			}
			if again := p.Feed(good, &h); again != err || !slices.Equal(h.things, []string{"d:good"}) {
				t.Fatalf("%s: behind it got %v and %q, want the same error and nothing more", c.name, again, h.things)
			}
		}
	}
}

func TestAHandlersErrorEndsTheParsing(t *testing.T) {
	stream, want := story()
	h := heard{fail: errors.New("no more")}
	var p threeend.Parser
	if err := p.Feed(stream, &h); err != h.fail || !slices.Equal(h.things, want[:1]) {
		t.Errorf("got %v, %q; want %v, %q", err, h.things, h.fail, want[:1])
	}
	if err := p.Feed(stream, &h); err != h.fail || len(h.things) != 1 {
		t.Errorf("behind it got %v, %q; want the same error, and nothing more", err, h.things)
	}
}

func TestAFrameIsCutWhereItIsTooLong(t *testing.T) {
	stream := threeend.AppendFrame(nil, threeend.Display, make([]byte, threeend.MaxPayload+1))
	var p threeend.Parser
	var c counted
	if err := p.Feed(stream, &c); err != nil || p.Frames() != 2 || c.bytes != threeend.MaxPayload+1 {
		t.Errorf("got %v, %d frames, %d bytes; want 2 frames with all of it", err, p.Frames(), c.bytes)
	}
}

func TestAViewsSidesAreThoseOfASession(t *testing.T) {
	if threeend.MaxSide != session.MaxTerminal {
		t.Errorf("got %d, want %d", threeend.MaxSide, session.MaxTerminal)
	}
}

// FuzzParser holds that a stream means the same in one piece, byte by byte and split at random, and that pieces are no more than
// what was fed.
func FuzzParser(f *testing.F) {
	stream, _ := story()
	f.Add(stream, uint64(1))
	f.Add([]byte("v\x00\x00\x00\x0580x24d\x00\x00\x00\x02hi5"), uint64(2))
	f.Add([]byte("d\x01\x00\x00\x00abc"), uint64(3))
	f.Add([]byte("d\xff\xff\xff\xff"), uint64(4))
	f.Add([]byte("v\x00\x00\x00\x09999999999"), uint64(5))
	f.Add([]byte("x"), uint64(6))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		run := func(next func(left int) int) (heard, string, uint64) {
			var p threeend.Parser
			var h heard
			var err error
			for b := stream; len(b) > 0; {
				n := next(len(b))
				err = p.Feed(b[:n], &h)
				b = b[n:]
			}
			return h, fmt.Sprint(err), p.Frames()
		}
		whole, err, frames := run(func(left int) int { return left })
		random := rand.New(rand.NewPCG(seed, 0))
		for name, next := range map[string]func(int) int{
			"byte by byte": func(int) int { return 1 },
			"at random":    func(left int) int { return 1 + random.IntN(min(left, 9)) },
		} {
			h, e, n := run(next)
			if !slices.Equal(h.things, whole.things) || e != err || n != frames {
				t.Fatalf("%s: got %q, %s, %d frames; want %q, %s, %d", name, h.things, e, n, whole.things, err, frames)
			}
		}
	})
}

func BenchmarkParser(b *testing.B) {
	for _, size := range []int{16, 100, 1500, 64 << 10} {
		b.Run(fmt.Sprintf("frames of %d bytes", size), func(b *testing.B) {
			var stream []byte
			for len(stream) < 64<<10 {
				stream = threeend.AppendFrame(stream, threeend.Display, make([]byte, size))
			}
			var p threeend.Parser
			var c counted
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Feed(stream, &c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(p.Frames()), "ns/frame")
		})
	}
}

func BenchmarkAppendView(b *testing.B) {
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = threeend.AppendView(buf[:0], 132, 43)
	}
}

func TestFramesCostNoMemory(t *testing.T) {
	var stream []byte
	for range 100 {
		stream = threeend.AppendView(stream, 999, 777)
		stream = threeend.AppendFrame(stream, threeend.Input, []byte("x"))
		stream = threeend.AppendFrame(stream, threeend.Display, []byte("some output"))
	}
	var c counted
	var p threeend.Parser
	if n := testing.AllocsPerRun(10, func() {
		for i := range stream {
			if err := p.Feed(stream[i:i+1], &c); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Feed(stream, &c); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("got %v allocations for 600 frames, want none", n)
	}
}
