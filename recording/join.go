package recording

import (
	"encoding/binary"

	"github.com/klauspost/compress/zstd"

	"github.com/switchboard-relay/switchboard/session"
)

// Live chunks end by their age, so that what they hold is soon safe: of somebody who types each key has one. In a session's
// own file they are joined, since their headers would take more than what was typed, and what repeats compresses together.
const (
	joinLeast = 16        // records of a session, or it is not worth it
	joinSmall = 8 << 10   // bytes of a record that is joined with others, and of those of a session on the average
	joinBytes = 128 << 10 // of events in a chunk
	joinSpan  = 60e6      // µs in one
	joinParts = 64 << 20  // bytes of a session that is written anew although it has a file already

	livingSmall = 32 << 10 // of a live session, whose records are joined for as long as they are as small,
	livingSpan  = 3600e6   // and within that
)

// joinable reports whether the records of an ended session are to be joined. A session that has a part is written anew for it.
func joinable(refs []chunkRef, part *segment) bool {
	if len(refs) < joinLeast {
		return false
	}
	total := 0
	for i := range refs {
		total += int(refs[i].length)
	}
	return total/len(refs) <= joinSmall && (part == nil || total <= joinParts)
}

// withTail is how many records at the end of a live session's own file are to be joined with those that come to it, of so many
// bytes: those that are no larger, so that each is written a few times, and few are small.
func withTail(refs []chunkRef, part *segment, size int64, bytes uint32) (n int) {
	if size > joinParts {
		return 0 // it will be sealed as it is
	}
	for n < len(refs) {
		ref := &refs[len(refs)-1-n]
		if ref.seg != part || ref.length > min(bytes, livingSmall) {
			break
		}
		bytes += ref.length
		n++
	}
	return n
}

// joiner writes the records of a session as fewer and larger ones. The sealer has one.
type joiner struct {
	*sealWriter
	log      *Log
	open     *chunk        // being filled
	small    uint32        // bytes of a record that is joined
	span     int64         // µs in one
	encoder  *zstd.Encoder // of those two
	better   *zstd.Encoder
	fastest  *zstd.Encoder
	packed   []byte
	buf, raw []byte
	events   []session.Event
}

// join writes all records of a log.
func (j *joiner) join(w *sealWriter, l *Log, refs []chunkRef) error {
	if j.better == nil {
		j.better = newEncoder(zstd.SpeedBetterCompression)
	}
	j.small, j.span, j.encoder = joinSmall, joinSpan, j.better
	return j.takeAll(w, l, refs)
}

// joinLiving writes records of a live session, which are written more than once on their way to being large.
func (j *joiner) joinLiving(w *sealWriter, l *Log, refs []chunkRef) error {
	if j.fastest == nil {
		j.fastest = newEncoder(zstd.SpeedFastest)
	}
	j.small, j.span, j.encoder = livingSmall, livingSpan, j.fastest
	return j.takeAll(w, l, refs)
}

func (j *joiner) takeAll(w *sealWriter, l *Log, refs []chunkRef) error {
	if j.open == nil {
		j.open = newChunk(ownClass, joinBytes)
	}
	j.sealWriter, j.log = w, l
	j.clear()
	for i := range refs {
		if err := j.take(&refs[i]); err != nil {
			return err
		}
	}
	return j.write()
}

// take takes a record; one that is large or damaged is taken over as it is.
func (j *joiner) take(ref *chunkRef) error {
	var h header
	var raw []byte
	small := ref.length <= j.small
	if small {
		var err error
		raw, j.buf, h, err = ref.seg.read(ref, j.buf, j.raw)
		if h.flags&flagZstd != 0 {
			j.raw = raw
		}
		if err == nil {
			j.events, err = parseEvents(j.events[:0], raw, h.first, h.t0)
		}
		small = err == nil && len(j.events) == int(h.count) && len(raw) <= joinBytes
	}
	if !small {
		if err := j.write(); err != nil {
			return err
		}
		return j.copy(j.log, ref, nil)
	}
	c := j.open
	if c.count > 0 && (c.n+len(raw) > joinBytes || h.first != c.first+uint64(c.count) || h.t0 < c.t1 || h.t1-c.t0 > j.span) {
		if err := j.write(); err != nil {
			return err
		}
	}
	j.add(&h, raw)
	return nil
}

// add puts the events that were read into the open chunk.
func (j *joiner) add(h *header, raw []byte) {
	c := j.open
	if c.count == 0 {
		c.first, c.t0 = h.first, h.t0
	}
	copy(c.buf[c.n:], raw)
	for _, e := range j.events {
		binary.LittleEndian.PutUint32(c.buf[c.n+4:], uint32(e.Time-c.t0))
		c.n += eventHeader + len(e.Data)
	}
	received, sent := int64(h.passed.received), int64(h.passed.sent)
	if h.flags&flagPassed == 0 {
		received, sent = countPassed(j.events)
	}
	c.received += received
	c.sent += sent
	c.count += h.count
	c.t1 = h.t1
	c.flags |= h.flags & (flagOpens | flagCloses | flagWatched)
	if j.log.recount {
		j.countEvents(j.events)
	}
}

// write writes the open chunk, and empties it.
func (j *joiner) write() error {
	c := j.open
	if c.count == 0 {
		return nil
	}
	c.sum()
	payload, flags := c.buf[:c.n], c.flags
	if c.n >= compressMin {
		j.packed = j.encoder.EncodeAll(payload, j.packed[:0])
		if len(j.packed) < c.n-c.n/16 {
			payload, flags = j.packed, flags|flagZstd
		}
	}
	err := j.record(j.log.id, c, payload, flags)
	j.clear()
	return err
}

func (j *joiner) clear() {
	c := j.open
	c.n, c.count, c.flags, c.received, c.sent = 0, 0, 0, 0, 0
}
