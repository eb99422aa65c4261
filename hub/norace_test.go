//go:build !race

package hub_test

const (
	lateJoins  = 1000
	lateRounds = 2
)
