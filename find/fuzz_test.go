package find_test

import (
	"testing"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/find"
	"github.com/switchboard-relay/switchboard/session"
)

// FuzzFindAgreesWithANaiveSearch cuts a stream of each direction anywhere, mixes both and loses something in between:
// what is found must be what is there.
func FuzzFindAgreesWithANaiveSearch(f *testing.F) {
	f.Add([]byte("the Größe of a Kelvin \u212Aelvin\xff\xe6\xb8"), "kelvin", true, []byte{1, 2, 3, 130, 9}, uint8(0))
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "aa", false, []byte{7}, uint8(3))
	f.Add([]byte("\u017f\u212akS\u017fK"), "sk", true, []byte{1}, uint8(1))
	f.Add([]byte("ΣΑΣ σας ΣΑΣ"), "σας", true, []byte{255, 1, 200, 2}, uint8(40))
	f.Add([]byte("\xff\xff\xfd\uFFFD"), "\uFFFD", true, []byte{1, 1}, uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, what string, fold bool, cuts []byte, window uint8) {
		if len(what) == 0 || len(what) > find.MaxNeedle || fold && !utf8.ValidString(what) {
			return
		}
		var events []session.Event
		type stretch struct { // between two losses
			data   []byte
			number []uint64 // of the event of each byte
			offset []int
		}
		streams := [2][]stretch{{{}}, {{}}}
		rest := data
		for i := 0; len(rest) > 0; i++ {
			n, side := len(rest), 0
			if i < len(cuts) {
				n, side = min(n, int(cuts[i]%64)), int(cuts[i]>>7)
			}
			e := session.Event{Number: uint64(len(events) + 1), Kind: session.Received + session.Kind(side), Data: rest[:n]}
			if n == 0 {
				e.Kind = session.Gap
				streams[0], streams[1] = append(streams[0], stretch{}), append(streams[1], stretch{})
			}
			s := &streams[side][len(streams[side])-1]
			for j := range n {
				s.data, s.number, s.offset = append(s.data, rest[j]), append(s.number, e.Number), append(s.offset, j)
			}
			events = append(events, e)
			rest = rest[n:]
		}
		hits := all(t, needle(t, what, fold), int(window), events)
		for side, stretches := range streams {
			var got []find.Hit
			for _, h := range hits {
				if h.Kind == session.Received+session.Kind(side) {
					got = append(got, h)
				}
			}
			for _, s := range stretches {
				for _, p := range naive(s.data, what, fold) {
					if len(got) == 0 {
						t.Fatalf("%q at byte %d of %q is not found", what, p.at, s.data)
					}
					h := got[0]
					got = got[1:]
					if h.Number != s.number[p.at] || h.Offset != s.offset[p.at] || h.Length != p.n {
						t.Fatalf("got %+v; want %q at byte %d of event %d", h, what, s.offset[p.at], s.number[p.at])
					}
					for _, text := range []string{h.Before, h.After} {
						if len(text) > find.MaxExcerpt || !utf8.ValidString(text) {
							t.Fatalf("the excerpt %q", text)
						}
					}
				}
			}
			if len(got) > 0 {
				t.Fatalf("%+v is not there", got[0])
			}
		}
	})
}
