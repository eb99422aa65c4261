//go:build !linux

package transport

import "time"

// Unacknowledged would be how much the far end's system has not acknowledged; here the system does not tell.
func Unacknowledged(Conn) (left int, acked uint64, known bool, err error) { return 0, 0, false, nil }

// SetDeadAfter does nothing here.
func SetDeadAfter(Conn, time.Duration) {}
