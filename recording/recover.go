package recording

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/switchboard-relay/switchboard/session"
)

// recover reads what a crash left: indexes of complete segments, the headers of the last, and the files of long-lived
// sessions. Every session found is to be sealed; those without a Closed event end as "interrupted".
func (s *Store) recover() error {
	if err := s.removeImports(); err != nil {
		return err
	}
	files, err := os.ReadDir(s.journalDir())
	if err != nil {
		return err
	}
	logs := map[session.ID]*Log{}
	for _, pass := range []string{".part", ".seg"} { // parts first: they hold the older chunks
		for _, file := range files {
			if filepath.Ext(file.Name()) != pass {
				continue
			}
			if err := s.recoverFile(filepath.Join(s.journalDir(), file.Name()), logs); err != nil {
				return err
			}
		}
	}
	s.forgetRemoved(logs)
	for _, l := range logs {
		s.recoverLog(l)
	}
	if s.opt.Sync == SyncGroup && len(s.found) > 0 { // complete, but perhaps not yet on disk
		if err := syncAll(s.sealedDir(), s.found); err != nil {
			return err
		}
	}
	s.retireSegments()
	return nil
}

func (s *Store) recoverFile(path string, logs map[session.ID]*Log) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	g := &segment{path: path, file: f}
	g.full.Store(true)
	entries, err := readEntries(f, g)
	if err != nil {
		f.Close()
		return err
	}
	part := strings.HasSuffix(path, ".part")
	if part && len(entries) == 0 {
		f.Close()
		return os.Remove(path)
	}
	if part {
		f.Close()
		g.file = nil // it is opened for each read
	} else {
		n, _ := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), ".seg"))
		s.serial = max(s.serial, n)
		s.segments = append(s.segments, g)
	}
	for _, e := range entries {
		l := logs[e.id]
		if l == nil {
			l = &Log{store: s, id: e.id}
			logs[e.id] = l
		}
		if part {
			l.needRare().part = g
			g.size = e.ref.off + int64(e.ref.length)
		}
		if part && e.ref.first <= l.durableTo() {
			l.needRare().stale = true
			l.takeJoined(&e.ref)
			continue
		}
		if !part && e.ref.first <= l.durableTo() && l.hasCopy(e.ref.first) {
			continue // it is in the session's own file already
		}
		if !part && (len(l.durable) == 0 || l.durable[len(l.durable)-1].seg != g) {
			g.logs.Add(1)
		}
		l.durable = append(l.durable, e.ref)
		if !part {
			s.places.Add(1)
		}
	}
	return nil
}

// takeJoined takes a record of a session's own file for those that are joined in it, if it is whole.
func (l *Log) takeJoined(ref *chunkRef) {
	i := slices.IndexFunc(l.durable, func(r chunkRef) bool { return r.first == ref.first })
	if i < 0 || ref.last() < l.durableTo() || !ref.isWhole() {
		return
	}
	l.durable = append(l.durable[:i], *ref)
}

// hasCopy reports whether an event of the journal is in a record that is whole. What is behind one in the session's own file
// that is not, is no copy either: the file was being written.
func (l *Log) hasCopy(number uint64) bool {
	i := slices.IndexFunc(l.durable, func(r chunkRef) bool { return r.last() >= number })
	if l.durable[i].seg != l.seldom().part || number <= l.seldom().whole {
		return true
	}
	if l.durable[i].isWhole() {
		l.needRare().whole = l.durable[i].last()
		return true
	}
	if l.durable[i].first < number { // it has more than this record, which may be gone from the journal
		return true
	}
	l.needRare().stale = true
	l.durable = l.durable[:i]
	return false
}

// isWhole reports whether a record can be read.
func (r *chunkRef) isWhole() bool {
	_, _, _, err := r.seg.read(r, nil, nil)
	return err == nil
}

// readEntries is a file's index, or, where its end is missing or damaged, what a scan of its headers finds.
func readEntries(f *os.File, g *segment) ([]indexEntry, error) {
	entries, _, _, err := readTail(f, g)
	if err == nil || errors.Is(err, errSummary) {
		return entries, nil
	}
	if !errors.Is(err, errIndex) {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	entries = nil
	scan(f, fileMagic, info.Size(), func(off int64, h header) {
		entries = append(entries, entryOf(g, off, h))
	}, func(int64, int64) {})
	return entries, nil
}

// recoverLog makes a log of a session that the journal holds: ended, and to be sealed.
func (s *Store) recoverLog(l *Log) {
	first, last := &l.durable[0], &l.durable[len(l.durable)-1]
	info := &session.Info{Start: first.t0}
	l.next, l.last = last.last()+1, last.t1()
	if ev, ok := findEvent(first, session.Opened); ok {
		json.Unmarshal(ev.Data, info) // what cannot be read stays as it is: the session is still listed and plays
	}
	info.ID = l.id
	l.about = info
	if s.sealedAlready(l) {
		l.forget()
		return
	}
	end := session.End{Time: last.t1(), Cause: session.Interrupted}
	if ev, ok := findEvent(last, session.Closed); ok {
		json.Unmarshal(ev.Data, &end)
	} else {
		l.appendInterrupted(end)
	}
	l.needRare().end, l.recount = &end, true
	s.ending[l.id] = l
	s.toDo = append(s.toDo, l)
	select {
	case s.sealIt <- struct{}{}:
	default:
	}
}

// findEvent reads a chunk and returns its first event of the kind.
func findEvent(ref *chunkRef, k session.Kind) (session.Event, bool) {
	raw, _, h, err := ref.seg.read(ref, nil, nil)
	if err != nil {
		return session.Event{}, false
	}
	events, _ := parseEvents(nil, raw, h.first, h.t0)
	i := slices.IndexFunc(events, func(e session.Event) bool { return e.Kind == k })
	if i < 0 {
		return session.Event{}, false
	}
	return events[i], true
}

// appendInterrupted gives an unfinished recording its end, in memory: sealing writes it.
func (l *Log) appendInterrupted(end session.End) {
	data := session.JSON(end)
	c := newChunk(classFor(eventHeader+len(data)), eventHeader+len(data))
	c.log, c.first, c.t0, c.t1, c.count, c.flags = l, l.next, end.Time, end.Time, 1, flagCloses
	putEventHeader(c.buf, session.Closed, len(data), 0)
	copy(c.buf[eventHeader:], data)
	c.n = eventHeader + len(data)
	c.sum()
	l.next++
	l.pending = append(l.pending, c)
}

// sealedAlready reports whether the session's file is complete: the crash came after it was made and before its chunks
// left the journal.
func (s *Store) sealedAlready(l *Log) bool {
	path := s.sealedPath(l.id, l.about.Describe().Start)
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	entries, _, _, err := readTail(f, nil)
	if err != nil || len(entries) == 0 || entries[len(entries)-1].ref.last() < l.durableTo() {
		return false
	}
	s.found = append(s.found, path)
	return true
}

// forget lets go of the journal's files.
func (l *Log) forget() {
	var previous *segment
	for i := range l.durable {
		g := l.durable[i].seg
		if g != l.seldom().part {
			l.store.places.Add(-1)
		}
		if g != previous && g != l.seldom().part {
			g.logs.Add(-1)
			previous = g
		}
	}
	if l.seldom().part != nil {
		l.seldom().part.retire(true)
	}
	l.durable = nil
}
