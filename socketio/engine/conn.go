package engine

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/transport"
)

// Conn is one client's connection.
type Conn struct {
	User any // the handler's own; set in Open

	// fixed after the handshake
	server *Server
	remote string
	place  *place
	id     id
	older  bool // revision 3
	b64    bool // of revision 3, and takes no binary payloads

	live atomic.Pointer[transport.WebSocket] // takes what is sent; nil while polling or upgrading, and after the end
	over atomic.Pointer[ending]              // set once, with mu held
	seen atomic.Int64                        // when the client was last heard

	// receiving is held while the handler is called. It comes before mu.
	receiving sync.Mutex
	opened    bool   // the handler is told of the end
	budget    bucket // of messages

	mu      sync.Mutex
	begun   bool // the handler has opened it, and the heartbeat beats
	ws      *transport.WebSocket
	polling *polling      // nil over WebSocket
	waiting []*Message    // for a poll, or for an upgrade to be finished
	held    int           // what they cost, and what is being written in answers to polls
	unsent  int           // bytes of messages
	pinged  time.Duration // when the last ping was due
}

// ErrClosed says that a connection has ended or is ending.
var ErrClosed = errors.New("the connection is closed")

// ID is 20 unguessable characters.
func (c *Conn) ID() string { return c.id.String() }

// Revision is 3 or 4.
func (c *Conn) Revision() int {
	if c.older {
		return 3
	}
	return 4
}

// Transport is "polling" or "websocket".
func (c *Conn) Transport() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.polling != nil {
		return "polling"
	}
	return "websocket"
}

// Remote is the client's address, with its port: see Options.Address.
func (c *Conn) Remote() string { return c.remote }

// Closed reports whether the connection has ended or is ending.
func (c *Conn) Closed() bool { return c.over.Load() != nil }

// ending is why a connection ended, and how.
type ending struct {
	reason Reason
	err    error
	manner manner
}

// manner is what a client is still told when its connection ends.
type manner int

const (
	atOnce       manner = iota
	afterWaiting        // it gets what waits, first
	asAsked             // it said that it goes
)

const (
	deliverWithin = 30 * time.Second // what waited, and that the connection is closed, to a client that polls
	farewell      = 5 * time.Second  // how long the poll of a client that said that it goes may come behind
)

// Close ends the connection. It does not wait. What was sent before goes out first: over WebSocket for as long as 2 s,
// over polling with the next poll, for as long as 30 s.
func (c *Conn) Close(reason Reason) { c.end(reason, nil, afterWaiting) }

// end ends the connection, once. It does not wait and does not call the handler.
func (c *Conn) end(reason Reason, err error, m manner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(reason, err, m)
}

// endLocked is end with c.mu held.
func (c *Conn) endLocked(reason Reason, err error, m manner) {
	if c.over.Load() != nil {
		return
	}
	e := &ending{reason, err, m}
	if m == afterWaiting && c.polling == nil && c.ws != nil && c.live.Load() == nil {
		c.greet() // what was sent goes out first, and the open packet before it
	}
	c.over.Store(e)
	c.live.Store(nil)
	lingers := c.polling != nil && c.polling.end(c.waiting, m, c.server.now())
	upgrades := lingers && c.polling.parting && c.polling.upgrade.isProbed() && reason != ServerShutdown
	if m != afterWaiting {
		for _, w := range c.waiting {
			c.unsent += w.Size()
		}
	}
	if m != afterWaiting || c.polling != nil || c.ws != nil { // else they wait for a handshake that is under way
		c.waiting, c.held = nil, 0
	}
	// What waits may have to go over the WebSocket of an upgrade, whose client does not poll any more.
	go c.finish(e, c.ws, c.polling, lingers, upgrades) // Server.Close waits for it
}

// finish tells everybody, the handler behind its last message.
func (c *Conn) finish(e *ending, ws *transport.WebSocket, p *polling, lingers, upgrades bool) {
	defer c.server.tasks.Done()
	if !lingers {
		c.server.leave(c)
	}
	if ws != nil {
		closeWebSocket(ws, e)
		n := ws.Unsent()
		c.mu.Lock()
		c.unsent += n
		c.mu.Unlock()
	}
	if p != nil && !upgrades {
		c.abandon(p)
	}
	c.receiving.Lock()
	defer c.receiving.Unlock()
	if c.opened {
		c.server.counts.close(p != nil, e.reason)
		c.server.handler.Closed(c, e.reason, e.err)
	}
}

// Unsent is how many bytes of messages were sent and never went out, to the handler's Closed and later. Over WebSocket each
// counts with the one byte of its packet type.
func (c *Conn) Unsent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsent
}

// cutOff closes the WebSocket of a connection that is ending.
func (c *Conn) cutOff() {
	c.mu.Lock()
	ws := c.ws
	c.mu.Unlock()
	if ws != nil {
		ws.Close()
	}
}
