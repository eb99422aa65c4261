//go:build race

package hub_test

// How many join late, and how often the recordings are played before. It is less under the race detector, which is not what it is
// for.
const (
	lateJoins  = 60
	lateRounds = 1
)
