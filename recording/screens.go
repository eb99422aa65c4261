package recording

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/switchboard-relay/switchboard/session"
)

// screensOf is the file of a recording's screens. It may be there before the recording is.
func screensOf(sealed string) string { return strings.TrimSuffix(sealed, ".sbr") + ".screens" }

// Screens are what a session's terminal showed behind some of its events, in a file beside the recording. They follow from
// the recording: the file may lack some at its end, or be gone, and what is damaged is given up with all behind it. It is
// safe for concurrent use; a session has one at a time.
type Screens struct {
	store   *Store
	log     *Log // nil if the session has ended
	id      session.ID
	start   int64
	path    string
	version uint32

	mu     sync.RWMutex
	blocks []screenBlock
	size   int64  // of the file, as far as it is good; 0 if there is none
	events uint64 // of the session, if all its screens are there
}

// Screens opens the screens of an ended session that has a number of events. Those that another version of the program kept,
// or of a recording that was not like this one, are not used.
func (s *Store) Screens(id session.ID, start int64, version uint32, events uint64) *Screens {
	k := &Screens{store: s, id: id, start: start, version: version, path: screensOf(s.sealedPath(id, start))}
	k.load()
	if n := len(k.blocks); k.events != 0 && k.events != events || n > 0 && k.blocks[n-1].last >= events {
		k.blocks, k.size, k.events = nil, 0, 0
	}
	return k
}

// Screens begins the screens of a session that is live.
func (l *Log) Screens(version uint32) *Screens {
	start := l.about.Describe().Start
	k := &Screens{store: l.store, log: l, id: l.id, start: start, version: version,
		path: screensOf(l.store.sealedPath(l.id, start))}
	k.load()
	return k
}

// load reads where the blocks are, as far as they are good.
func (k *Screens) load() {
	f, err := os.Open(k.path)
	if err != nil {
		return
	}
	defer f.Close()
	head := make([]byte, screensHeader)
	if _, err := f.ReadAt(head, 0); err != nil ||
		string(head) != string(appendScreensHeader(nil, k.version, k.id, k.start)) {
		return
	}
	k.size = screensHeader
	info, err := f.Stat()
	if err != nil {
		return
	}
	k.size = walkScreens(f, info.Size(), func(b screenBlock) {
		if b.count > 0 {
			k.blocks = append(k.blocks, b)
		}
		k.events = b.events
	})
}

// walkScreens calls found for the blocks of a file, as far as they are there and their headers are good, and returns where the
// last one ends.
func walkScreens(f io.ReaderAt, size int64, found func(screenBlock)) int64 {
	end, last := int64(screensHeader), uint64(0)
	buf := make([]byte, blockHeader+maxTable)
	for end+blockHeader <= size {
		n, _ := f.ReadAt(buf[:min(int64(len(buf)), size-end)], end)
		b, _, _, err := parseBlockTable(buf[:n])
		b.off = end
		if err != nil || b.end() > size || b.count > 0 && b.first <= last && last > 0 {
			break
		}
		last = max(last, b.last)
		found(b)
		end = b.end()
		if b.flags&flagComplete != 0 {
			break
		}
	}
	return end
}

// Complete reports whether all of the session's screens are there, for ever.
func (k *Screens) Complete() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.events > 0
}

// Size is that of the file, bytes.
func (k *Screens) Size() int64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.size
}

// At is the newest screen at or before the event of a number; not ok if there is none.
func (k *Screens) At(number uint64) (s Screen, ok bool) {
	for {
		list, at, err := k.block(number)
		if err != nil {
			k.giveUp(at)
			continue
		}
		i := sort.Search(len(list), func(i int) bool { return list[i].Number > number })
		if i == 0 {
			return s, false
		}
		return list[i-1], true
	}
}

// block reads the block that holds the newest screen at or before a number; none if there is none.
func (k *Screens) block(number uint64) (list []Screen, at int64, err error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	i := sort.Search(len(k.blocks), func(i int) bool { return k.blocks[i].first > number })
	if i == 0 {
		return nil, 0, nil
	}
	list, err = k.read(&k.blocks[i-1])
	return list, k.blocks[i-1].off, err
}

func (k *Screens) read(b *screenBlock) ([]Screen, error) {
	f, err := os.Open(k.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, b.end()-b.off)
	if _, err := f.ReadAt(buf, b.off); err != nil {
		return nil, err
	}
	list, err := parseScreenBlock(buf)
	if err == nil && (len(list) != int(b.count) || list[0].Number != b.first || list[len(list)-1].Number != b.last) {
		err = errScreens
	}
	return list, err
}

// giveUp forgets the block at a place in the file, and all behind it.
func (k *Screens) giveUp(at int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := sort.Search(len(k.blocks), func(i int) bool { return k.blocks[i].off >= at })
	if i < len(k.blocks) && k.blocks[i].off == at {
		k.blocks, k.size, k.events = k.blocks[:i:i], at, 0
	}
}

// Last is the number of the newest screen, 0 if there is none.
func (k *Screens) Last() uint64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if n := len(k.blocks); n > 0 {
		return k.blocks[n-1].last
	}
	return 0
}

// Each calls f with each screen in order, without its Data. An error says that some could not be read, and are given up.
func (k *Screens) Each(f func(Screen)) error {
	at, err := k.each(f)
	if err != nil {
		k.giveUp(at)
	}
	return err
}

func (k *Screens) each(f func(Screen)) (at int64, err error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if len(k.blocks) == 0 {
		return 0, nil
	}
	file, err := os.Open(k.path)
	if err != nil {
		return k.blocks[0].off, err
	}
	defer file.Close()
	buf := make([]byte, blockHeader+maxTable)
	for i := range k.blocks {
		b := &k.blocks[i]
		head := buf[:blockHeader+int(b.table)]
		if _, err := file.ReadAt(head, b.off); err != nil {
			return b.off, err
		}
		_, list, _, err := parseBlockTable(head)
		if err != nil {
			return b.off, err
		}
		for _, s := range list {
			f(s)
		}
	}
	return 0, nil
}

// Append adds screens, behind those that are there. Events says how many the session has if these are the last for ever, else
// it is 0. Nothing is written for a live session that has none, nor if the recording is gone.
func (k *Screens) Append(list []Screen, events uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	nothing := len(list) == 0 && (events == 0 || k.log != nil && len(k.blocks) == 0)
	if nothing || k.events > 0 {
		return nil
	}
	k.store.pmu.Lock() // or the file would come back that Remove has just removed
	defer k.store.pmu.Unlock()
	if !k.store.holds(k.log, k.id, k.start) {
		return nil
	}
	return k.append(list, events)
}

// append writes whole blocks; one that was not full is written again with what comes.
func (k *Screens) append(list []Screen, events uint64) error {
	keep := len(k.blocks)
	if keep > 0 && !k.blocks[keep-1].full() {
		if before, err := k.read(&k.blocks[keep-1]); err == nil {
			keep--
			list = append(slices.Clip(before), list...)
		}
	}
	at := int64(screensHeader)
	if keep > 0 {
		at = k.blocks[keep-1].end()
	}
	b, blocks := packScreens(list, at, events)
	if err := k.write(b, at); err != nil {
		k.blocks, k.size = k.blocks[:keep:keep], at // what is there now is not known
		if keep == 0 {
			k.size = 0
		}
		return err
	}
	k.blocks, k.size, k.events = append(k.blocks[:keep:keep], blocks...), at+int64(len(b)), events
	return nil
}

// full reports whether a block is left as it is.
func (b *screenBlock) full() bool { return b.count >= ScreensTogether || b.raw >= ScreenBytesTogether }

// packScreens makes blocks of screens, which are to lie at a place in the file.
func packScreens(list []Screen, at int64, events uint64) (b []byte, blocks []screenBlock) {
	for first := true; len(list) > 0 || first && events > 0; first = false {
		n, raw := 0, 0
		for n < len(list) && n < ScreensTogether && raw < ScreenBytesTogether {
			raw += len(list[n].Data)
			n++
		}
		flags, total := uint32(0), uint64(0)
		if n == len(list) && events > 0 {
			flags, total = flagComplete, events
		}
		from := len(b)
		b = appendScreenBlock(b, list[:n], flags, total)
		if k, _, _, err := parseBlockTable(b[from:]); err == nil && n > 0 {
			k.off = at + int64(from)
			blocks = append(blocks, k)
		}
		list = list[n:]
	}
	return b, blocks
}

// write puts bytes at a place of the file, which is its end then. It is not made durable: what is lost is made again.
func (k *Screens) write(b []byte, at int64) error {
	if err := os.MkdirAll(filepath.Dir(k.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(k.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if at == screensHeader {
		b, at = append(appendScreensHeader(nil, k.version, k.id, k.start), b...), 0
	}
	_, err = f.WriteAt(b, at)
	return errors.Join(err, f.Truncate(at+int64(len(b))), f.Close())
}

// holds reports whether there is a recording of a session, live or ended.
func (s *Store) holds(l *Log, id session.ID, start int64) bool {
	s.mu.Lock()
	_, live := s.live[l]
	_, ending := s.ending[id]
	s.mu.Unlock()
	return live || ending || exists(s.sealedPath(id, start))
}

// ScreensSize is how much a session's file of screens takes, bytes; 0 if it has none.
func (s *Store) ScreensSize(id session.ID, start int64) int64 {
	info, err := os.Stat(screensOf(s.sealedPath(id, start)))
	if err != nil {
		return 0
	}
	return info.Size()
}

// screens checks a file of screens.
func (v *verifier) screens(path string) error {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	v.stats.Files++
	v.stats.Bytes += info.Size()
	head := make([]byte, screensHeader)
	n, _ := f.ReadAt(head, 0)
	if !goodScreensHeader(head[:n]) {
		v.damage(Damage{File: path, Length: int64(n), What: "the beginning of the screens; they are made anew when they are needed"})
		return nil
	}
	end := walkScreens(f, info.Size(), func(b screenBlock) {
		buf := make([]byte, b.end()-b.off)
		_, err := f.ReadAt(buf, b.off)
		if _, bad := parseScreenBlock(buf); cmp.Or(err, bad) != nil && !v.written {
			v.damage(Damage{File: path, Offset: b.off, Length: b.end() - b.off,
				What: "screens do not match their checksum; they are made anew when they are needed"})
		}
	})
	if end < info.Size() && !v.written {
		v.damage(Damage{File: path, Offset: end, Length: info.Size() - end,
			What: "no valid screens to the end; they are made anew when they are needed"})
	}
	return nil
}
