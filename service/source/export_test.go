package source

import "time"

// LimitGrace sets how long after an answered kick who views the session may go on seeing it.
func (x *Sources) LimitGrace(d time.Duration) { x.grace = d }

// Held is how many views and kicks there are.
func (x *Sources) Held() (n int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, src := range x.byName {
		src.mu.Lock()
		n += len(src.views) + len(src.kicks) + len(src.dials) + len(src.asks)
		src.mu.Unlock()
	}
	return n
}

// Waiting is how many wait for a session to open.
func (x *Sources) Waiting(source, name string) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	src := x.byName[source]
	src.mu.Lock()
	defer src.mu.Unlock()
	if v := src.views[name]; v != nil {
		return v.waiting
	}
	return 0
}

// Longer is how long a probe waits behind a wait that was in vain.
func Longer(wait, most time.Duration) time.Duration { return longer(wait, most) }
