package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/session"
)

// ErrNotRecorded says that nothing is kept of a session, and therefore no notes.
var ErrNotRecorded = errors.New("the session is not recorded, and notes are kept beside its recording")

// notesOf is the file of a recording's notes. It may be there before the recording is.
func notesOf(sealed string) string { return strings.TrimSuffix(sealed, ".sbr") + ".notes" }

// Notes are a session's notes in their order; none if there is no such session.
func (s *Store) Notes(id session.ID, start int64) ([]session.Note, error) {
	return readNotes(s.sealedPath(id, start))
}

// EditNotes has the notes of an ended session changed: change gets all of them and returns all that there are then, or
// an error, which leaves them as they are. Changes come one after the other, and are durable. ErrNotFound if there is no
// recording.
func (s *Store) EditNotes(id session.ID, start int64, change func([]session.Note) ([]session.Note, error)) error {
	s.pmu.Lock()
	defer s.pmu.Unlock()
	s.mu.Lock()
	_, there := s.ending[id]
	s.mu.Unlock()
	path := s.sealedPath(id, start)
	if !there && !exists(path) {
		return fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return s.editNotes(path, change)
}

// EditNotes is the store's, for a session that was live just now. ErrNotRecorded if it is not recorded.
func (l *Log) EditNotes(change func([]session.Note) ([]session.Note, error)) error {
	if !l.recorded() {
		return ErrNotRecorded
	}
	s, start := l.store, l.about.Describe().Start
	s.pmu.Lock()
	s.mu.Lock()
	_, live := s.live[l]
	s.mu.Unlock()
	if !live {
		s.pmu.Unlock()
		return s.EditNotes(l.id, start, change)
	}
	defer s.pmu.Unlock()
	return s.editNotes(s.sealedPath(l.id, start), change)
}

// editNotes changes the notes of the recording that lies at path, or will; pmu is held.
func (s *Store) editNotes(path string, change func([]session.Note) ([]session.Note, error)) error {
	notes, err := readNotes(path)
	if err != nil {
		return err
	}
	if notes, err = change(notes); err != nil {
		return err
	}
	if len(notes) > 0 {
		slices.SortStableFunc(notes, session.CompareNotes)
		return s.writeNotes(path, notes)
	}
	if !exists(notesOf(path)) {
		return nil
	}
	if err := unlink(notesOf(path)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func readNotes(path string) (notes []session.Note, err error) {
	text, err := os.ReadFile(notesOf(path))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &notes); err != nil {
		return nil, fmt.Errorf("%s is damaged: mend it, or take it away: %w", notesOf(path), err)
	}
	return notes, nil
}

// writeNotes replaces the file: after a crash it is there as it was, or as it shall be.
func (s *Store) writeNotes(path string, notes []session.Note) error {
	text, err := json.Marshal(notes)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	made := !exists(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := notesOf(path)
	if err := writeDurably(name+".tmp", append(text, '\n')); err != nil {
		os.Remove(name + ".tmp")
		return err
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return err
	}
	return s.syncFolders(dir, made)
}

// syncFolders makes the names in an hour's folder durable; those above may be new as well if it was made just now.
func (s *Store) syncFolders(dir string, made bool) error {
	for made && dir != s.sealedDir() {
		if err := syncDir(dir); err != nil {
			return err
		}
		dir = filepath.Dir(dir)
	}
	return syncDir(dir)
}

func writeDurably(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return datasync(f)
}

// unlinkBeside removes a recording's screens and its notes, and what a crash may have left of a change to them.
func unlinkBeside(path string) error {
	return errors.Join(unlink(screensOf(path)), unlink(notesOf(path)), unlink(notesOf(path)+".tmp"))
}
