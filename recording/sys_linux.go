package recording

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// allocate reserves a file's blocks, so that a full disk shows before anything is written. Where the file system cannot
// do that, nothing happens.
func allocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("fallocate", err)
	}
	return nil
}

func datasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

const maxVec = 1024 // of one pwritev

// writeAll writes the parts one behind the other at off, without copying them together.
func writeAll(f *os.File, parts [][]byte, off int64) error {
	fd := int(f.Fd())
	for len(parts) > 0 {
		n, err := unix.Pwritev(fd, parts[:min(len(parts), maxVec)], off)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("pwritev", err)
		}
		if n == 0 {
			return fmt.Errorf("pwritev: %w", unix.ENOSPC)
		}
		off += int64(n)
		for n > 0 || len(parts) > 0 && len(parts[0]) == 0 {
			if n < len(parts[0]) {
				parts[0] = parts[0][n:]
				break
			}
			n -= len(parts[0])
			parts = parts[1:]
		}
	}
	return nil
}

// syncAll makes every file below a folder durable, all with one call.
func syncAll(dir string, _ []string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return os.NewSyscallError("syncfs", unix.Syncfs(int(d.Fd())))
}
