package recording

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The places of chunks in the journal take 56 bytes of memory each, and sessions that say little at a time have one for each
// time: so the journal may have only so many, besides so many for each live session.
const (
	mostPlaces = 64 << 10
	placesEach = 8
	placeParts = 4 // segments in which those are, about
)

// hasManyPlaces reports whether the journal, which has n places, is to be shortened for their sake.
func (s *Store) hasManyPlaces(n int64) bool {
	if n <= s.opt.mostPlaces {
		return false
	}
	s.mu.Lock()
	live := len(s.live)
	s.mu.Unlock()
	return n > s.opt.mostPlaces+placesEach*int64(live)
}

// checkpoint moves the chunks of live sessions out of the oldest segments into files of their own while the journal is
// larger than its limit, so that a session that lives long does not keep everybody's bytes, or has many places in memory.
func (s *Store) checkpoint() {
	for {
		s.smu.Lock()
		var oldest *segment
		if len(s.segments) > 0 && s.segments[0].full.Load() {
			oldest = s.segments[0]
		}
		long := int64(len(s.segments))*s.opt.SegmentSize > s.opt.JournalLimit
		s.smu.Unlock()
		if !long && !s.hasManyPlaces(s.places.Load()) {
			return
		}
		if oldest == nil {
			return
		}
		if err := s.emptySegment(oldest); err != nil {
			s.opt.Logger.Error("the journal cannot be shortened; it is tried again with its next segment", "error", err)
			return
		}
		s.retireSegments()
		s.sealWaiting()
		s.smu.Lock()
		stuck := len(s.segments) > 0 && s.segments[0] == oldest
		s.smu.Unlock()
		if stuck {
			return // its remaining sessions have ended, and cannot be sealed now
		}
	}
}

// sealWaiting seals those that wait now, and not those who come meanwhile, of whom there may be no end.
func (s *Store) sealWaiting() {
	s.mu.Lock()
	waiting := len(s.toDo)
	s.mu.Unlock()
	for n := 0; n < waiting && s.sealSome(); n += sealBatch {
	}
}

func (s *Store) emptySegment(g *segment) error {
	s.mu.Lock()
	logs := make([]*Log, 0, len(s.live))
	for l := range s.live {
		logs = append(logs, l)
	}
	s.mu.Unlock()
	moves := make([]*move, 0, len(logs))
	var paths []string
	worked := time.Duration(0)
	for _, l := range logs {
		began := time.Now()
		m, err := s.copyToPart(l, g)
		if err != nil {
			return err
		}
		if m != nil {
			moves, paths = append(moves, m), append(paths, m.part.path)
		}
		worked = s.rest(worked + time.Since(began))
	}
	if len(moves) == 0 {
		return nil
	}
	if s.opt.Sync == SyncGroup { // once: the journal waits for the disk meanwhile
		if err := syncAll(s.journalDir(), paths); err != nil {
			return err
		}
	}
	for _, m := range moves {
		m.apply()
	}
	return nil
}

// move is a live log's chunks that were copied out of a segment.
type move struct {
	log  *Log
	from *segment
	part *segment
	at   int // index in durable of the first
	n    int // how many they were
	tail int // of them, those that were in the part, and are written anew
	refs []chunkRef
	size int64 // of the part afterwards
}

func (m *move) apply() {
	l := m.log
	l.mu.Lock()
	if len(m.refs) == m.n {
		copy(l.durable[m.at:], m.refs)
	} else { // as many as there are now, and no memory for more
		l.durable = slices.Concat(l.durable[:m.at], m.refs, l.durable[m.at+m.n:])
	}
	l.needRare().part = m.part
	m.part.size = m.size
	if m.tail > 0 {
		l.needRare().stale = true
	}
	l.mu.Unlock()
	m.from.logs.Add(-1)
	l.store.places.Add(int64(m.tail - m.n))
}

// copyToPart copies l's chunks in g to its own file; nil if it has none there. Only the sealer's goroutine calls it,
// and a log that ends meanwhile is sealed by the same goroutine later.
func (s *Store) copyToPart(l *Log, g *segment) (*move, error) {
	m := &move{log: l, from: g, at: -1}
	l.mu.Lock()
	m.part = l.seldom().part
	for i := range l.durable {
		if l.durable[i].seg == g {
			if m.at < 0 {
				m.at = i
			}
			m.refs = append(m.refs, l.durable[i])
		}
	}
	joins := m.at >= 0 && isSmall(m.refs)
	if joins && m.part != nil {
		m.tail = withTail(l.durable[:m.at], m.part, m.part.size, bytesOf(m.refs))
		m.refs = slices.Concat(l.durable[m.at-m.tail:m.at], m.refs)
		m.at -= m.tail
	}
	l.mu.Unlock()
	if m.at < 0 {
		return nil, nil
	}
	m.n = len(m.refs)
	if m.part == nil {
		path := filepath.Join(s.journalDir(), string(l.id)+".part")
		if err := os.WriteFile(path, []byte(sealedMagic), 0o600); err != nil {
			return nil, err
		}
		m.part = &segment{path: path, size: fileMagic}
		m.part.full.Store(true)
	}
	if joins && m.n > 1 {
		return m, s.joinToPart(l, m)
	}
	f, err := os.OpenFile(m.part.path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	off := m.part.size
	for i := range m.refs {
		r := &m.refs[i]
		b := make([]byte, r.length)
		if _, err := g.file.ReadAt(b, r.off); err != nil && !errors.Is(err, os.ErrClosed) {
			return nil, err
		}
		if _, err := f.WriteAt(b, off); err != nil {
			return nil, err
		}
		r.seg, r.off = m.part, off
		off += int64(r.length)
	}
	m.size = off
	return m, nil
}

func bytesOf(refs []chunkRef) (bytes uint32) {
	for i := range refs {
		bytes += refs[i].length // a segment is smaller than that can be
	}
	return bytes
}

// isSmall reports whether a live session's records are to be joined.
func isSmall(refs []chunkRef) bool { return bytesOf(refs)/uint32(len(refs)) <= joinSmall }

// joinToPart copies a move's chunks joined: of a session that trickles there would be more and more of them in memory, for as
// long as it lives.
func (s *Store) joinToPart(l *Log, m *move) error {
	w := &sealWriter{path: m.part.path}
	if err := w.open(m.part); err != nil {
		return err
	}
	defer w.file.Close()
	if err := s.joiner.joinLiving(w, l, m.refs); err != nil {
		return err
	}
	if err := w.flush(0); err != nil {
		return err
	}
	m.refs = m.refs[:0]
	for i := range w.entries {
		ref := w.entries[i].ref
		ref.seg = m.part
		m.refs = append(m.refs, ref)
	}
	m.size = w.off
	return nil
}
