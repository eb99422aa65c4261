package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/switchboard-relay/switchboard/session"
)

// Damage is one damaged place.
type Damage struct {
	File                  string     `json:"file"`
	Session               session.ID `json:"session,omitempty"` // if it is known
	Offset, Length        int64      // in the file, bytes
	FirstEvent, LastEvent uint64     // that are lost; 0 if not known
	What                  string     // for people
}

func (d Damage) String() string {
	s := fmt.Sprintf("%s: at byte %d, %d bytes: %s", d.File, d.Offset, d.Length, d.What)
	if d.Session != "" {
		s += fmt.Sprintf("; session %s", d.Session)
	}
	if d.LastEvent > 0 {
		s += fmt.Sprintf(", events %d to %d are lost", d.FirstEvent, d.LastEvent)
	}
	return s
}

// VerifyStats is what Verify read.
type VerifyStats struct {
	Files   int
	Chunks  int
	Bytes   int64
	Damaged int // places
}

// Verify reads every file below a data folder and checks every CRC; each damaged place is reported. A server may run
// meanwhile. The error is one of reading, not of damage.
func Verify(dir string, report func(Damage)) (VerifyStats, error) {
	v := verifier{report: report, written: inUse(filepath.Join(dir, "journal", "lock"))}
	for _, sub := range []string{"recordings", "journal"} {
		err := filepath.WalkDir(filepath.Join(dir, sub), func(path string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil // sealed or removed meanwhile, or never there
			}
			if err != nil {
				return err
			}
			switch filepath.Ext(path) {
			case ".sbr", ".seg", ".part":
				return v.file(path)
			case ".notes":
				return v.notes(path)
			case ".screens":
				return v.screens(path)
			}
			return nil
		})
		if err != nil {
			return v.stats, err
		}
	}
	return v.stats, nil
}

type verifier struct {
	stats   VerifyStats
	report  func(Damage)
	written bool // a server runs: the ends of its files are being written
}

func (v *verifier) damage(d Damage) {
	v.stats.Damaged++
	v.report(d)
}

func (v *verifier) file(path string) error {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil // sealed or removed meanwhile
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
	g := &segment{path: path, file: f}
	_, _, end, tailErr := readTail(f, g)
	sealed := filepath.Ext(path) == ".sbr"
	if errors.Is(tailErr, errSummary) {
		v.damage(Damage{File: path, Offset: end, What: "the summary at the end of the file; it is made anew of the events"})
		tailErr = nil
	}
	if tailErr != nil {
		end = info.Size()
		if sealed {
			v.damage(Damage{File: path, Offset: info.Size(), What: "the index at the end of the file; it is found by scanning"})
		}
	}
	var magic [fileMagic]byte
	f.ReadAt(magic[:], 0)
	if m := string(magic[:]); m != sealedMagic && m != segmentMagic {
		v.damage(Damage{File: path, Length: fileMagic, What: "the magic at the beginning of the file; nothing is lost"})
	}
	next := map[session.ID]uint64{}
	var seen session.ID
	scan(f, fileMagic, end, func(off int64, h header) {
		v.stats.Chunks++
		if sealed && next[h.id] != 0 && h.first != next[h.id] {
			v.damage(Damage{File: path, Session: h.id, Offset: off, FirstEvent: next[h.id], LastEvent: h.first - 1,
				What: "events are missing before this"})
		}
		next[h.id] = h.first + uint64(h.count)
		seen = h.id
		v.chunk(g, off, h)
	}, func(off, length int64) {
		if tailErr != nil && sealed && off+length == end {
			return // the damaged end itself
		}
		if !sealed && tailErr != nil && off+length == end {
			if !v.written {
				v.damage(Damage{File: path, Offset: off, Length: length, What: "no valid record to the end: " +
					"half-written, and never acknowledged, when the process ended; or damaged"})
			}
			return
		}
		v.damage(Damage{File: path, Session: seen, Offset: off, Length: length, What: "no valid record"})
	})
	return nil
}

// notes checks that the notes beside a recording can be read.
func (v *verifier) notes(path string) error {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	v.stats.Files++
	v.stats.Bytes += int64(len(text))
	if err := json.Unmarshal(text, &[]session.Note{}); err != nil {
		v.damage(Damage{File: path, Length: int64(len(text)), What: fmt.Sprintf("the notes cannot be read: %v", err)})
	}
	return nil
}

func (v *verifier) chunk(g *segment, off int64, h header) {
	ref := chunkRef{seg: g, off: off, length: headerSize + h.length, count: h.count, first: h.first}
	raw, _, _, err := g.read(&ref, nil, nil)
	if err == nil {
		var events []session.Event
		events, err = parseEvents(nil, raw, h.first, h.t0)
		if err == nil && len(events) != int(h.count) {
			err = errPayload
		}
	}
	if err != nil {
		v.damage(Damage{File: g.path, Session: h.id, Offset: off, Length: int64(ref.length), FirstEvent: ref.first,
			LastEvent: ref.last(), What: "the chunk's bytes do not match their checksum"})
	}
}
