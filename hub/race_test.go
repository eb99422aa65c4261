//go:build race

package hub_test

// lateJoins is less under the race detector, which is not what it is for.
const lateJoins = 60
