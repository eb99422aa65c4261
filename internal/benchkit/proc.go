//go:build linux

package benchkit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// RSS is the resident memory of a process in bytes.
func RSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm: %q", pid, b)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// SettledRSS is the resident memory of a process once it has changed by less than 1 % for a second, or after the limit.
func SettledRSS(ctx context.Context, pid int, limit time.Duration) (int64, error) {
	const step = 250 * time.Millisecond
	last, err := RSS(pid)
	same := 0
	for end := time.Now().Add(limit); err == nil && same < 4 && time.Now().Before(end); {
		if err := Sleep(ctx, step); err != nil {
			return 0, err
		}
		var rss int64
		rss, err = RSS(pid)
		if d := rss - last; max(d, -d) < last/100 {
			same++
			continue
		}
		last, same = rss, 0
	}
	return last, err
}

// Busy is how long a processor has not been idle since the machine started.
func Busy(cpu int) (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) < 9 || fields[0] != "cpu"+strconv.Itoa(cpu) {
			continue
		}
		var ticks int64
		for i, field := range fields[1:9] {
			const idle, waiting = 3, 4
			if n, err := strconv.ParseInt(field, 10, 64); err != nil {
				return 0, err
			} else if i != idle && i != waiting {
				ticks += n
			}
		}
		return time.Duration(ticks) * time.Second / ticksPerSecond, nil
	}
	return 0, fmt.Errorf("/proc/stat has no processor %d", cpu)
}

const ticksPerSecond = 100 // USER_HZ, the same on every Linux

// CPU is the processor time that a process has used, in user and system mode.
func CPU(pid int) (time.Duration, error) { return processorTime(pid, 11) }

// ReapedCPU is the processor time of those of a process's children that have ended, and of theirs.
func ReapedCPU(pid int) (time.Duration, error) { return processorTime(pid, 13) }

// processorTime is the sum of two fields of /proc/PID/stat, counted from the one behind the name.
func processorTime(pid, field int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < field+2 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, b)
	}
	user, err := strconv.ParseInt(string(fields[field]), 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(string(fields[field+1]), 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond, err
}

// Descriptors is how many file descriptors a process holds.
func Descriptors(pid int) (int, error) {
	d, err := os.Open(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	return len(names), err
}

// Alive reports whether a process runs. One that ended and was not waited for does not.
func Alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := bytes.TrimSpace(b[bytes.LastIndexByte(b, ')')+1:])
	return len(state) > 0 && state[0] != 'Z' && state[0] != 'X'
}

// FileLimit is how many descriptors this process may hold.
func FileLimit() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	return int(min(l.Cur, 1<<30))
}
