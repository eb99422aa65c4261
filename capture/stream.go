package capture

import (
	"encoding/binary"
	"slices"
)

// stream is one direction of a connection of TCP, put in order.
type stream struct {
	lane
	placed bool   // next is known
	opened bool   // its SYN was seen; first is known
	first  uint32 // the number of its SYN
	next   uint32 // the number of the byte that comes next
	ended  bool   // its FIN was passed on
	said   bool   // it had data
	held   []segment
	bytes  int // of data, in held
}

// segment waits for what comes before it.
type segment struct {
	seq     uint32
	data    []byte
	missing int // bytes behind data that were not captured
	fin     bool
	at      int64
	packet  uint64
}

// end is the number behind the segment.
func (s *segment) end() uint32 {
	n := s.seq + uint32(len(s.data)+s.missing)
	if s.fin {
		n++
	}
	return n
}

// farAhead is what no window allows to be ahead of what is there: a number beyond belongs to something else.
const farAhead = 1 << 30

// place says which byte comes next.
func (s *stream) place(next uint32) { s.placed, s.next = true, next }

// take takes a segment, whose data is borrowed.
func (f *Conversation) take(s *stream, seg segment) error {
	if len(seg.data)+seg.missing == 0 && !seg.fin {
		return nil
	}
	if s.placed && int32(seg.seq-s.next) <= 0 { // the rule: it can go on at once
		if err := f.pass(s, &seg); err != nil {
			return err
		}
		return f.drain(s)
	}
	if s.placed && int32(seg.seq-s.next) > farAhead {
		return nil
	}
	seg.data = slices.Clone(seg.data)
	f.hold(s, seg)
	switch {
	case !s.placed && len(s.held) <= maxUnplaced && s.bytes <= maxHeld:
		return nil
	case !s.placed:
		s.place(s.held[0].seq)
		return f.drain(s)
	}
	for len(s.held) > maxSegments || s.bytes > maxHeld || f.all.held > maxAllHeld && len(s.held) > 0 {
		if err := f.giveUp(s); err != nil {
			return err
		}
	}
	return nil
}

// hold keeps a segment, in the order of numbers; of two that begin alike the first to come is the first.
func (f *Conversation) hold(s *stream, seg segment) {
	i := len(s.held)
	for i > 0 && int32(s.held[i-1].seq-seg.seq) > 0 {
		i--
	}
	if i > 0 { // what came twice is kept once
		if before := &s.held[i-1]; before.seq == seg.seq && int32(before.end()-seg.end()) >= 0 && before.missing <= seg.missing {
			return
		}
	}
	s.held = slices.Insert(s.held, i, seg)
	s.bytes += len(seg.data)
	f.all.held += len(seg.data)
}

// drain passes on what need not wait any more.
func (f *Conversation) drain(s *stream) error {
	n := 0
	for ; n < len(s.held) && int32(s.held[n].seq-s.next) <= 0; n++ {
		seg := &s.held[n]
		s.bytes -= len(seg.data)
		f.all.held -= len(seg.data)
		if err := f.pass(s, seg); err != nil {
			return err
		}
	}
	s.held = slices.Delete(s.held, 0, n)
	if len(s.held) == 0 {
		s.held = nil
	}
	return nil
}

// giveUp waits no longer for what is missing before the first segment that is held.
func (f *Conversation) giveUp(s *stream) error {
	if !s.placed {
		s.place(s.held[0].seq)
	}
	if n := int32(s.held[0].seq - s.next); n > 0 {
		if err := f.lose(s, s.held[0].at, s.held[0].packet, uint64(n)); err != nil {
			return err
		}
		s.next += uint32(n)
	}
	return f.drain(s)
}

// pass passes on what of a segment was not passed on yet. It begins at next, or before.
func (f *Conversation) pass(s *stream, seg *segment) error {
	old := int(s.next - seg.seq)
	if data := seg.data; old < len(data) {
		if err := f.say(s, seg.at, seg.packet, data[old:]); err != nil {
			return err
		}
		s.next += uint32(len(data) - old)
		old = len(data)
	}
	if whole := len(seg.data) + seg.missing; old < whole {
		if err := f.lose(s, seg.at, seg.packet, uint64(whole-old)); err != nil {
			return err
		}
		s.next += uint32(whole - old)
	}
	if seg.fin && !s.ended && seg.end() == s.next+1 {
		s.ended = true
		s.next++
		return f.all.shelf.put(&s.lane, seg.at, seg.packet, Ended, nil)
	}
	return nil
}

// maxSaid is how much goes into one record.
const maxSaid = 64 << 10

func (f *Conversation) say(s *stream, at int64, packet uint64, data []byte) error {
	s.said = true
	for len(data) > 0 {
		part := data[:min(len(data), maxSaid)]
		data = data[len(part):]
		if err := f.all.shelf.put(&s.lane, at, packet, Said, part); err != nil {
			return err
		}
	}
	return nil
}

// lose records that n bytes are missing.
func (f *Conversation) lose(s *stream, at int64, packet uint64, n uint64) error {
	f.Missing += n
	return f.all.shelf.put(&s.lane, at, packet, Lost, binary.LittleEndian.AppendUint64(nil, n))
}

// settle waits for nothing any more.
func (f *Conversation) settle() error {
	for side := range f.sides {
		s := &f.sides[side]
		for len(s.held) > 0 {
			if err := f.giveUp(s); err != nil {
				return err
			}
		}
	}
	return nil
}
