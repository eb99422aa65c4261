//go:build darwin || freebsd

package web

import (
	"math"
	"runtime"
	"syscall"
)

// usage is the processor time that the process has used, in seconds, and the most memory that it had resident, in bytes:
// what it has now is not told here. NaN if not known.
func usage() (cpu, memory float64) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return math.NaN(), math.NaN()
	}
	memory = float64(u.Maxrss)
	if runtime.GOOS != "darwin" {
		memory *= 1024
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9, memory
}
