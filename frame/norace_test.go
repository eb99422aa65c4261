//go:build !race

package frame_test

// raced says that the race detector is on.
const raced = false
