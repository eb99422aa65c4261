package recording

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/switchboard-relay/switchboard/session"
)

const (
	importChunk = 64 << 10 // bytes in a chunk, at most
	importPiece = 4 << 10  // data that does not fit is divided if the first part is as long as this

	// A chunk ends once it has lasted a 2048th of the session so far, or Options.ChunkAge if that is longer. So the index
	// stays short, however long the session and however little was said, and places are found to within 0.05 %.
	importShare = 2048
	importSpan  = time.Hour // that a chunk lasts at most: the offsets in it stay below 2^32 µs
)

// importer writes one file. The Opened event has a record of its own at the beginning, which is not compressed: its start may
// be known only in the end.
type importer struct {
	sealWriter
	store   *Store
	info    session.Info
	open    *chunk // being filled
	encoder *zstd.Encoder
	packed  []byte
	next    uint64 // number of the next event
	last    int64  // time of the newest event, Unix µs
}

// newImporter begins a file. Unless there is none, the caller closes it, also behind an error.
func (s *Store) newImporter(info session.Info) (*importer, error) {
	w := &importer{store: s, info: info, next: 1, last: info.Start, encoder: newEncoder(zstd.SpeedFastest)}
	w.path = filepath.Join(s.journalDir(), string(info.ID)+importExt)
	if err := w.sealWriter.open(nil); err != nil {
		return nil, err
	}
	w.open = newChunk(ownClass, importChunk)
	data := info.AppendJSON(nil)
	if len(data) > importChunk-eventHeader {
		return w, errors.New("what is known of the session is too long")
	}
	w.put(session.Opened, info.Start, data)
	return w, w.write()
}

// close lets go of the file, and removes it if it has not got its place.
func (w *importer) close() {
	w.file.Close()
	unlink(w.path)
	w.encoder.Close()
}

// add is the AddFunc.
func (w *importer) add(k session.Kind, at int64, data []byte) error {
	at = max(at, w.last)
	for {
		if err := w.makeRoom(k, at, len(data)); err != nil {
			return err
		}
		free := importChunk - w.open.n - eventHeader
		if len(data) <= free {
			w.put(k, at, data)
			return nil
		}
		if !w.divisible(k, len(data)) {
			return fmt.Errorf("an event of kind %s has %d bytes: at most %d", k, len(data), free)
		}
		w.put(k, at, data[:free])
		data = data[free:]
	}
}

// makeRoom ends the open chunk if it has lasted long enough, or has no room for what comes.
func (w *importer) makeRoom(k session.Kind, at int64, n int) error {
	c := w.open
	if c.count == 0 {
		return nil
	}
	longest := max(w.store.opt.ChunkAge.Microseconds(), (c.t0-w.info.Start)/importShare)
	room := importChunk - c.n - eventHeader
	enough := n <= room || w.divisible(k, n) && room >= importPiece
	if enough && at-c.t0 < min(longest, importSpan.Microseconds()) {
		return nil
	}
	return w.write()
}

// divisible reports whether more than one event may hold what one of n bytes would: of a message, only if none could.
func (w *importer) divisible(k session.Kind, n int) bool {
	return (k == session.Received || k == session.Sent) && (!w.info.Datagrams() || n > importChunk-eventHeader)
}

// put appends an event to the open chunk.
func (w *importer) put(k session.Kind, at int64, data []byte) {
	c := w.open
	if c.count == 0 {
		c.first, c.t0 = w.next, at
	}
	putEventHeader(c.buf[c.n:], k, len(data), uint32(at-c.t0))
	copy(c.buf[c.n+eventHeader:], data)
	c.n += eventHeader + len(data)
	c.count++
	c.t1 = at
	switch k {
	case session.Opened:
		c.flags |= flagOpens
	case session.Closed:
		c.flags |= flagCloses
	case session.Named:
		w.name = string(data)
	}
	before := w.totals
	w.totals.CountEvent(k, data)
	c.tally(k, len(data), &before, &w.totals)
	w.next++
	w.last = at
}

// write writes the open chunk, and empties it.
func (w *importer) write() error {
	c := w.open
	if w.store.isClosing() {
		return ErrClosed
	}
	c.sum()
	raw, flags := c.buf[:c.n], c.flags
	payload := raw
	if len(raw) >= compressMin && c.flags&flagOpens == 0 {
		w.packed = w.encoder.EncodeAll(raw, w.packed[:0])
		if len(w.packed) < len(raw)-len(raw)/16 {
			payload, flags = w.packed, flags|flagZstd
		}
	}
	err := w.record(w.info.ID, c, payload, flags)
	c.n, c.count, c.flags, c.received, c.sent = 0, 0, 0, 0, 0
	return err
}

// finish completes the file and gives it its place. The times are moved if the session is to have ended at another one, or
// would end in the future.
func (w *importer) finish(end session.End, ends int64) (sum session.Summary, err error) {
	if err := w.write(); err != nil {
		return sum, err
	}
	last, latest := max(end.Time, w.last), time.Now().UnixMicro()
	move := min(latest-last, 0)
	if ends != 0 {
		move = min(ends, latest) - last
	}
	if err := w.move(move); err != nil {
		return sum, err
	}
	end.Time = last + move
	w.put(session.Closed, end.Time, session.JSON(end))
	if err := w.write(); err != nil {
		return sum, err
	}
	sum = session.Summary{Info: w.info, Totals: w.totals, Events: w.next - 1}
	if w.name != "" {
		sum.Name = w.name
	}
	sum.SetEnd(end)
	if sum.Size, err = w.sealWriter.finish(sum); err != nil {
		return sum, err
	}
	return sum, w.store.place(w.file, w.path, w.store.sealedPath(sum.ID, sum.Start))
}

// move moves the times of all that was written by µs. The first record is made anew: its event says when the session began.
func (w *importer) move(by int64) error {
	if by == 0 {
		return nil
	}
	if w.info.Start+by < 0 {
		return errors.New("the session would have begun before 1970")
	}
	if err := w.flush(0); err != nil {
		return err
	}
	old := w.info.AppendJSON(nil)
	w.info.Start += by
	w.last += by
	for i := range w.entries {
		ref := &w.entries[i].ref
		ref.t0 += by
		b := make([]byte, headerSize)
		if _, err := w.file.ReadAt(b, ref.off); err != nil {
			return err
		}
		h, err := parseHeader(b)
		if err != nil {
			return err
		}
		h.t0, h.t1 = h.t0+by, h.t1+by
		if i == 0 {
			data := w.info.AppendJSON(nil)
			for len(data) < len(old) { // spaces mean nothing to JSON
				data = append(data, ' ')
			}
			b = append(b, make([]byte, eventHeader)...)
			putEventHeader(b[headerSize:], session.Opened, len(data), 0)
			b = append(b, data...)
			if len(data) > len(old) {
				return errors.New("a session cannot be moved to a later time whose number is longer")
			}
			h.payloadCRC = checksum(b[headerSize:])
		}
		h.put(b)
		if _, err := w.file.WriteAt(b, ref.off); err != nil {
			return err
		}
	}
	return nil
}

// place makes a complete file durable, and gives it its name.
func (s *Store) place(f *os.File, from, to string) error {
	if s.opt.Sync == SyncGroup {
		if err := datasync(f); err != nil {
			return err
		}
	}
	dir := filepath.Dir(to)
	made := !exists(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if err := s.syncFolders(dir, made); err != nil {
		return errors.Join(err, unlink(to))
	}
	return nil
}
