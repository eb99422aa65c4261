package engine

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/transport"
)

// handshake opens a connection.
func (s *Server) handshake(w http.ResponseWriter, r *http.Request, q request) {
	switch {
	case r.Method != http.MethodGet:
		s.refuse(w, refusedMethod)
		return
	case q.websocket != wantsUpgrade(r):
		s.refuse(w, refusedRequest)
		return
	}
	c, refused := s.enter(r, q)
	if refused != nil {
		s.refuse(w, refused)
		return
	}
	err := errOpen
	defer func() { // if the handler panics, too
		if err != nil {
			c.end(ForcedClose, err, atOnce)
		}
	}()
	if err = c.open(r); err != nil {
		s.refuse(w, byHandler(err))
		return
	}
	if q.websocket {
		c.begin(w, r)
		return
	}
	if c.Closed() { // by the handler, or by Server.Close
		s.refuse(w, refusedSession)
		return
	}
	c.write(w, []*Message{newPacket(typeOpen, c.openData(true))}, 0)
}

var errOpen = errors.New("the handler did not return")

// enter makes a connection and counts it.
func (s *Server) enter(r *http.Request, q request) (*Conn, *refusal) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, refusedShutdown
	}
	if most := s.opt.MaxConnections; s.slots.Add(1) > int64(most) && most >= 0 {
		s.slots.Add(-1)
		return nil, refusedFull
	}
	now, remote := s.now(), s.remote(r)
	at, refused := s.places.enter(remote, now)
	if refused != nil {
		s.slots.Add(-1)
		return nil, refused
	}
	c := &Conn{server: s, remote: remote, place: at, id: newID(), older: q.older, b64: q.b64}
	if !q.websocket {
		c.polling = &polling{writing: 1} // its first answer
	}
	s.tasks.Add(1)
	s.table.add(c)
	return c, nil
}

// leave undoes enter, once.
func (s *Server) leave(c *Conn) {
	if s.table.remove(c) {
		s.slots.Add(-1)
		s.places.leave(c.place)
	}
}

// open asks the handler. Whoever ends the connection meanwhile waits.
func (c *Conn) open(r *http.Request) error {
	c.receiving.Lock()
	defer c.receiving.Unlock()
	if err := c.server.handler.Open(c, r); err != nil {
		return err
	}
	c.server.counts.open(c.polling != nil)
	c.opened = true
	now := c.server.now()
	c.seen.Store(int64(now))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun, c.pinged = true, now
	return nil
}

// openData is what the first packet says.
func (c *Conn) openData(polling bool) []byte {
	opt := &c.server.opt
	b := append(make([]byte, 0, 128), `{"sid":"`...)
	b = append(b, c.ID()...)
	b = append(b, `","upgrades":[`...)
	if polling && !opt.NoWebSocket {
		b = append(b, `"websocket"`...)
	}
	b = append(b, `],"pingInterval":`...)
	b = strconv.AppendInt(b, int64(opt.PingInterval/time.Millisecond), 10)
	b = append(b, `,"pingTimeout":`...)
	b = strconv.AppendInt(b, int64(opt.PingTimeout/time.Millisecond), 10)
	b = append(b, `,"maxPayload":`...)
	b = strconv.AppendInt(b, int64(opt.MaxPayload), 10)
	return append(b, '}')
}

// moment is left between the answer to a WebSocket handshake and the first message: a Node client that begins to
// listen for messages when it has been told that the connection is open would miss one that comes with the same read.
const moment = 2 * time.Millisecond

// begin goes on over WebSocket: net/http's goroutine ends.
func (c *Conn) begin(w http.ResponseWriter, r *http.Request) {
	ws, err := transport.UpgradeWebSocket(w, r, c.webSocketOptions())
	if err != nil {
		c.end(TransportError, err, atOnce)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.over.Load()
	if e != nil && len(c.waiting) == 0 { // nothing waits for it
		go ws.Close()
		return
	}
	c.ws = ws
	c.server.tasks.Add(1) // the reader is done
	if e == nil {
		time.AfterFunc(moment, c.start)
		return
	}
	c.greet() // an error is the end of the WebSocket, which comes in any case
	c.live.Store(nil)
	go c.park(ws, nil)
	go closeWebSocket(ws, e)
}

// start sends the open packet and what has been sent since, and then begins to read.
func (c *Conn) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over.Load() != nil || c.greet() { // at its end it was greeted
		go c.park(c.ws, nil)
		return
	}
	c.server.tasks.Done()
}

// greet sends the open packet and what has been sent since; mu is held.
func (c *Conn) greet() bool {
	c.waiting = append([]*Message{newPacket(typeOpen, c.openData(false))}, c.waiting...)
	return c.switchTo(c.ws)
}
