//go:build race

package frame_test

const raced = true
