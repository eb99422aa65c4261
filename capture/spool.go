package capture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// Spool holds what does not stay in memory: a file that is written from its beginning, and read anywhere.
type Spool interface {
	io.Writer
	io.ReaderAt
}

// shelf puts the lanes of many conversations into one spool: what they have in memory goes there together, once it is much.
type shelf struct {
	spool   Spool
	out     *bufio.Writer
	written int64
	full    []*lane // that have something in memory
	waiting int     // bytes in them
}

// lane is what one side of a conversation said, and when: records, one behind the other.
type lane struct {
	fresh   []byte // in memory, behind what is in the spool
	extents []extent
	at      int64  // of the newest record, ns
	packet  uint64 // that it came with
}

// extent is where a part of a lane is in the spool.
type extent struct{ from, to int64 }

// recordHeader is time, number of the packet, kind and length.
const recordHeader = 8 + 8 + 1 + 4

// put appends a record. Neither time nor number fall in a lane.
func (s *shelf) put(l *lane, at int64, packet uint64, kind Kind, data []byte) error {
	l.at, l.packet = max(l.at, at), max(l.packet, packet)
	if len(l.fresh) == 0 {
		s.full = append(s.full, l)
	}
	le := binary.LittleEndian
	b := le.AppendUint64(l.fresh, uint64(l.at))
	b = le.AppendUint64(b, l.packet)
	b = append(b, byte(kind))
	b = le.AppendUint32(b, uint32(len(data)))
	l.fresh = append(b, data...)
	if s.waiting += recordHeader + len(data); s.waiting < maxUnspooled {
		return nil
	}
	return s.flush()
}

// flush writes all that is in memory to the spool.
func (s *shelf) flush() error {
	if s.out == nil {
		s.out = bufio.NewWriterSize(s.spool, 64<<10)
	}
	for i, l := range s.full {
		if _, err := s.out.Write(l.fresh); err != nil {
			return err
		}
		to := s.written + int64(len(l.fresh))
		if n := len(l.extents); n > 0 && l.extents[n-1].to == s.written {
			l.extents[n-1].to = to
		} else {
			l.extents = append(l.extents, extent{s.written, to})
		}
		s.written, l.fresh, s.full[i] = to, nil, nil
	}
	s.full, s.waiting = s.full[:0], 0
	return s.out.Flush()
}

// laneReader reads a lane's records. The newest is in at, packet, kind and data.
type laneReader struct {
	in     *bufio.Reader
	buf    []byte
	at     int64
	packet uint64
	kind   Kind
	data   []byte
	over   bool
}

func (s *shelf) read(l *lane) *laneReader {
	parts := make([]io.Reader, 0, len(l.extents)+1)
	for _, e := range l.extents {
		parts = append(parts, io.NewSectionReader(s.spool, e.from, e.to-e.from))
	}
	fresh := bytes.NewReader(l.fresh)
	size := 4 << 10
	if len(l.extents) > 0 {
		size = 64 << 10
	}
	return &laneReader{in: bufio.NewReaderSize(io.MultiReader(append(parts, fresh)...), size)}
}

// next reads a record.
func (r *laneReader) next() error {
	var head [recordHeader]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		r.over = errors.Is(err, io.EOF)
		return err
	}
	le := binary.LittleEndian
	r.at, r.packet = int64(le.Uint64(head[:])), le.Uint64(head[8:])
	r.kind = Kind(head[16])
	n := int(le.Uint32(head[17:]))
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	r.data = r.buf[:n]
	_, err := io.ReadFull(r.in, r.data)
	return err
}
