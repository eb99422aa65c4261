package recording

import (
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	batchBytes  = 8 << 20 // raw bytes in one round of the journal
	compressMin = 512     // smaller payloads are not worth it
	retryEvery  = time.Second
)

// batch is what one round of the journal writes: records in order, made durable together.
type batch struct {
	chunks  []*chunk
	headers []byte   // headerSize each
	packed  []byte   // compressed payloads, one after another
	spans   [][2]int // of each payload in packed; {-1, -1}: the chunk's own memory
	size    int64
}

func (b *batch) reset() {
	b.chunks, b.headers, b.packed, b.spans, b.size = b.chunks[:0], b.headers[:0], b.packed[:0], b.spans[:0], 0
}

func (b *batch) payload(i int) []byte {
	if span := b.spans[i]; span[0] >= 0 {
		return b.packed[span[0]:span[1]]
	}
	return b.chunks[i].buf[:b.chunks[i].n]
}

// enqueue gives the journal a chunk. The log's lock is held, which keeps a session's chunks in order.
func (s *Store) enqueue(c *chunk) {
	s.queued.Add(int64(len(c.buf)))
	s.qmu.Lock()
	s.queue = append(s.queue, c)
	s.qmu.Unlock()
	select {
	case s.arrived <- struct{}{}:
	default:
	}
}

// encode is the journal's first stage: it takes what waits, compresses what is worth it while there is time, and hands
// rounds to commit. Two batches exist, so that one is encoded while the other becomes durable.
func (s *Store) encode() {
	encoder := newEncoder(zstd.SpeedFastest)
	free := make(chan *batch, 2)
	free <- &batch{}
	free <- &batch{}
	rounds := make(chan *batch)
	finished := make(chan struct{})
	go func() { // ends when rounds closes; encode waits for it
		defer close(finished)
		for b := range rounds {
			s.commit(b)
			clear(b.chunks)
			free <- b
		}
	}()
	for {
		b := <-free
		b.reset()
		if !s.takeBatch(b) {
			break
		}
		s.pack(b, encoder)
		rounds <- b
	}
	close(rounds)
	<-finished
}

// takeBatch waits for chunks; false means that the store closes and nothing waits.
func (s *Store) takeBatch(b *batch) bool {
	for {
		s.qmu.Lock()
		raw, n := 0, 0
		for n < len(s.queue) && raw < batchBytes {
			raw += s.queue[n].n
			n++
		}
		b.chunks = append(b.chunks, s.queue[:n]...)
		rest := copy(s.queue, s.queue[n:])
		clear(s.queue[rest:])
		s.queue = s.queue[:rest]
		s.qmu.Unlock()
		if n > 0 {
			return true
		}
		select {
		case <-s.arrived:
		case <-s.closing:
			s.qmu.Lock()
			empty := len(s.queue) == 0
			s.qmu.Unlock()
			if empty {
				return false
			}
		}
	}
}

// pack makes the records. While much waits for the disk, compression gives way.
func (s *Store) pack(b *batch, encoder *zstd.Encoder) {
	hurry := s.queued.Load() > s.opt.QueueLimit/4
	for _, c := range b.chunks {
		raw := c.buf[:c.n]
		span := [2]int{-1, -1}
		payload := raw
		flags := c.flags
		if len(raw) >= compressMin && !hurry && c.log.compressible() {
			start := len(b.packed)
			b.packed = encoder.EncodeAll(raw, b.packed)
			if worth := len(b.packed)-start < len(raw)-len(raw)/16; worth {
				span = [2]int{start, len(b.packed)}
				payload = b.packed[start:]
				flags |= flagZstd
				c.log.stubborn = 0
			} else {
				b.packed = b.packed[:start]
				c.log.stubborn = min(c.log.stubborn+1, 6)
				c.log.skip = 1 << c.log.stubborn
			}
		}
		h := header{payloadCRC: checksum(payload), length: uint32(len(payload)), raw: uint32(len(raw)), count: c.count,
			first: c.first, t0: c.t0, t1: c.t1, flags: flags, passed: c.passed, id: c.log.id}
		at := len(b.headers)
		b.headers = append(b.headers, make([]byte, headerSize)...)
		h.put(b.headers[at:])
		b.spans = append(b.spans, span)
		b.size += int64(headerSize + len(payload))
	}
}

// compressible says whether it is worth trying: bytes that did not shrink are tried again ever less often. Both fields
// belong to the encoder's goroutine.
func (l *Log) compressible() bool {
	if l.skip > 0 {
		l.skip--
		return false
	}
	return true
}

// commit is the journal's second stage: one write and one sync for all of a round. While the disk fails it tries
// again with a new segment; what waits meanwhile is bounded by the queue's limit.
func (s *Store) commit(b *batch) {
	for {
		seg, off, err := s.write(b)
		if err == nil {
			s.committed(b, seg, off)
			s.recovered()
			return
		}
		s.failed(err)
		s.abandonSegment()
		select {
		case <-time.After(retryEvery):
		case <-s.abort:
			s.dropBatch(b)
			return
		}
	}
}

func (s *Store) write(b *batch) (*segment, int64, error) {
	seg, err := s.currentSegment()
	if err != nil {
		return nil, 0, err
	}
	off := seg.size
	vec := s.vec[:0]
	for i := range b.chunks {
		vec = append(vec, b.headers[i*headerSize:(i+1)*headerSize], b.payload(i))
	}
	s.vec = vec
	if err := writeAll(seg.file, vec, off); err != nil {
		return nil, 0, err
	}
	clear(s.vec)
	if s.opt.Sync == SyncGroup {
		if err := datasync(seg.file); err != nil {
			return nil, 0, err
		}
	}
	seg.size += b.size
	s.commits.Add(1)
	s.written.Add(uint64(b.size))
	return seg, off, nil
}

// committed moves the round's chunks from memory to disk in the eyes of their logs.
func (s *Store) committed(b *batch, seg *segment, off int64) {
	freed := int64(0)
	for i, c := range b.chunks {
		length := headerSize + len(b.payload(i))
		ref := chunkRef{seg: seg, off: off, length: uint32(length), count: c.count, first: c.first, t0: c.t0,
			span: spanOf(c.t0, c.t1), flags: c.flags, passed: c.passed}
		off += int64(length)
		freed += int64(len(c.buf))
		c.log.onDisk(c, ref)
		c.release()
	}
	s.chunks.Add(uint64(len(b.chunks)))
	s.queued.Add(-freed)
	s.wakeSpace()
	seg.held += int64(len(b.chunks))
	n := s.places.Add(int64(len(b.chunks)))
	if seg.size >= s.opt.SegmentSize || s.hasManyPlaces(n) && seg.held >= n/placeParts {
		s.finishSegment()
	}
}

// onDisk marks l's oldest pending chunk durable.
func (l *Log) onDisk(c *chunk, ref chunkRef) {
	l.mu.Lock()
	if len(l.durable) == 0 || l.durable[len(l.durable)-1].seg != ref.seg {
		ref.seg.logs.Add(1)
	}
	if l.durable == nil {
		l.durable = make([]chunkRef, 0, 2) // most sessions are silent after their first words
	}
	l.durable = append(l.durable, ref)
	copy(l.pending, l.pending[1:])
	l.pending[len(l.pending)-1] = nil
	if l.pending = l.pending[:len(l.pending)-1]; len(l.pending) == 0 {
		l.pending = nil
	}
	l.wakeCommitted()
	done := c.flags&flagCloses != 0
	l.mu.Unlock()
	if done {
		l.store.toSeal(l)
	}
}

// dropBatch gives up what could not be written before the store was closed.
func (s *Store) dropBatch(b *batch) {
	for _, c := range b.chunks {
		s.unrecorded.Add(uint64(c.count))
		s.queued.Add(-int64(len(c.buf)))
	}
	s.wakeSpace()
}

// failed notes that the journal cannot write, and tells it once.
func (s *Store) failed(err error) {
	err = fmt.Errorf("recordings cannot be written to %s: %w: %s", s.opt.Dir, err, mend(err))
	s.fmu.Lock()
	first := s.failure == nil
	s.failure = err
	s.fmu.Unlock()
	s.failing.Store(true)
	s.failures.Add(1)
	s.wakeSpace()
	if !first {
		return
	}
	if s.opt.OnFailed != nil {
		s.opt.OnFailed(err)
	}
	s.endFailed(err)
}

// endFailed tells every session whose policy is to end.
func (s *Store) endFailed(err error) {
	s.mu.Lock()
	var told []*Log
	for l := range s.live {
		if l.endFails {
			told = append(told, l)
		}
	}
	s.mu.Unlock()
	for _, l := range told {
		l.mu.Lock()
		l.needRare().dead = err
		l.wakeCommitted()
		told := l.told
		l.told = false
		l.mu.Unlock()
		if told {
			l.about.(Participant).RecordingFailed(err)
		}
	}
}

func (s *Store) recovered() {
	if !s.failing.Load() {
		return
	}
	s.fmu.Lock()
	s.failure = nil
	s.fmu.Unlock()
	s.failing.Store(false)
	if s.opt.OnRecovered != nil {
		s.opt.OnRecovered()
	}
}

// Err is why recordings cannot be written now, nil if they can.
func (s *Store) Err() error {
	s.fmu.Lock()
	defer s.fmu.Unlock()
	return s.failure
}

// awaitSpace waits until less waits for the disk, the recording fails, or the log is interrupted.
func (s *Store) awaitSpace(l *Log) {
	for {
		s.spaceMu.Lock()
		if s.space == nil {
			s.space = make(chan struct{})
		}
		space := s.space
		s.spaceMu.Unlock()
		l.mu.Lock()
		over := l.stopped || l.seldom().dead != nil || !l.waits()
		l.mu.Unlock()
		if over || s.failing.Load() && !l.endFails {
			return
		}
		s.stalls.Add(1)
		<-space
	}
}

func (s *Store) wakeSpace() {
	s.spaceMu.Lock()
	if s.space != nil {
		close(s.space)
		s.space = nil
	}
	s.spaceMu.Unlock()
}
