package engine

import (
	"errors"

	"github.com/switchboard-relay/switchboard/transport"
)

// Send sends m behind what was sent before. It does not wait. Its error is ErrClosed.
func (c *Conn) Send(m *Message) error {
	if ws := c.live.Load(); ws != nil {
		return c.push(ws, m.framesFor(c.older))
	}
	return c.hold(m.cost(), m)
}

// SendBatch sends the messages of b, in order, with one write. It does not wait. Its error is ErrClosed.
func (c *Conn) SendBatch(b *Batch) error {
	if len(b.messages) == 0 {
		return nil
	}
	if ws := c.live.Load(); ws != nil {
		return c.push(ws, b.framesFor(c.older))
	}
	return c.hold(b.cost, b.messages...)
}

// SendVolatile sends m only if nothing waits for the client and it can be sent now.
func (c *Conn) SendVolatile(m *Message) bool {
	if ws := c.live.Load(); ws != nil {
		return ws.Waiting() == 0 && c.push(ws, m.framesFor(c.older)) == nil
	}
	return c.isReady() && c.Send(m) == nil
}

// isReady reports whether what is sent now goes out now: a poll waits for it, or there is a WebSocket since a moment
// ago.
func (c *Conn) isReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ws := c.live.Load(); ws != nil {
		return ws.Waiting() == 0
	}
	p := c.polling
	return p != nil && p.get != nil && len(c.waiting) == 0 && !p.upgrade.isProbed()
}

// Waiting is how many bytes wait for the client, with what it takes to keep them.
func (c *Conn) Waiting() int {
	if ws := c.live.Load(); ws != nil {
		return ws.Waiting()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held
}

func (c *Conn) push(ws *transport.WebSocket, frames []byte) error {
	if err := ws.Push(frames); err != nil {
		c.unwritable(err)
		return ErrClosed
	}
	return nil
}

// unwritable ends the connection since what is sent cannot be written.
func (c *Conn) unwritable(err error) {
	if errors.Is(err, transport.ErrSlow) {
		c.end(Slow, err, atOnce)
		return
	}
	c.end(TransportError, err, atOnce)
}

// hold keeps messages for the next poll, or until there is a WebSocket. What is larger than the limit goes by itself.
func (c *Conn) hold(cost int, list ...*Message) error {
	c.mu.Lock()
	if c.over.Load() != nil {
		c.mu.Unlock()
		return ErrClosed
	}
	if ws := c.live.Load(); ws != nil { // since a moment ago
		err := c.pushAll(ws, list)
		c.mu.Unlock()
		return err
	}
	defer c.mu.Unlock()
	if c.held > 0 && c.held+cost > c.server.opt.WriteLimit {
		c.endLocked(Slow, transport.ErrSlow, atOnce)
		return ErrClosed
	}
	c.waiting = append(c.waiting, list...)
	c.held += cost
	if c.polling != nil {
		c.polling.rouse()
	}
	return nil
}

// pushAll writes messages to ws; c.mu is held.
func (c *Conn) pushAll(ws *transport.WebSocket, list []*Message) error {
	var frames []byte
	for _, m := range list {
		frames = append(frames, m.framesFor(c.older)...)
	}
	if err := ws.Push(frames); err != nil {
		reason := TransportError
		if errors.Is(err, transport.ErrSlow) {
			reason = Slow
		}
		c.endLocked(reason, err, atOnce)
		return ErrClosed
	}
	return nil
}

// switchTo has ws take what waits, and all that is sent from now on; c.mu is held.
func (c *Conn) switchTo(ws *transport.WebSocket) bool {
	c.ws = ws
	if len(c.waiting) > 0 && c.pushAll(ws, c.waiting) != nil {
		return false
	}
	c.waiting, c.held = nil, 0
	if c.isUnanswered() {
		c.pinged = c.server.now() // a ping may have been among them
	}
	c.live.Store(ws)
	return true
}
