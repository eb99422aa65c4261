//go:build !linux

package transport

import (
	"syscall"
	"time"
)

// setKeepAlive: elsewhere an accepted socket does not inherit these options; the system's defaults hold.
func setKeepAlive(_ syscall.RawConn, _, _ time.Duration) error { return nil }
