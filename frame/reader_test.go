package frame_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/frame"
)

// got is a message with memory of its own.
type got struct {
	data             string
	kind             frame.Kind
	flags            frame.Flags
	name, reply, ack string
	start, end       int64
}

func (g got) String() string {
	return fmt.Sprintf("%d-%d kind %d flags %d name %q data %q reply %q ack %x", g.start, g.end, g.kind, g.flags, g.name, g.data, g.reply, g.ack)
}

func keep(m *frame.Message) got {
	return got{string(m.Data), m.Kind, m.Flags, m.Name, string(m.Reply), string(m.Ack), m.Start, m.End}
}

func compile(t testing.TB, s frame.Spec) *frame.Dialect {
	t.Helper()
	d, err := frame.Compile(s)
	if err != nil {
		t.Fatalf("compiling %+v: got %v", s, err)
	}
	return d
}

func dialect(t testing.TB, names ...string) *frame.Dialect {
	t.Helper()
	var s frame.Spec
	for _, name := range names {
		s.Framers = append(s.Framers, frame.Named(name))
	}
	return compile(t, s)
}

// unhex reads hexadecimal digits, with spaces between them as one likes.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

// noon is when the pieces of tests come: 2026-11-22 12:34:56 UTC.
const noon = int64(1795350896_000_000)

// feed feeds pieces to a reader, closes it, and holds it to accounting for every byte once.
func feed(t testing.TB, r frame.Reader, pieces ...[]byte) []got {
	t.Helper()
	var all []got
	at := r.Position().Offset
	fed := at
	each := func(m *frame.Message) error {
		if m.Start != at || m.End <= m.Start {
			t.Fatalf("message %v: begins at %d; want %d, and bytes in it", keep(m), m.Start, at)
		}
		at = m.End
		if p := r.Position(); p.Offset != at {
			t.Fatalf("within each, behind %v: position %+v", keep(m), p)
		}
		all = append(all, keep(m))
		return nil
	}
	for _, p := range pieces {
		own := []byte(string(p)) // what is borrowed may be written over later
		if err := r.Feed(own, noon, each); err != nil {
			t.Fatal(err)
		}
		for i := range own {
			own[i] = 0xa5
		}
		fed += int64(len(p))
		if held := int64(r.Buffered()); at+held != fed {
			t.Fatalf("behind %d bytes: messages up to %d and %d held", fed, at, held)
		}
	}
	if err := r.Close(each); err != nil {
		t.Fatal(err)
	}
	if at != fed || r.Buffered() != 0 {
		t.Fatalf("closed behind %d bytes: messages up to %d, %d held", fed, at, r.Buffered())
	}
	return all
}

// same fails unless both are the same messages.
func same(t testing.TB, how string, got, want []got) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%s: message %d differs\ngot  %v\nwant %v", how, i, lines(got), lines(want))
		}
	}
}

func lines(all []got) string {
	var b strings.Builder
	for _, g := range all {
		fmt.Fprintf(&b, "\n  %v", g)
	}
	return b.String()
}

// however feeds a stream whole, cut at every byte, byte by byte, and in random cuts, and holds the messages to be the same.
// It also goes on from the position behind every message.
func however(t testing.TB, d *frame.Dialect, stream []byte) []got {
	t.Helper()
	want := feed(t, d.Reader(false), stream)
	for i := 1; i < len(stream) && i < 600; i++ {
		same(t, fmt.Sprintf("cut at %d", i), feed(t, d.Reader(false), stream[:i], stream[i:]), want)
	}
	drip := make([][]byte, len(stream))
	for i := range stream {
		drip[i] = stream[i : i+1]
	}
	same(t, "byte by byte", feed(t, d.Reader(false), drip...), want)
	random := rand.New(rand.NewPCG(7, uint64(len(stream))))
	for range 20 {
		var pieces [][]byte
		for rest := stream; len(rest) > 0; {
			n := 1 + random.IntN(min(len(rest), 1+random.IntN(90)))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		same(t, "random cuts", feed(t, d.Reader(false), pieces...), want)
	}
	resumed(t, d, stream, want)
	return want
}

// resumed reads the stream from behind each message, as somebody who had kept only that position.
func resumed(t testing.TB, d *frame.Dialect, stream []byte, want []got) {
	t.Helper()
	r := d.Reader(false)
	var positions []frame.Position
	each := func(*frame.Message) error { positions = append(positions, r.Position()); return nil }
	if err := r.Feed(stream, noon, each); err != nil {
		t.Fatal(err)
	}
	for i, p := range positions {
		if i > 200 {
			break
		}
		rest := stream[p.Offset:]
		same(t, fmt.Sprintf("from %+v", p), feed(t, d.ReaderAt(p, false), rest), want[i+1:])
	}
}
