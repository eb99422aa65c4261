//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// signalsFor takes the signals that are handed on, until quiet is called.
func signalsFor() (signals <-chan os.Signal, quiet func()) {
	c := make(chan os.Signal, 16)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGWINCH)
	return c, func() { signal.Stop(c) }
}

func isResize(s os.Signal) bool { return s == syscall.SIGWINCH }
func isHangUp(s os.Signal) bool { return s == syscall.SIGHUP }
