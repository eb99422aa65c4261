package engine

import (
	"errors"
	"net/http"
	"time"

	"github.com/switchboard-relay/switchboard/transport"
)

// upgrade is a WebSocket that is to take over from polling. The connection's mu guards it.
type upgrade struct {
	ws     *transport.WebSocket // nil until its handshake is done
	began  time.Duration
	probed time.Duration // when the client's probe was answered: polls get noops only from then on; 0: not yet
}

func (u *upgrade) isProbed() bool { return u != nil && u.probed != 0 }

var errProbe = errors.New("something else than a probe and an upgrade")

// serveUpgrade takes a WebSocket with the sid of a connection that polls. A second one, and that of a connection
// which does not poll, is accepted and closed, as the reference implementation does.
func (c *Conn) serveUpgrade(w http.ResponseWriter, r *http.Request) {
	s := c.server
	u := c.beginUpgrade()
	if u == nil && !s.places.try(s.remote(r), s.now()) {
		s.refuse(w, refusedRate)
		return
	}
	ws, err := transport.UpgradeWebSocket(w, r, c.webSocketOptions())
	if err != nil {
		c.giveUp(u)
		return
	}
	if u == nil || !c.await(u, ws) {
		ws.CloseWith(transport.CloseNormal, "")
		return
	}
	go c.park(ws, u)
}

func (c *Conn) beginUpgrade() *upgrade {
	now := c.server.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endOverdue(now)
	p := c.polling
	if p == nil || p.upgrade != nil || c.over.Load() != nil {
		return nil
	}
	p.upgrade = &upgrade{began: now}
	return p.upgrade
}

// await has the reader of ws wait for the probe.
func (c *Conn) await(u *upgrade, ws *transport.WebSocket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.polling == nil || c.polling.upgrade != u || c.over.Load() != nil {
		return false
	}
	u.ws = ws
	c.server.tasks.Add(1) // the reader is done
	return true
}

// giveUp forgets an upgrade: polls get what waits again.
func (c *Conn) giveUp(u *upgrade) {
	if u == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.polling; p != nil && p.upgrade == u {
		p.upgrade = nil
		p.rouse()
	}
}

// dropUpgrade closes the WebSocket of an upgrade, if there is one; the connection's mu is held.
func (p *polling) dropUpgrade() {
	u := p.upgrade
	p.upgrade = nil
	p.rouse()
	if u != nil && u.ws != nil {
		go u.ws.Close() // its reader ends with it
	}
}

// stopUpgrade closes the WebSocket that a connection which is over has kept for what its client has yet to get.
func (c *Conn) stopUpgrade() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over.Load() != nil && c.polling != nil {
		c.polling.dropUpgrade()
	}
}

// abandon closes the WebSocket of an upgrade that will not be finished.
func (c *Conn) abandon(p *polling) {
	c.mu.Lock()
	u := p.upgrade
	p.upgrade = nil
	p.rouse()
	c.mu.Unlock()
	if u != nil && u.ws != nil {
		u.ws.Close()
	}
}

// probe takes what the client says until the upgrade is done.
func (c *Conn) probe(u *upgrade, binary bool, p []byte) (done bool, err error) {
	switch {
	case !binary && string(p) == "2probe":
		return false, c.probed(u)
	case !binary && string(p) == "5":
		return true, c.upgraded(u)
	}
	return false, errProbe
}

var probeAnswer = newPacket(typePong, []byte("probe"))

func (c *Conn) probed(u *upgrade) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.polling
	if p == nil || p.upgrade != u || u.probed != 0 {
		return errProbe
	}
	if err := u.ws.Push(probeAnswer.frames); err != nil {
		return err
	}
	u.probed = max(1, c.server.now())
	p.rouse()
	return nil
}

// partOver gives a client whose upgrade is finished behind the end of its connection what it would have got by polling; mu is
// held. The poll that came while it was under way may have got some of it.
func (c *Conn) partOver(u *upgrade, e *ending) error {
	p := c.polling
	if !p.parting || p.final == nil {
		return errProbe
	}
	if p.close != nil { // else final is the close packet: closing says that
		var frames []byte
		for _, m := range p.final {
			frames = append(frames, m.framesFor(c.older)...)
		}
		u.ws.Push(frames) // an error is the end of the WebSocket, which comes in any case
	}
	p.upgrade, p.final, p.close = nil, nil, nil
	u.ws.CloseWith(transport.CloseNormal, string(e.reason))
	c.server.leave(c)
	return errOver
}

// upgraded goes on over the WebSocket, behind what is being received by polling.
func (c *Conn) upgraded(u *upgrade) error {
	c.receiving.Lock()
	defer c.receiving.Unlock()
	c.mu.Lock()
	p := c.polling
	if p == nil || p.upgrade != u || !u.isProbed() {
		c.mu.Unlock()
		return errProbe
	}
	if e := c.over.Load(); e != nil {
		err := c.partOver(u, e)
		c.mu.Unlock()
		return err
	}
	p.upgrade = nil
	p.rouse()
	c.polling = nil
	switched := c.switchTo(u.ws)
	c.seen.Store(int64(c.server.now()))
	c.mu.Unlock()
	c.server.counts.upgrade()
	if !switched {
		return errOver
	}
	c.server.handler.Upgraded(c)
	return nil
}
