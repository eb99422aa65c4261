package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/switchboard-relay/switchboard/session"
)

// Recording is an ended session's recording: a sealed file, or still in the journal.
type Recording struct {
	log     *Log
	file    *segment
	entries []indexEntry
	sum     session.Summary
	damage  []Damage
}

// Recording opens an ended session's recording; start (Unix µs) says where its file lies. ErrNotFound if there is none.
func (s *Store) Recording(id session.ID, start int64) (*Recording, error) {
	s.mu.Lock()
	l := s.ending[id]
	s.mu.Unlock()
	if l != nil {
		return &Recording{log: l}, nil
	}
	r, err := openSealed(s.sealedPath(id, start))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return r, err
}

// openSealed opens a session's file. If its end is damaged, its records are found by scanning.
func openSealed(path string) (*Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Recording{file: &segment{path: path, file: f}}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	entries, text, _, err := readTail(f, r.file)
	if err == nil && json.Unmarshal(text, &r.sum) == nil {
		r.entries = entries
		r.sum.Size = info.Size()
		return r, nil
	}
	if err != nil && !errors.Is(err, errIndex) && !errors.Is(err, errSummary) {
		f.Close()
		return nil, err
	}
	r.damage = append(r.damage, Damage{File: path, Offset: info.Size(),
		What: "the index or the summary at the end of the file"})
	if r.entries, err = readEntries(f, r.file); err != nil {
		f.Close()
		return nil, err
	}
	r.rebuildSummary(info.Size())
	return r, nil
}

// rebuildSummary makes the summary of what the records say.
func (r *Recording) rebuildSummary(size int64) {
	r.sum = session.Summary{State: session.Recorded, Size: size}
	r.sum.ID = session.ID(strings.TrimSuffix(filepath.Base(r.file.path), ".sbr"))
	end := session.End{Cause: session.Interrupted}
	if len(r.entries) > 0 {
		r.sum.Start = r.entries[0].ref.t0 // near enough to find the file by, should the Opened event be lost
	}
	for i := range r.entries {
		ref := &r.entries[i].ref
		r.sum.Events = ref.last()
		end.Time = ref.t1()
		raw, _, h, err := r.file.read(ref, nil, nil)
		if err != nil {
			continue
		}
		events, _ := parseEvents(nil, raw, h.first, h.t0)
		for _, e := range events {
			r.sum.CountEvent(e.Kind, e.Data)
			switch e.Kind {
			case session.Opened:
				json.Unmarshal(e.Data, &r.sum.Info)
			case session.Named:
				r.sum.Name = string(e.Data)
			case session.Closed:
				json.Unmarshal(e.Data, &end)
			}
		}
	}
	r.sum.SetEnd(end)
}

// Summary is the session as lists show it.
func (r *Recording) Summary() session.Summary {
	if r.log == nil {
		return r.sum
	}
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.log.summary()
}

// Damage is what was found damaged when the file was opened.
func (r *Recording) Damage() []Damage { return r.damage }

// Close lets go of the file. Cursors end with it.
func (r *Recording) Close() error {
	if r.file != nil {
		return r.file.retire(false)
	}
	return nil
}

// Cursor reads the events from number from on.
func (r *Recording) Cursor(from uint64) *Cursor {
	if r.log != nil {
		return r.log.Cursor(from)
	}
	return &Cursor{rec: r, next: max(from, 1)}
}

// NumberAt is the number of the first event at or after a Unix time in µs; one more than the last if there is none.
func (r *Recording) NumberAt(us int64) (uint64, error) {
	if r.log != nil {
		return r.log.NumberAt(us)
	}
	i := sort.Search(len(r.entries), func(i int) bool { return r.entries[i].ref.t1() >= us })
	if i == len(r.entries) {
		return r.sum.Events + 1, nil
	}
	n, err := numberIn(&r.entries[i].ref, us)
	return n, err
}

// numberIn is the number of a chunk's first event at or after a time; the chunk's first if it is damaged. errMoved says
// that the chunk is elsewhere now.
func numberIn(ref *chunkRef, us int64) (uint64, error) {
	if ref.t0 >= us {
		return ref.first, nil
	}
	raw, _, h, err := ref.seg.read(ref, nil, nil)
	if errors.Is(err, errMoved) {
		return 0, err
	}
	if err != nil {
		return ref.first, nil
	}
	events, _ := parseEvents(nil, raw, h.first, h.t0)
	for _, e := range events {
		if e.Time >= us {
			return e.Number, nil
		}
	}
	return ref.last(), nil
}
