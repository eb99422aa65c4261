package recording

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/switchboard-relay/switchboard/session"
)

// ErrPinned says that a recording is pinned, and therefore stays.
var ErrPinned = errors.New("the recording is pinned")

// pinOf is the file whose presence pins a recording.
func pinOf(sealed string) string { return strings.TrimSuffix(sealed, ".sbr") + ".pin" }

// SetPinned pins a sealed recording, or unpins it, durably: Remove refuses a pinned one. ErrNotFound if there is none.
func (s *Store) SetPinned(id session.ID, start int64, pinned bool) error {
	s.pmu.Lock()
	defer s.pmu.Unlock()
	path := s.sealedPath(id, start)
	if !exists(path) {
		return fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if !pinned {
		if err := unlink(pinOf(path)); err != nil {
			return err
		}
		return syncDir(filepath.Dir(path))
	}
	f, err := os.OpenFile(pinOf(path), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Pinned reports whether a sealed recording is pinned.
func (s *Store) Pinned(id session.ID, start int64) bool {
	return exists(pinOf(s.sealedPath(id, start)))
}

// Sealed reports whether a session's sealed recording lies where it belongs.
func (s *Store) Sealed(id session.ID, start int64) bool { return exists(s.sealedPath(id, start)) }

// exists reports whether there is a file, as far as can be told.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)
}

// unlink removes a file; one that is gone already is no error.
func unlink(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
