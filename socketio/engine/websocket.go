package engine

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/switchboard-relay/switchboard/transport"
)

func (c *Conn) webSocketOptions() transport.WebSocketOptions {
	opt := &c.server.opt
	return transport.WebSocketOptions{MaxMessage: opt.MaxPayload, WriteLimit: opt.WriteLimit, OnFailed: c.writeFailed}
}

// writeFailed is told when what waits could not be written. An upgrade that fails is its reader's to tell.
func (c *Conn) writeFailed(err error) {
	if c.live.Load() != nil {
		c.unwritable(err)
	}
}

// closeWebSocket says goodbye, unless that cannot be heard.
func closeWebSocket(ws *transport.WebSocket, e *ending) {
	switch {
	case e.reason == Slow:
		ws.Close()
	case e.manner == asAsked:
		ws.CloseWith(transport.CloseNormal, "")
	case e.reason == ServerShutdown:
		ws.CloseWith(transport.CloseGoingAway, string(e.reason))
	case e.reason == ParseError:
		ws.CloseWith(transport.CloseProtocol, string(e.reason))
	default:
		ws.CloseWith(transport.CloseNormal, string(e.reason))
	}
}

// quietAfter is how long a reader stays that hears nothing, before another one with a small stack waits instead.
const quietAfter = time.Second

// park waits for what comes over ws, whose upgrade may have to be finished, with the stack of a fresh goroutine, and
// then reads.
func (c *Conn) park(ws *transport.WebSocket, u *upgrade) {
	ws.Wait() // why it ended, the next read tells
	c.read(ws, u)
}

// read receives until the client is quiet or gone.
func (c *Conn) read(ws *transport.WebSocket, u *upgrade) {
	r := reader{conn: c, ws: ws, upgrade: u}
	err := r.readSoon()
	if errors.Is(err, errQuiet) {
		go c.park(ws, r.upgrade)
		return
	}
	c.lost(ws, r.upgrade, err)
	c.server.tasks.Done()
}

// reader reads a WebSocket.
type reader struct {
	conn    *Conn
	ws      *transport.WebSocket
	upgrade *upgrade // nil once it is done
	heard   int      // messages
}

var errQuiet = errors.New("nothing came for a while")

// readSoon receives until nothing came for a while, or there is an error. Who was woken and heard nothing has a
// WebSocket that cannot wait, as over TLS: it stays.
func (r *reader) readSoon() error {
	take := r.take
	for {
		before := r.heard
		r.ws.SetReadDeadline(time.Now().Add(quietAfter))
		err := r.readOn(take)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if r.heard > before {
			continue
		}
		r.ws.SetReadDeadline(time.Time{})
		if r.heard > 0 {
			return errQuiet
		}
		return r.readOn(take)
	}
}

func (r *reader) readOn(take func(binary bool, p []byte) error) error {
	for {
		if err := r.ws.ReceiveMessages(take); err != nil {
			return err
		}
	}
}

func (r *reader) take(binary bool, p []byte) error {
	r.heard++
	c := r.conn
	if r.upgrade != nil {
		done, err := c.probe(r.upgrade, binary, p)
		if done && err == nil {
			r.upgrade = nil
		}
		return err
	}
	if c.over.Load() != nil {
		return nil // unread bytes would make closing a reset, which overtakes what was sent
	}
	k, err := parse(p, binary, c.older)
	if err == nil {
		err = c.receive(k)
	}
	if err != nil {
		c.broken(err)
	}
	return nil
}

func parse(p []byte, binary, older bool) (packet, error) {
	if binary {
		return parseBinary(p, older)
	}
	return parseText(p, older)
}

// lost is called when a WebSocket can be read no more. The connection ends with it, unless it was only to take over.
func (c *Conn) lost(ws *transport.WebSocket, u *upgrade, err error) {
	switch {
	case u != nil:
		c.giveUp(u)
		ws.CloseWith(transport.CloseProtocol, "")
	case errors.Is(err, io.EOF):
		c.end(TransportClose, nil, atOnce)
	default:
		c.end(TransportError, err, atOnce)
	}
}
