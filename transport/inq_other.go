//go:build unix && !linux

package transport

import "golang.org/x/sys/unix"

// inqReader is of Linux alone.
type inqReader struct {
	on   bool
	left int
}

func (s *socket) tellsInq() bool { return false }

func (r *inqReader) read(fd uintptr, p []byte) (int, error) { return unix.Read(int(fd), p) }
