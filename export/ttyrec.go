package export

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/switchboard-relay/switchboard/session"
)

// ttyrec writes frames of a header, three little-endian numbers of 32 bits (seconds, microseconds, length), and bytes as they
// were. It has neither input nor marks. The terminal's size is a frame as well: the sequence that asks for it.
type ttyrec struct {
	out   *bufio.Writer
	start int64 // Unix µs
}

func (r *ttyrec) begin(a *about) {
	r.start = a.start
	r.resize(0, a.size)
}

func (r *ttyrec) output(at int64, data []byte) {
	if len(data) == 0 {
		return
	}
	us := min(max(r.start+at, 0), math.MaxUint32*1e6)
	var head [12]byte
	binary.LittleEndian.PutUint32(head[:], uint32(us/1e6))
	binary.LittleEndian.PutUint32(head[4:], uint32(us%1e6))
	binary.LittleEndian.PutUint32(head[8:], uint32(len(data)))
	r.out.Write(head[:])
	r.out.Write(data)
}

func (r *ttyrec) resize(at int64, size session.Size) {
	r.output(at, fmt.Appendf(nil, "\x1b[8;%d;%dt", size.Rows, size.Cols))
}

func (r *ttyrec) input(int64, []byte) {}
func (r *ttyrec) mark(int64, string)  {}
func (r *ttyrec) lost(int64, string)  {}
func (r *ttyrec) exit(int64, int)     {}
func (r *ttyrec) end(int64)           {}
