package web

import "time"

// SetBodyLimit changes how long a body may take, and returns what changes it back.
func SetBodyLimit(d time.Duration) (restore func()) {
	was := bodyLimit
	bodyLimit = d
	return func() { bodyLimit = was }
}
