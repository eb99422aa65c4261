//go:build unix

package simulate

import "golang.org/x/sys/unix"

// tryWrite writes as much of l.out as the system takes without waiting. Called with wmu.
func tryWrite(l *link) error {
	if err := l.raw.Write(l.attempt); err != nil {
		return err
	}
	return l.failed
}

// attempt says that it need not be called again.
func (l *link) attempt(fd uintptr) bool {
	for l.written < len(l.out) {
		n, err := unix.Write(int(fd), l.out[l.written:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return true
		case err != nil:
			l.failed = err
			return true
		default:
			l.written += n
		}
	}
	return true
}
