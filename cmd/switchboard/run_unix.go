//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// unhung is whether this program was started not to mind a hang-up, as by nohup.
var unhung = signal.Ignored(syscall.SIGHUP)

// signalsFor takes the signals that are handed on, until quiet is called.
func signalsFor() (signals <-chan os.Signal, quiet func()) {
	c := make(chan os.Signal, 16)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
	if !unhung {
		signal.Notify(c, syscall.SIGHUP)
	}
	return c, func() { signal.Stop(c) }
}

func isResize(s os.Signal) bool { return s == syscall.SIGWINCH }
func isHangUp(s os.Signal) bool { return s == syscall.SIGHUP }
