//go:build linux

package benchkit

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// On calls start on one processor: what it starts runs there alone, with all of its threads. A program in Go then has a
// GOMAXPROCS of 1.
func On(cpu int, start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var was, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &was); err != nil {
		return fmt.Errorf("affinity: %w", err)
	}
	if !was.IsSet(cpu) {
		return fmt.Errorf("processor %d is not there, or not for this process", cpu)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("affinity: %w", err)
	}
	return errors.Join(start(), unix.SchedSetaffinity(0, &was))
}
