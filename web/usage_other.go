//go:build !linux && !darwin && !freebsd

package web

import "math"

// usage is not known here.
func usage() (cpu, memory float64) { return math.NaN(), math.NaN() }

// diskOf is not known here.
func diskOf(string) disk { return disk{} }
