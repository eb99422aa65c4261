package engine

import "time"

// sweep looks after connections, one shelf at a time, until the server is closed.
func (s *Server) sweep() {
	every := min(time.Second, s.opt.PingTimeout/8)
	ticker := time.NewTicker(max(time.Millisecond, every/shelves))
	defer ticker.Stop()
	var list []*Conn
	for turn := 0; ; turn++ {
		select {
		case <-s.done:
			return
		case <-ticker.C:
		}
		now := s.now()
		if turn%shelves == 0 {
			s.places.tidy(now)
		}
		list = s.table[turn%shelves].list(list[:0])
		for _, c := range list {
			c.sweep(now, every)
		}
		clear(list)
	}
}

// sweep does what is due.
func (c *Conn) sweep(now, every time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.polling
	if c.over.Load() != nil {
		if p != nil && p.until != 0 && now >= p.until {
			c.server.leave(c)
			p.dropUpgrade()
		}
		return
	}
	if !c.begun || c.endOverdue(now) {
		return
	}
	opt := &c.server.opt
	if p != nil && p.upgrade != nil && now-p.upgrade.began >= opt.UpgradeTimeout && p.upgrade.ws != nil {
		p.dropUpgrade()
	}
	due := c.pinged + opt.PingInterval
	if c.older || now < due || c.isUnanswered() {
		return
	}
	if c.pinged = due; now-due > 2*every {
		c.pinged = now
	}
	c.ping()
}

// ping sends a ping; c.mu is held.
func (c *Conn) ping() {
	if ws := c.live.Load(); ws != nil {
		c.pushAll(ws, []*Message{pingPacket}) // an error has ended it
		return
	}
	if c.polling == nil {
		return // its WebSocket has not begun
	}
	c.polling.pinging = true
	c.waiting = append(c.waiting, pingPacket)
	c.held += pingPacket.cost()
	c.polling.rouse()
}

// isUnanswered reports whether nothing came since the last ping; c.mu is held.
func (c *Conn) isUnanswered() bool { return time.Duration(c.seen.Load()) < c.pinged }

// endOverdue ends a connection whose client has not been heard for too long; c.mu is held. It is asked at each request,
// too: whether one is late must not hang on when the sweep comes.
func (c *Conn) endOverdue(now time.Duration) bool {
	if c.over.Load() != nil || !c.begun || !c.isOverdue(now) {
		return false
	}
	c.endLocked(PingTimeout, nil, atOnce)
	return true
}

func (c *Conn) isOverdue(now time.Duration) bool {
	opt := &c.server.opt
	silence := opt.PingInterval + opt.PingTimeout
	if p := c.polling; p != nil && p.get == nil && p.writing == 0 && now-p.last >= silence {
		return true
	}
	late := func() bool {
		if c.older {
			return now-time.Duration(c.seen.Load()) >= silence
		}
		return now-c.pinged >= opt.PingTimeout && c.isUnanswered()
	}
	if !late() {
		return false
	}
	if p := c.polling; p != nil && (p.pinging || p.writing > 0) {
		return false // it has not heard the ping, or not been able to
	}
	if ws := c.live.Load(); ws != nil && ws.Waiting() > 0 {
		return false // a ping may wait behind it; a client that takes nothing is slow
	}
	if !c.receiving.TryLock() { // nobody is late who is not read
		return false
	}
	defer c.receiving.Unlock()
	return late()
}
