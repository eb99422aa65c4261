package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

const (
	sealBatch  = 1024    // sessions made durable together
	sealBuffer = 1 << 20 // bytes copied at once

	calmPoll  = 10 * time.Millisecond
	calmLimit = time.Second // that a batch of files waits for the journal to have less to do

	sealShare = 10               // the sealer works a tenth of what the processors can,
	sealMany  = 16 << 10         // and more the more sessions wait for it: all it can from here on
	restLeast = time.Millisecond // that is worth a rest
	restMost  = 100 * time.Millisecond
)

// toSeal hands an ended log, durable to its end, to the sealer.
func (s *Store) toSeal(l *Log) {
	s.mu.Lock()
	s.toDo = append(s.toDo, l)
	s.mu.Unlock()
	s.wakeSealer()
}

func (s *Store) wakeSealer() {
	select {
	case s.sealIt <- struct{}{}:
	default:
	}
}

func (s *Store) checkpointSoon() {
	s.check.Store(true)
	s.wakeSealer()
}

// sealer gives ended sessions files of their own, until the store stops.
func (s *Store) sealer() {
	for _, path := range s.found {
		s.reportFound(path)
	}
	s.found = nil
	for {
		select {
		case <-s.sealIt:
		case <-s.stop:
			return
		}
		for more := true; more; { // sessions may end faster than they are sealed: the journal is looked after all the same
			more = s.sealSome()
			if s.check.Swap(false) {
				s.checkpoint()
			}
		}
	}
}

// journalIsLong reports whether the journal is half as long as it may be: then nothing is to wait for its file.
func (s *Store) journalIsLong() bool {
	s.smu.Lock()
	defer s.smu.Unlock()
	return int64(len(s.segments))*s.opt.SegmentSize > s.opt.JournalLimit/2
}

// awaitCalm waits while much waits for the disk: an ended session can wait for its file, a live one cannot go on. It
// does not wait once the journal is long, nor while the store closes.
func (s *Store) awaitCalm(deadline time.Time) {
	for s.queued.Load() > s.opt.QueueLimit/8 && time.Now().Before(deadline) {
		if s.journalIsLong() {
			return
		}
		select {
		case <-time.After(calmPoll):
		case <-s.closing:
			return
		case <-s.stop:
			return
		}
	}
}

// rest follows work of the sealer, so that many sessions that end at once do not take the processors from those that go on,
// or come back. It returns the work that has not been rested from. There is none once the journal is long, and never a long
// one: what is taken for work may have been waiting for a disk.
func (s *Store) rest(worked time.Duration) time.Duration {
	s.mu.Lock()
	waiting := len(s.toDo)
	s.mu.Unlock()
	pause := worked*sealShare/time.Duration(runtime.GOMAXPROCS(0)) - worked
	pause -= pause * time.Duration(min(waiting, sealMany)) / sealMany
	if pause < restLeast {
		return worked
	}
	if s.journalIsLong() {
		return 0
	}
	select {
	case <-time.After(min(pause, restMost)):
	case <-s.closing:
	case <-s.stop:
	}
	return 0
}

// reportFound tells of a file that was complete when a crash came, and may not have been told of.
func (s *Store) reportFound(path string) {
	r, err := openSealed(path)
	if err != nil {
		return
	}
	defer r.Close()
	if s.opt.OnSealed != nil {
		s.opt.OnSealed(r.Summary())
	}
}

// sealSome seals what is ready, up to a batch; false means that nothing was.
func (s *Store) sealSome() bool {
	s.mu.Lock()
	n := min(len(s.toDo), sealBatch)
	logs := append([]*Log(nil), s.toDo[:n]...)
	s.toDo = append([]*Log(nil), s.toDo[n:]...)
	s.mu.Unlock()
	if n == 0 {
		return false
	}
	done := make([]*Log, 0, n)
	paths := make([]string, 0, n)
	sums := make([]session.Summary, 0, n)
	var failed error
	calmBy := time.Now().Add(calmLimit)
	worked := time.Duration(0)
	for i, l := range logs {
		s.awaitCalm(calmBy)
		began := time.Now()
		path, sum, err := s.seal(l)
		if err != nil {
			failed = err
			s.postpone(logs[i:])
			break
		}
		done, paths, sums = append(done, l), append(paths, path), append(sums, sum)
		worked = s.rest(worked + time.Since(began))
	}
	if s.opt.Sync == SyncGroup && len(done) > 0 {
		if err := syncAll(s.sealedDir(), paths); err != nil {
			failed = err
			s.postpone(done)
			done = nil
		}
	}
	for i, l := range done {
		began := time.Now()
		s.sealedNow(l, paths[i], sums[i])
		worked = s.rest(worked + time.Since(began))
	}
	s.retireSegments()
	if failed != nil {
		return s.retryLater(failed)
	}
	s.sealTrouble = false
	return true
}

func (s *Store) postpone(logs []*Log) {
	s.mu.Lock()
	s.toDo = append(append([]*Log(nil), logs...), s.toDo...)
	s.mu.Unlock()
}

// retryLater waits before the next try; false means that the store stops.
func (s *Store) retryLater(err error) bool {
	if !s.sealTrouble {
		s.sealTrouble = true
		s.opt.Logger.Error("ended sessions cannot be given files of their own; "+
			"they stay in the journal and it is tried again", "error", err, "mend", mend(err))
	}
	select {
	case <-time.After(retryEvery):
		return true
	case <-s.stop:
		return false
	case <-s.closing:
		s.fmu.Lock()
		if s.failure == nil {
			s.failure = fmt.Errorf("ended sessions stay in the journal: %w", err)
		}
		s.fmu.Unlock()
		s.mu.Lock()
		s.idle.Broadcast()
		s.mu.Unlock()
		return false
	}
}

// sealedNow makes a complete and durable file known, and lets go of the journal's copy.
func (s *Store) sealedNow(l *Log, path string, sum session.Summary) {
	l.mu.Lock()
	l.needRare().sealed = path
	part := l.seldom().part
	var previous *segment
	for i := range l.durable {
		if g := l.durable[i].seg; g != previous && g != part {
			g.logs.Add(-1)
			previous = g
		}
	}
	for _, c := range l.pending {
		c.release()
	}
	l.durable, l.pending = nil, nil
	l.mu.Unlock()
	if part != nil {
		part.retire(false) // renamed: it is the sealed file
	}
	if s.opt.OnSealed != nil {
		s.opt.OnSealed(sum)
	}
	s.sealedCount.Add(1)
	s.mu.Lock()
	delete(s.ending, l.id)
	s.idle.Broadcast()
	s.mu.Unlock()
}

// seal writes an ended log's own file: its records, their index, its summary, the trailer.
func (s *Store) seal(l *Log) (path string, sum session.Summary, err error) {
	l.mu.Lock()
	refs, pending, part, done := l.durable, l.pending, l.seldom().part, l.seldom().done
	l.mu.Unlock()
	path = s.sealedPath(l.id, l.about.Describe().Start)
	if done != nil {
		return path, *done, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", sum, err
	}
	w := &sealWriter{path: path + ".tmp"}
	if part != nil {
		w.path = part.path
	}
	if err := w.open(part); err != nil {
		return "", sum, err
	}
	defer w.file.Close()
	for i := range refs {
		if err := w.copy(l, &refs[i], part); err != nil {
			return "", sum, err
		}
	}
	for _, c := range pending {
		if err := w.add(c); err != nil {
			return "", sum, err
		}
	}
	l.mu.Lock()
	if l.recount {
		l.totals, l.seldom().name, l.recount = w.totals, w.name, false
	}
	sum = l.summary()
	l.mu.Unlock()
	sum.Watchers = 0
	if sum.Size, err = w.finish(sum); err != nil {
		return "", sum, err
	}
	if part != nil { // the only copy of the older events: its name may be that of a complete file once it is one
		if s.opt.Sync == SyncGroup {
			err = datasync(w.file)
		}
		if err == nil {
			err = part.rename(path)
		}
	} else {
		err = os.Rename(w.path, path)
	}
	if err != nil {
		return "", sum, err
	}
	l.mu.Lock()
	l.needRare().done = &sum
	l.mu.Unlock()
	return path, sum, nil
}

// sealWriter writes one file through a buffer.
type sealWriter struct {
	path    string
	file    *os.File
	off     int64 // written
	buf     []byte
	entries []indexEntry
	totals  session.Totals // counted where they are not known
	name    string
}

func (w *sealWriter) open(part *segment) (err error) {
	if part != nil {
		w.file, err = os.OpenFile(w.path, os.O_RDWR, 0)
		if err == nil {
			w.off = part.size
			err = w.file.Truncate(w.off)
		}
		return err
	}
	w.file, err = os.OpenFile(w.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	w.buf = append(w.buf, sealedMagic...)
	return err
}

// at is where the next byte goes.
func (w *sealWriter) at() int64 { return w.off + int64(len(w.buf)) }

// copy takes a chunk's record over as it is, damage included: reading shows it.
func (w *sealWriter) copy(l *Log, ref *chunkRef, part *segment) error {
	entry := indexEntry{ref: *ref, id: l.id}
	if ref.seg != part {
		entry.ref.off = w.at()
		start := len(w.buf)
		w.buf = append(w.buf, make([]byte, ref.length)...)
		if _, err := ref.seg.file.ReadAt(w.buf[start:], ref.off); err != nil {
			return fmt.Errorf("%s: %w", ref.seg.path, err)
		}
	}
	w.entries = append(w.entries, entry)
	if l.recount {
		w.count(ref)
	}
	return w.flush(sealBuffer)
}

func (w *sealWriter) count(ref *chunkRef) {
	raw, _, h, err := ref.seg.read(ref, nil, nil)
	if err != nil {
		return
	}
	events, _ := parseEvents(nil, raw, h.first, h.t0)
	for _, e := range events {
		w.totals.CountEvent(e.Kind, e.Data)
		if e.Kind == session.Named {
			w.name = string(e.Data)
		}
	}
}

func (w *sealWriter) add(c *chunk) error {
	raw := c.buf[:c.n]
	h := header{payloadCRC: checksum(raw), length: uint32(c.n), raw: uint32(c.n), count: c.count, first: c.first, t0: c.t0,
		t1: c.t1, flags: c.flags, id: c.log.id}
	w.entries = append(w.entries, indexEntry{id: h.id, ref: chunkRef{off: w.at(), length: headerSize + h.length,
		count: h.count, first: h.first, t0: h.t0, span: spanOf(h.t0, h.t1), flags: h.flags}})
	var b [headerSize]byte
	h.put(b[:])
	w.buf = append(append(w.buf, b[:]...), raw...)
	return w.flush(sealBuffer)
}

func (w *sealWriter) flush(limit int) error {
	if len(w.buf) < limit {
		return nil
	}
	_, err := w.file.WriteAt(w.buf, w.off)
	w.off += int64(len(w.buf))
	w.buf = w.buf[:0]
	return err
}

func (w *sealWriter) finish(sum session.Summary) (size int64, err error) {
	indexAt := w.at()
	start := len(w.buf)
	w.buf = appendIndex(w.buf, w.entries)
	indexLen := len(w.buf) - start
	text, err := json.Marshal(sum)
	if err != nil {
		return 0, err
	}
	w.buf = append(w.buf, text...)
	w.buf = appendTrailer(w.buf, indexAt, indexLen, text)
	size = w.at()
	return size, w.flush(0)
}

// checkpoint moves the chunks of live sessions out of the oldest segments into files of their own while the journal is
// larger than its limit, so that a session that lives long does not keep everybody's bytes.
func (s *Store) checkpoint() {
	for {
		s.smu.Lock()
		var oldest *segment
		if int64(len(s.segments))*s.opt.SegmentSize > s.opt.JournalLimit && s.segments[0].full.Load() {
			oldest = s.segments[0]
		}
		s.smu.Unlock()
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
	for _, l := range logs {
		m, err := s.copyToPart(l, g)
		if err != nil {
			return err
		}
		if m != nil {
			moves, paths = append(moves, m), append(paths, m.part.path)
		}
	}
	if len(moves) == 0 {
		return nil
	}
	if s.opt.Sync == SyncGroup {
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
	refs []chunkRef
	size int64 // of the part afterwards
}

func (m *move) apply() {
	l := m.log
	l.mu.Lock()
	copy(l.durable[m.at:], m.refs)
	l.needRare().part = m.part
	m.part.size = m.size
	l.mu.Unlock()
	m.from.logs.Add(-1)
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
	l.mu.Unlock()
	if m.at < 0 {
		return nil, nil
	}
	if m.part == nil {
		path := filepath.Join(s.journalDir(), string(l.id)+".part")
		if err := os.WriteFile(path, []byte(sealedMagic), 0o600); err != nil {
			return nil, err
		}
		m.part = &segment{path: path, size: fileMagic}
		m.part.full.Store(true)
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
