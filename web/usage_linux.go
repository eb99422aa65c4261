package web

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"syscall"
)

// usage is the processor time that the process has used, in seconds, and its resident memory in bytes; NaN if not known.
func usage() (cpu, memory float64) {
	cpu, memory = math.NaN(), math.NaN()
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		cpu = float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	}
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := bytes.Fields(b); len(fields) > 1 {
			if pages, err := strconv.ParseUint(string(fields[1]), 10, 64); err == nil {
				memory = float64(pages) * float64(os.Getpagesize())
			}
		}
	}
	return cpu, memory
}
