package recording

import (
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// addDirty has the sweeper look at a log whose chunk has opened; the log's lock is held.
func (s *Store) addDirty(l *Log) {
	s.dmu.Lock()
	s.dirty = append(s.dirty, l)
	s.dmu.Unlock()
}

// sweep closes chunks that are old enough: one ticker for all sessions.
func (s *Store) sweep() {
	ticker := time.NewTicker(max(s.opt.ChunkAge/8, time.Millisecond))
	defer ticker.Stop()
	var list []*Log
	for {
		select {
		case <-ticker.C:
		case <-s.stop:
			return
		}
		s.dmu.Lock()
		list, s.dirty = s.dirty, list[:0]
		s.dmu.Unlock()
		deadline := time.Now().Add(-s.opt.ChunkAge + s.opt.ChunkAge/8)
		for _, l := range list {
			if l.sweep(deadline) {
				s.addDirty(l)
			}
		}
		clear(list)
	}
}

// sweep closes the open chunk if it began before the deadline, and reports whether the log is to be looked at again.
func (l *Log) sweep(deadline time.Time) (again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.open
	if c == nil || c.count == 0 {
		l.dirty = false
		return false
	}
	if c.since.After(deadline) {
		return true
	}
	if c.n < len(c.buf)/4 && l.class > 0 {
		l.class--
	}
	l.submit()
	l.dirty = false
	return false
}

// wake has those who wait for news told; l.mu is held. The telling is the herald's work, so that many watchers cost the
// session nothing.
func (l *Log) wake() {
	if l.seldom().news == nil || l.heralded {
		return
	}
	l.heralded = true
	s := l.store
	s.nmu.Lock()
	s.news = append(s.news, l)
	s.nmu.Unlock()
	select {
	case s.tell <- struct{}{}:
	default:
	}
}

// heraldPause joins the news of a busy session: watchers hear at most once in it.
const heraldPause = 2 * time.Millisecond

// herald wakes watchers.
func (s *Store) herald() {
	var list []*Log
	for {
		select {
		case <-s.tell:
		case <-s.stop:
			return
		}
		s.nmu.Lock()
		list, s.news = s.news, list[:0]
		s.nmu.Unlock()
		for _, l := range list {
			l.mu.Lock()
			l.heralded = false
			if news := l.seldom().news; news != nil {
				close(news)
				l.rare.news = nil
			}
			l.mu.Unlock()
		}
		clear(list)
		time.Sleep(heraldPause)
	}
}

// keepLimit is how much of a session that is not recorded is kept for its watchers, bytes.
const keepLimit = 1 << 20

// keepForWatchers keeps a chunk of a session that is not recorded while somebody watches; l.mu is held.
func (l *Log) keepForWatchers(c *chunk) {
	l.pending = append(l.pending, c)
	r := l.needRare()
	r.kept += c.n
	for r.kept > keepLimit && len(l.pending) > 1 {
		l.dropKept()
	}
}

func (l *Log) dropKept() {
	c := l.pending[0]
	l.pending[0] = nil
	l.pending = l.pending[1:]
	l.needRare().kept -= c.n
	c.release()
}

// closeOff puts the Closed event into the open chunk, or a new one; l.mu is held.
func (l *Log) closeOff(e *session.End) {
	data := session.JSON(e)
	if c := l.open; c != nil && len(c.buf)-c.n < eventHeader+len(data) {
		l.submit()
	}
	c := l.open
	if c == nil {
		c = l.fresh(eventHeader + len(data))
	}
	copy(c.buf[c.n+eventHeader:], data)
	l.commitEvent(c, session.Closed, len(data), time.Now())
}
