package engine

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// polling is what a connection has while it polls. The connection's mu guards it.
type polling struct {
	get     *poll         // the poll that waits
	writing int           // answers that are being written
	posting bool          // a POST is being handled
	last    time.Duration // when a poll was last there
	pinging bool          // a ping waits for a poll
	upgrade *upgrade      // the WebSocket that is to take over

	// after the end
	final   []*Message    // what the next poll gets
	close   []*Message    // what the one behind it gets
	parting bool          // a close packet is among them
	until   time.Duration // for how long
}

// poll is one GET that waits.
type poll struct {
	rouse chan struct{} // what it gets may have changed; holds one
	began time.Duration
	late  bool // an upgrade had begun
}

// noopAfter is how long a poll waits that came while an upgrade was under way: it may have been sent behind it.
const noopAfter = 100 * time.Millisecond

var errOverlap = errors.New("a second request of the same kind came before the first was answered")

func (p *polling) rouse() {
	if p.get == nil {
		return
	}
	select {
	case p.get.rouse <- struct{}{}:
	default:
	}
}

// end decides what the poll that waits, or the next one, gets. It reports whether there is anything for a next one.
func (p *polling) end(waiting []*Message, m manner, now time.Duration) (lingers bool) {
	wait := time.Duration(0)
	switch m {
	case afterWaiting:
		// A close packet goes by itself: newer clients hand over messages a moment later, and a close at once.
		p.final, p.parting, wait = []*Message{closePacket}, true, deliverWithin
		if len(waiting) > 0 {
			p.final, p.close = waiting, p.final
		}
	case asAsked:
		p.final, wait = []*Message{noopPacket}, farewell
	default:
		p.final = []*Message{closePacket}
	}
	if p.get != nil {
		p.rouse()
		if p.close == nil {
			return false
		}
	}
	if wait == 0 {
		p.final = nil
		return false
	}
	p.until = now + wait
	return true
}

// serveGet answers a poll, as soon as there is something to say.
func (c *Conn) serveGet(w http.ResponseWriter, r *http.Request) {
	g, refused := c.beginPoll()
	if refused != nil {
		c.server.refuse(w, refused)
		return
	}
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{}) // those of the http.Server would end the wait
	control.SetWriteDeadline(time.Time{})
	for {
		list, cost, wait, refused := c.answer(g)
		switch {
		case refused != nil:
			c.server.refuse(w, refused)
			return
		case list != nil:
			c.write(w, list, cost)
			return
		}
		if g.wait(r.Context(), wait) != nil {
			c.aborted(g)
			return
		}
	}
}

func (c *Conn) beginPoll() (*poll, *refusal) {
	now := c.server.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endOverdue(now)
	p := c.polling
	switch {
	case p == nil:
		return nil, refusedRequest
	case c.over.Load() != nil && (p.final == nil || p.get != nil):
		return nil, refusedSession
	case p.get != nil:
		c.endLocked(TransportError, errOverlap, atOnce)
		return nil, refusedRequest
	}
	p.get = &poll{rouse: make(chan struct{}, 1), began: now, late: p.upgrade != nil}
	return p.get, nil
}

// answer is what a poll gets now, or how long it is to wait, where 0 is until it is roused.
func (c *Conn) answer(g *poll) (list []*Message, cost int, wait time.Duration, refused *refusal) {
	now := c.server.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.polling
	if p == nil || p.get != g {
		return nil, 0, 0, refusedRequest
	}
	switch {
	case c.over.Load() != nil:
		if list, p.final, p.close = p.final, p.close, nil; list == nil {
			return nil, 0, 0, refusedSession
		}
		if p.until != 0 && p.final == nil {
			defer c.server.leave(c)
			p.dropUpgrade()
		}
	case p.upgrade.isProbed():
		if g.late {
			if wait = max(g.began, p.upgrade.probed) + noopAfter - now; wait > 0 {
				return nil, 0, wait, nil
			}
		}
		list = []*Message{noopPacket}
	case len(c.waiting) > 0:
		list, c.waiting = c.waiting, nil
		if p.pinging {
			p.pinging, c.pinged = false, now // the client's time to answer begins here
		}
		for _, m := range list {
			cost += m.cost()
		}
	default:
		return nil, 0, 0, nil
	}
	p.writing++
	p.get = nil // before the client can have the answer: its next poll may come over another connection
	return list, cost, 0, nil
}

func (g *poll) wait(ctx context.Context, limit time.Duration) error {
	var after <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-g.rouse:
	case <-after:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// aborted ends the connection whose client gave up its poll.
func (c *Conn) aborted(g *poll) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.polling; p != nil && p.get == g {
		p.get = nil
		c.endLocked(TransportError, errors.New("the client aborted its poll"), atOnce)
	}
}
