package hub

import (
	"sync"
	"time"
)

// attention is who wants a session to go on: those who hold it, besides its watchers.
type attention struct {
	mu     sync.Mutex
	holds  int
	linger time.Duration
	gone   func()      // nil: nobody wants to know
	timer  *time.Timer // since the last went; nil if gone is
	since  time.Time   // when that was
	over   bool        // gone was called, or the session ends
}

// Keep counts the caller among those for whom the session goes on, beside its watchers, until release is called, which may be
// more than once. The error is ErrNotLive if it is ending.
func (s *Session) Keep() (release func(), err error) {
	a := &s.more().attention
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || s.over.Load() != nil {
		return nil, ErrNotLive
	}
	a.holds++
	return sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.holds--
		a.rest()
	}), nil
}

// OnUnwatched has f called, in a goroutine of its own, once nobody has watched the session nor kept it for linger, if that is
// before its end; only once, and Keep refuses from then on. Watchers are the readers of Hub.Events; those that keep the
// screens, and the journal, are none. It is called at most once of a session.
func (s *Session) OnUnwatched(linger time.Duration, f func()) {
	a := &s.more().attention
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.over.Load() != nil {
		return
	}
	a.linger, a.gone, a.since = linger, f, time.Now()
	a.timer = time.AfterFunc(linger, func() { s.lookAway(a) })
	s.log.OnUnwatched(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.rest()
	})
}

// rest begins to wait anew, when somebody went; a.mu is held. Whoever is left shows in the end.
func (a *attention) rest() {
	if a.timer != nil && !a.over {
		a.since = time.Now()
		a.timer.Reset(a.linger)
	}
}

// lookAway tells that nobody is there any more, if that is so. Otherwise whoever goes last begins the wait anew.
func (s *Session) lookAway(a *attention) {
	a.mu.Lock()
	nobody := a.holds == 0 && s.log.Watchers() == 0 && !a.over && time.Since(a.since) >= a.linger
	a.over = a.over || nobody
	a.mu.Unlock()
	if nobody {
		a.gone()
	}
}

// stop is for the session's end.
func (a *attention) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if a.timer != nil {
		a.timer.Stop()
	}
}
