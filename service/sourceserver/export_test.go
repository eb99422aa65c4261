package sourceserver

import "time"

// SetLate changes what is late, and returns what changes it back.
func SetLate(by, waiting time.Duration) (restore func()) {
	wasBy, wasWaiting := lateBy, lateWaiting
	lateBy, lateWaiting = by, waiting
	return func() { lateBy, lateWaiting = wasBy, wasWaiting }
}
