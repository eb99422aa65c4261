//go:build unix

package transport

import "golang.org/x/sys/unix"

// FileLimit is how many files this process may have open. The Go runtime has raised it to what is allowed.
func FileLimit() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int(min(uint64(l.Cur), 1<<30))
}
