//go:build race

package terminal

// raceFactor is how much slower things may be with the race detector.
const raceFactor = 40
