package main

import (
	"bytes"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/switchboard-relay/switchboard/frame"
)

// framer is a *frame.Reader, or in tests one that does something wrong.
type framer interface {
	Feed(p []byte, at int64, each func(m *frame.Message) error) error
	Buffered() int
	Close(each func(m *frame.Message) error) error
}

// message is what a framer made of some bytes of a flow.
type message struct {
	start, end                int64
	kind                      frame.Kind
	flags                     frame.Flags
	name, reply, refusal, ack string
}

// check has fresh framers read a flow in many ways, and is its messages: they must be the same in all.
func check(segments [][]byte, fresh func() framer, rounds int, seed uint64) ([]message, error) {
	stream := slices.Concat(segments...)
	want, err := read(fresh(), stream, segments)
	if err != nil {
		return nil, fmt.Errorf("as its segments came: %w", err)
	}
	for way, pieces := range cuttings(stream, rounds, seed) {
		got, err := read(fresh(), stream, pieces)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", way, err)
		}
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				return nil, fmt.Errorf("%s: message %d of %d is %+v; as its segments came, of %d: %+v",
					way, i, len(got), got[min(i, len(got)):min(i+1, len(got))], len(want), want[min(i, len(want)):min(i+1, len(want))])
			}
		}
	}
	return want, nil
}

// ways is how many ways there are besides random ones.
const ways = 4

// glued is how many bytes come at once where a reader is slow.
const glued = 4096

// cuttings are ways of cutting a stream, other than as its segments came.
func cuttings(stream []byte, rounds int, seed uint64) iter.Seq2[string, [][]byte] {
	return func(yield func(string, [][]byte) bool) {
		if !yield("all at once", [][]byte{stream}) ||
			!yield("byte by byte", pieces(stream, func() int { return 1 })) ||
			!yield(fmt.Sprintf("in pieces of %d bytes", glued), pieces(stream, func() int { return glued })) {
			return
		}
		for round := range rounds {
			random := rand.New(rand.NewPCG(seed, uint64(round)))
			most := 2 << (round % 10)
			way := fmt.Sprintf("in pieces of 1 to %d bytes, seed %d, round %d", most, seed, round)
			if !yield(way, pieces(stream, func() int { return 1 + random.IntN(most) })) {
				return
			}
		}
	}
}

// pieces cuts a stream into pieces of these sizes.
func pieces(stream []byte, size func() int) (list [][]byte) {
	for len(stream) > 0 {
		n := min(size(), len(stream))
		list, stream = append(list, stream[:n]), stream[n:]
	}
	return list
}

// read has a framer read the pieces of a stream, and is its messages. Behind each piece, all of the stream up to there must be in messages,
// one behind the other, or held; at the end, all of it in messages.
func read(f framer, stream []byte, pieces [][]byte) (all []message, err error) {
	var at, fed int64
	each := func(m *frame.Message) error {
		if m.Start != at || m.End <= at || m.End > fed {
			return fmt.Errorf("message %d is of bytes %d to %d of the %d that were read; want it to begin at %d", len(all), m.Start, m.End, fed, at)
		}
		if !bytes.Equal(m.Data, stream[m.Start:m.End]) {
			return fmt.Errorf("message %d, of bytes %d to %d, is %q; want %q", len(all), m.Start, m.End, m.Data, stream[m.Start:m.End])
		}
		at = m.End
		all = append(all, message{m.Start, m.End, m.Kind, m.Flags, m.Name, string(m.Reply), string(m.Refusal), string(m.Ack)})
		return nil
	}
	var buf []byte // is written over, as that of a socket
	for _, p := range pieces {
		buf = append(buf[:0], p...)
		fed += int64(len(p))
		if err := f.Feed(buf, 0, each); err != nil {
			return nil, err
		}
		clear(buf)
		if held := int64(f.Buffered()); at+held != fed {
			return nil, fmt.Errorf("of %d bytes that were read, %d are in messages and %d are held", fed, at, held)
		}
	}
	if err := f.Close(each); err != nil {
		return nil, err
	}
	if at != fed {
		return nil, fmt.Errorf("of %d bytes, %d are in messages at the end", fed, at)
	}
	return all, nil
}
