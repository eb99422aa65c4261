package recording

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// chunkRef says where a chunk lies on disk.
type chunkRef struct {
	seg    *segment
	off    int64
	length uint32 // header and payload
	count  uint32
	span   uint32 // µs from the first event to the last
	flags  uint8
	passed passed // if flagPassed is there
	first  uint64
	t0     int64
}

func (r *chunkRef) t1() int64 { return r.t0 + int64(r.span) }

// spanOf is how far apart two times are, in µs, as a chunkRef has it.
func spanOf(t0, t1 int64) uint32 { return uint32(min(max(t1-t0, 0), math.MaxUint32)) }

func (r *chunkRef) last() uint64 { return r.first + uint64(r.count) - 1 }

// indexEntry is a chunkRef in an index, which names the session as well.
type indexEntry struct {
	ref chunkRef
	id  session.ID
}

// segment is a file of records: a segment of the journal, a long-lived session's own file in the making, or a sealed
// one.
type segment struct {
	path string       // guarded by mu where file is nil
	file *os.File     // nil for a part, which is opened for each read: idle sessions hold no descriptor for it
	size int64        // written by the journal only
	made int64        // Unix µs; 0 if it was found at the start
	held int64        // records; written by the journal only
	logs atomic.Int64 // unsealed sessions with chunks in it
	full atomic.Bool  // the journal writes elsewhere now

	mu     sync.RWMutex // held for reading during reads
	closed bool
}

var errMoved = errors.New("the chunk has moved")

// read returns a chunk's raw payload; buf is reused for what is read, dst for what is decompressed.
func (g *segment) read(ref *chunkRef, buf, dst []byte) (raw, nbuf []byte, h header, err error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return nil, buf, h, errMoved
	}
	if cap(buf) < int(ref.length) {
		buf = make([]byte, ref.length)
	}
	buf = buf[:ref.length]
	if err := g.readAt(buf, ref.off); err != nil {
		return nil, buf, h, fmt.Errorf("%w: %v", errPayload, err)
	}
	if h, err = parseHeader(buf); err != nil {
		return nil, buf, h, err
	}
	if h.first != ref.first || h.count != ref.count || int(h.length)+headerSize != len(buf) {
		return nil, buf, h, errHeader
	}
	raw, err = unpack(&h, buf[headerSize:], dst)
	return raw, buf, h, err
}

// copyAt reads records as they are.
func (g *segment) copyAt(b []byte, off int64) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.readAt(b, off)
}

// readAt reads from the file, opening it if it is not open; g.mu is held for reading.
func (g *segment) readAt(b []byte, off int64) error {
	f := g.file
	if f == nil {
		var err error
		if f, err = os.Open(g.path); err != nil {
			return err
		}
		defer f.Close()
	}
	_, err := f.ReadAt(b, off)
	return err
}

// rename moves the file while nobody reads it.
func (g *segment) rename(path string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := os.Rename(g.path, path); err != nil {
		return err
	}
	g.path = path
	return nil
}

// retire closes and removes the file, once no read is under way.
func (g *segment) retire(remove bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	if g.file != nil {
		g.file.Close()
	}
	if remove {
		return os.Remove(g.path)
	}
	return nil
}

// entryOf is the index entry of a record that was scanned.
func entryOf(g *segment, off int64, h header) indexEntry {
	return indexEntry{id: h.id, ref: chunkRef{seg: g, off: off, length: headerSize + h.length, count: h.count,
		first: h.first, t0: h.t0, span: spanOf(h.t0, h.t1), flags: h.flags, passed: h.passed}}
}

const (
	segmentMagic = "SBSEG1\r\n"
	sealedMagic  = "SBREC1\r\n"
	fileMagic    = 8
	endMagic     = "SBEND1\r\n"
	indexMagic   = 0x78694253 // "SBix"
	entrySize    = 80
	indexHeader  = 16
	trailerSize  = 32
)

// appendIndex appends an index block: magic, CRC of the rest, number of entries, reserved; then the entries.
func appendIndex(b []byte, entries []indexEntry) []byte {
	le := binary.LittleEndian
	start := len(b)
	b = append(b, make([]byte, indexHeader+entrySize*len(entries))...)
	block := b[start:]
	le.PutUint32(block[0:], indexMagic)
	le.PutUint32(block[8:], uint32(len(entries)))
	for i := range entries {
		e := block[indexHeader+i*entrySize:]
		r := &entries[i].ref
		le.PutUint64(e[0:], uint64(r.off))
		le.PutUint32(e[8:], r.length)
		le.PutUint32(e[12:], r.count)
		le.PutUint64(e[16:], r.first)
		le.PutUint64(e[24:], uint64(r.t0))
		le.PutUint64(e[32:], uint64(r.t1()))
		le.PutUint64(e[40:], mark(r.flags, r.passed))
		copy(e[48:entrySize], entries[i].id)
	}
	le.PutUint32(block[4:], checksum(block[8:]))
	return b
}

var (
	errIndex   = errors.New("damaged index")
	errSummary = errors.New("damaged summary")
)

func parseIndex(b []byte, seg *segment) ([]indexEntry, error) {
	le := binary.LittleEndian
	if len(b) < indexHeader || le.Uint32(b) != indexMagic || le.Uint32(b[4:]) != checksum(b[8:]) {
		return nil, errIndex
	}
	n := int(le.Uint32(b[8:]))
	if len(b) != indexHeader+n*entrySize {
		return nil, errIndex
	}
	entries := make([]indexEntry, n)
	var same session.ID // of the entry before, as that of a recording's mostly is
	for i := range entries {
		e := b[indexHeader+i*entrySize:]
		id := e[48:entrySize]
		if end := bytes.IndexByte(id, 0); end >= 0 {
			id = id[:end]
		}
		if string(id) != string(same) {
			same = session.ID(id)
		}
		t0 := int64(le.Uint64(e[24:]))
		flags, passed := parseMark(le.Uint64(e[40:]))
		entries[i] = indexEntry{id: same, ref: chunkRef{seg: seg, off: int64(le.Uint64(e)), length: le.Uint32(e[8:]),
			count: le.Uint32(e[12:]), first: le.Uint64(e[16:]), t0: t0, span: spanOf(t0, int64(le.Uint64(e[32:]))),
			flags: flags, passed: passed}}
		r := &entries[i].ref
		if r.off < fileMagic || r.length < headerSize || r.length > headerSize+maxPayload || r.count == 0 || r.first == 0 {
			return nil, errIndex
		}
	}
	return entries, nil
}

// appendTrailer appends the fixed end of a complete file: where the index begins, how long index and summary are, CRCs,
// magic.
func appendTrailer(b []byte, indexAt int64, indexLen int, summary []byte) []byte {
	le := binary.LittleEndian
	start := len(b)
	b = append(b, make([]byte, trailerSize)...)
	t := b[start:]
	le.PutUint64(t[0:], uint64(indexAt))
	le.PutUint32(t[8:], uint32(indexLen))
	le.PutUint32(t[12:], uint32(len(summary)))
	le.PutUint32(t[16:], checksum(summary))
	le.PutUint32(t[20:], checksum(t[:20]))
	copy(t[24:], endMagic)
	return b
}

// readTail reads a complete file's index and summary; errIndex if there is no valid end, errSummary with the index if
// only the summary is damaged.
func readTail(f *os.File, seg *segment) (entries []indexEntry, summary []byte, indexAt int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, 0, err
	}
	if info.Size() < fileMagic+trailerSize {
		return nil, nil, 0, errIndex
	}
	var t [trailerSize]byte
	if _, err := f.ReadAt(t[:], info.Size()-trailerSize); err != nil {
		return nil, nil, 0, err
	}
	le := binary.LittleEndian
	if string(t[24:]) != endMagic || le.Uint32(t[20:]) != checksum(t[:20]) {
		return nil, nil, 0, errIndex
	}
	indexAt = int64(le.Uint64(t[:]))
	indexLen, summaryLen := int64(le.Uint32(t[8:])), int64(le.Uint32(t[12:]))
	if indexAt < fileMagic || indexAt+indexLen+summaryLen+trailerSize != info.Size() {
		return nil, nil, 0, errIndex
	}
	b := make([]byte, indexLen+summaryLen)
	if _, err := f.ReadAt(b, indexAt); err != nil {
		return nil, nil, 0, err
	}
	entries, err = parseIndex(b[:indexLen], seg)
	if err == nil && checksum(b[indexLen:]) != le.Uint32(t[16:]) {
		err = errSummary
	}
	return entries, b[indexLen:], indexAt, err
}

// currentSegment is the segment that the journal appends to, made if there is none. Only commit calls it.
func (s *Store) currentSegment() (*segment, error) {
	if s.current != nil {
		if err := s.checkPresent(); err == nil {
			return s.current, nil
		} else if s.vanished(err) {
			s.abandonSegment()
		}
	}
	if err := os.MkdirAll(s.journalDir(), 0o700); err != nil {
		return nil, err
	}
	s.serial++
	path := filepath.Join(s.journalDir(), fmt.Sprintf("%08d.seg", s.serial))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := allocate(f, s.opt.SegmentSize); err != nil {
		f.Close()
		os.Remove(path)
		return nil, err
	}
	if _, err := f.WriteAt([]byte(segmentMagic), 0); err != nil {
		f.Close()
		os.Remove(path)
		return nil, err
	}
	if s.opt.Sync == SyncGroup {
		syncDir(s.journalDir())
	}
	s.current = &segment{path: path, file: f, size: fileMagic, made: time.Now().UnixMicro()}
	s.smu.Lock()
	s.segments = append(s.segments, s.current)
	s.smu.Unlock()
	return s.current, nil
}

// finishSegment completes the current segment with its index, so that a restart need not scan it.
func (s *Store) finishSegment() {
	g := s.current
	s.current = nil
	var entries []indexEntry // read back rather than kept: what is idle would pay for it
	found := func(off int64, h header) { entries = append(entries, entryOf(g, off, h)) }
	scan(g.file, fileMagic, g.size, found, func(int64, int64) {})
	tail := appendIndex(nil, entries)
	indexLen := len(tail)
	tail = appendTrailer(tail, g.size, indexLen, nil)
	if _, err := g.file.WriteAt(tail, g.size); err == nil {
		g.file.Truncate(g.size + int64(len(tail))) // without its end the segment is scanned: slower, nothing lost
	}
	g.full.Store(true)
	s.retireSegments()
	s.checkpointSoon()
}

// abandonSegment leaves a segment that cannot be written any more; what is in it stays readable.
func (s *Store) abandonSegment() {
	if g := s.current; g != nil {
		s.current = nil
		g.full.Store(true)
		s.retireSegments()
	}
}

// retireSegments removes full segments of which no unsealed session needs anything.
func (s *Store) retireSegments() {
	s.smu.Lock()
	keep := s.segments[:0]
	var gone []*segment
	for _, g := range s.segments {
		if g.full.Load() && g.logs.Load() == 0 {
			gone = append(gone, g)
		} else {
			keep = append(keep, g)
		}
	}
	clear(s.segments[len(keep):])
	s.segments = keep
	s.smu.Unlock()
	for _, g := range gone {
		if err := g.retire(true); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.opt.Logger.Warn("a segment of the journal cannot be removed", "file", g.path, "error", err)
		}
	}
}

// scan reads a file's record headers from off to end, and calls found for each valid one. Where a header is damaged it
// looks for the next valid one, and calls lost with the bytes between.
func scan(f io.ReaderAt, off, end int64, found func(off int64, h header), lost func(off, length int64)) {
	s := scanner{f: f, end: end}
	for off+headerSize <= end {
		if s.zero(off) { // allocated and never written; or zeroed, and then more comes
			next := s.resync(off + 1)
			if next < end {
				lost(off, next-off)
			}
			off = next
			continue
		}
		h, err := s.header(off)
		if err == nil && off+headerSize+int64(h.length) <= end {
			found(off, h)
			off += headerSize + int64(h.length)
			continue
		}
		next := s.resync(off + 1)
		lost(off, next-off)
		off = next
	}
}

type scanner struct {
	f   io.ReaderAt
	end int64
	buf [64 << 10]byte
	at  int64 // of buf
	n   int
}

// view returns up to n bytes at off.
func (s *scanner) view(off int64, n int) []byte {
	if off < s.at || off+int64(n) > s.at+int64(s.n) {
		s.at = off
		s.n, _ = s.f.ReadAt(s.buf[:min(int64(len(s.buf)), s.end-off)], off)
	}
	from := off - s.at
	return s.buf[min(from, int64(s.n)):min(from+int64(n), int64(s.n))]
}

func (s *scanner) header(off int64) (header, error) { return parseHeader(s.view(off, headerSize)) }

// zero reports whether the rest is what was allocated and never written.
func (s *scanner) zero(off int64) bool {
	for _, b := range s.view(off, headerSize) {
		if b != 0 {
			return false
		}
	}
	return true
}

// resync finds the next valid header at or after off, or the end.
func (s *scanner) resync(off int64) int64 {
	for off+headerSize <= s.end {
		b := s.view(off, int(min(int64(len(s.buf)), s.end-off)))
		if len(b) < headerSize {
			break
		}
		i := bytes.Index(b, []byte("SBc1"))
		if i < 0 {
			off += int64(len(b) - 3)
			continue
		}
		off += int64(i)
		if _, err := s.header(off); err == nil {
			return off
		}
		off++
	}
	return s.end
}
