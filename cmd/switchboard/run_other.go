//go:build !unix

package main

import (
	"os"
	"os/signal"
)

func signalsFor() (signals <-chan os.Signal, quiet func()) {
	c := make(chan os.Signal, 16)
	signal.Notify(c, os.Interrupt)
	return c, func() { signal.Stop(c) }
}

func isResize(os.Signal) bool { return false }
func isHangUp(os.Signal) bool { return false }
