package recording

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/switchboard-relay/switchboard/session"
)

// sealedNow makes a complete and durable file known, and lets go of the journal's copy.
func (s *Store) sealedNow(l *Log, path string, sum session.Summary) {
	l.mu.Lock()
	l.needRare().sealed = path
	part := l.seldom().part
	var previous *segment
	for i := range l.durable {
		g := l.durable[i].seg
		if g != part {
			s.places.Add(-1)
		}
		if g != previous && g != part {
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
		part.retire(part.path != path) // it is the sealed file, or was written anew
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
	refs, pending, part, stale, done := l.durable, l.pending, l.seldom().part, l.seldom().stale, l.seldom().done
	l.mu.Unlock()
	path = s.sealedPath(l.id, l.about.Describe().Start)
	if done != nil {
		return path, *done, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", sum, err
	}
	w := &sealWriter{path: path + ".tmp"}
	joins := joinable(refs, part)
	if joins || stale {
		part = nil
	}
	if part != nil {
		w.path = part.path
	}
	if err := w.open(part); err != nil {
		return "", sum, err
	}
	defer w.file.Close()
	if joins {
		err = s.joiner.join(w, l, refs)
	} else {
		err = w.copyAll(l, refs, part)
	}
	if err != nil {
		return "", sum, err
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

func (w *sealWriter) copyAll(l *Log, refs []chunkRef, part *segment) error {
	for i := range refs {
		if err := w.copy(l, &refs[i], part); err != nil {
			return err
		}
	}
	return nil
}

// copy takes a chunk's record over as it is, damage included: reading shows it.
func (w *sealWriter) copy(l *Log, ref *chunkRef, part *segment) error {
	entry := indexEntry{ref: *ref, id: l.id}
	if ref.seg != part {
		entry.ref.off = w.at()
		start := len(w.buf)
		w.buf = append(w.buf, make([]byte, ref.length)...)
		if err := ref.seg.copyAt(w.buf[start:], ref.off); err != nil {
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
	w.countEvents(events)
}

func (w *sealWriter) countEvents(events []session.Event) {
	for _, e := range events {
		w.totals.CountEvent(e.Kind, e.Data)
		if e.Kind == session.Named {
			w.name = string(e.Data)
		}
	}
}

func (w *sealWriter) add(c *chunk) error { return w.record(c.log.id, c, c.buf[:c.n], c.flags) }

// record writes a chunk; its payload may be compressed, if the flags say so.
func (w *sealWriter) record(id session.ID, c *chunk, payload []byte, flags uint8) error {
	h := header{payloadCRC: checksum(payload), length: uint32(len(payload)), raw: uint32(c.n), count: c.count, first: c.first,
		t0: c.t0, t1: c.t1, flags: flags, passed: c.passed, id: id}
	w.entries = append(w.entries, indexEntry{id: h.id, ref: chunkRef{off: w.at(), length: headerSize + h.length,
		count: h.count, first: h.first, t0: h.t0, span: spanOf(h.t0, h.t1), flags: h.flags, passed: h.passed}})
	var b [headerSize]byte
	h.put(b[:])
	w.buf = append(append(w.buf, b[:]...), payload...)
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
