package recording

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/switchboard-relay/switchboard/session"
)

// Import is a session that was recorded elsewhere, on its way to be a recording here.
type Import struct {
	Info session.Info // with an id of this node
	// Ends, if it is not 0, says when the session ended, Unix µs: all times are moved so that it did. Without it they stay as
	// they are, unless the end lies in the future: then it is now.
	Ends int64
	// Fill adds the events between Opened and Closed, in order, and tells how the session ended. An error of add comes back
	// from it.
	Fill func(add AddFunc) (session.End, error)
	// Pin decides whether the recording is pinned from the first; nil: it is not.
	Pin func(session.Summary) bool
}

// AddFunc adds an event at a Unix time in µs. The data is borrowed.
type AddFunc func(k session.Kind, at int64, data []byte) error

// importExt is how the name of a file ends that is being imported.
const importExt = ".import"

// Import writes a recording with the times that it is given, durable and complete, or nothing. OnSealed is told of it, as of
// every other.
func (s *Store) Import(im Import) (sum session.Summary, err error) {
	if _, err := session.ParseID(string(im.Info.ID)); err != nil {
		return sum, err
	}
	if err := s.enterImport(); err != nil {
		return sum, err
	}
	defer s.imports.Done()
	w, err := s.newImporter(im.Info)
	if w != nil {
		defer w.close()
	}
	if err != nil {
		return sum, fmt.Errorf("%w: %s", err, mend(err))
	}
	end, err := im.Fill(w.add)
	if err != nil {
		return sum, err
	}
	if sum, err = w.finish(end, im.Ends); err != nil {
		return sum, err
	}
	if im.Pin != nil && im.Pin(sum) {
		if err := s.SetPinned(sum.ID, sum.Start, true); err != nil {
			return sum, errors.Join(err, s.Remove(sum.ID, sum.Start))
		}
		sum.Pinned = true
	}
	if s.opt.OnSealed != nil {
		s.opt.OnSealed(sum)
	}
	return sum, nil
}

// Spool is a file for what an import cannot hold in memory. Close removes it; what a crash leaves is removed at the next Open.
type Spool struct{ *os.File }

// Spool makes an empty one. The caller closes it.
func (s *Store) Spool() (*Spool, error) {
	f, err := os.CreateTemp(s.journalDir(), "spool-*"+importExt)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, mend(err))
	}
	return &Spool{f}, nil
}

// Close removes the file.
func (s *Spool) Close() error { return errors.Join(s.File.Close(), unlink(s.Name())) }

// enterImport counts an import, for which Close waits. The caller counts it off.
func (s *Store) enterImport() error {
	if err := s.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosing() {
		return ErrClosed
	}
	s.imports.Add(1)
	return nil
}

func (s *Store) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// removeImports removes what imports left that a crash ended.
func (s *Store) removeImports() error {
	names, err := filepath.Glob(filepath.Join(s.journalDir(), "*"+importExt))
	for _, name := range names {
		err = errors.Join(err, unlink(name))
	}
	return err
}
