package recording

import (
	"errors"
	"hash/crc32"
	"os"
	"syscall"
	"time"
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// mend says what a person can do about an error of the disk.
func mend(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room on the disk, or shorten recording.retention; it goes on by itself"
	case errors.Is(err, syscall.EROFS), errors.Is(err, os.ErrPermission):
		return "make the data folder writable; it goes on by itself"
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return "the data folder is gone: bring it back"
	}
	return "see to the disk; it is tried again every second"
}

// checkPresent looks now and then whether the current segment is still where it was: a folder that is removed under
// us would take everything without any error.
func (s *Store) checkPresent() error {
	if time.Since(s.checked) < time.Second {
		return nil
	}
	s.checked = time.Now()
	there, err := os.Stat(s.current.path)
	if err != nil {
		return err
	}
	ours, err := s.current.file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(there, ours) {
		return os.ErrNotExist
	}
	return nil
}

// vanished reports whether an error of checkPresent means that the file is gone, and says so in the log.
func (s *Store) vanished(err error) bool {
	gone := errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	if gone {
		s.opt.Logger.Error("the journal's file has vanished; a new one is made, "+
			"and sessions that are open are complete in memory or there", "file", s.current.path)
	}
	return gone
}

// syncDir makes a folder's names durable, where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
