package source_test

import (
	"testing"

	"github.com/switchboard-relay/switchboard/threeend"
)

// BenchmarkFrame is a frame of 200 bytes, from the source's socket until it is on record.
func BenchmarkFrame(b *testing.B) {
	h := newHouse(b, nil)
	o := h.open(b.Context(), "ssh:42")
	l := h.origin.next(false, "42")
	l.show("x")
	s := o.opened()
	frame := threeend.AppendFrame(nil, threeend.Display, make([]byte, 200))
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for i := range b.N {
		l.say(frame)
		for s.Totals().SentBytes < uint64(200*(i+1)) {
		}
	}
	o.release()
}
