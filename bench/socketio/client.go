//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// client is one connection of the crowd.
type client struct {
	fd        int // -1: none
	index     int32
	state     state
	publisher bool
	stalled   bool
	next      uint32
	part      []byte // the beginning of a frame whose end has not come

	pid    string // what recovery goes by
	offset [40]byte
	offLen uint8
}

type state uint8

const (
	absent state = iota
	connecting
	upgrading // the handshake is sent
	greeting  // the server is to say who it is
	joining
	present
)

var errClosed = errors.New("the server closed the connection")

func (cl *client) close() {
	if cl.fd >= 0 {
		benchkit.CloseReset(cl.fd)
	}
	cl.fd, cl.state, cl.part = -1, absent, cl.part[:0]
}

// open connects all, waits until each was welcomed, and then until one message has reached all of them.
func (c *crowd) open() error {
	o := c.order
	var known bool
	if c.dialect, known = dialects[o.Dialect]; !known {
		return fmt.Errorf("no dialect is called %q", o.Dialect)
	}
	c.active = o.Count
	c.clients = make([]client, o.Count+1)
	for i := range c.clients {
		c.clients[i] = client{fd: -1, index: int32(i), publisher: i == 0}
		c.opening = append(c.opening, int32(i))
	}
	start := time.Now()
	if err := c.settle(start.Add(60 * time.Second)); err != nil {
		return err
	}
	c.report.Seconds = time.Since(start).Seconds()
	for i := range c.clients {
		if c.clients[i].state == present {
			c.report.Opened++
		}
	}
	if c.report.Opened < len(c.clients) {
		return nil // the report says it
	}
	return c.probe()
}

// settle waits until no connection is being made any more.
func (c *crowd) settle(deadline time.Time) error {
	for len(c.opening)+c.flying > 0 && time.Now().Before(deadline) {
		if err := c.hear(deadline); err != nil {
			return err
		}
	}
	return nil
}

// probe says one message and waits until all have it.
func (c *crowd) probe() error {
	c.begin(128)
	c.tolerant = true // servers that let somebody in before he is in the room are found out by the count
	defer func() { c.tolerant = false }()
	if err := c.publish(1, c.now()); err != nil {
		return err
	}
	for limit := time.Now().Add(probeLimit); c.whole < c.sent && time.Now().Before(limit); {
		if err := c.hear(limit); err != nil {
			return err
		}
	}
	for i := range c.clients {
		if cl := &c.clients[i]; !cl.publisher && cl.next == c.sent {
			c.report.Reached++
		}
	}
	return nil
}

// launch begins as many connections as may be made at once.
func (c *crowd) launch() error {
	for len(c.opening) > 0 && c.flying < max(1, c.order.InFlight) {
		cl := &c.clients[c.opening[0]]
		c.opening = c.opening[1:]
		to, err := netip.ParseAddrPort(c.place.Addr)
		if err != nil {
			return err
		}
		cl.fd, err = benchkit.Connect(benchkit.Source(c.place.Source+int(cl.index)/perSource), to)
		if err != nil {
			cl.fd = -1
			return err
		}
		cl.state = connecting
		c.flying++
		if err := c.poller.Watch(cl.fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLET, cl.index); err != nil {
			return err
		}
	}
	return nil
}

// connected asks for the upgrade.
func (c *crowd) connected(cl *client) error {
	code, err := unix.GetsockoptInt(cl.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err == nil {
		cl.state = upgrading
		err = writeAll(cl.fd, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", c.dialect.path, c.place.Addr))
	}
	if err != nil {
		return c.failed(cl, err)
	}
	return nil
}

// upgraded takes the answer to the handshake, once it is whole.
func (c *crowd) upgraded(cl *client, p []byte) (used int, err error) {
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 101 ")) {
		return 0, c.failed(cl, fmt.Errorf("the handshake was answered by %q", p[:min(len(p), 200)]))
	}
	cl.state = greeting
	return end + 4, c.dialect.upgraded(c, cl)
}

// welcomed notes that a client is where it wanted to be.
func (c *crowd) welcomed(cl *client) {
	if cl.state != present {
		cl.state = present
		c.flying--
	}
}

// failed notes that a connection broke. That of the publisher ends the run, and so does any other that was there;
// whoever wants to come back tries again.
func (c *crowd) failed(cl *client, err error) error {
	if cl.stalled {
		cl.close()
		return nil
	}
	if cl.state == present || cl.publisher {
		return fmt.Errorf("client %d: %w", cl.index, err)
	}
	cl.close()
	c.flying--
	c.report.Failed++
	if c.report.Error == "" {
		c.report.Error = err.Error()
	}
	if c.tolerant {
		c.opening = append(c.opening, cl.index)
	}
	return nil
}

// send sends a text message in a frame of its own.
func (c *crowd) send(cl *client, text string) error {
	if err := writeAll(cl.fd, appendFrame(nil, []byte(text))); err != nil {
		return c.failed(cl, err)
	}
	return nil
}

// writeAll writes what fits into any socket.
func writeAll(fd int, p []byte) error {
	n, err := unix.Write(fd, p)
	if err == nil && n < len(p) {
		err = errors.New("short write")
	}
	return err
}

// mask is what a client's frames are masked with.
var mask = [4]byte{0x5a, 0x13, 0xc7, 0x2e}

// appendFrame appends a client's text frame.
func appendFrame(b, text []byte) []byte {
	switch n := len(text); {
	case n < 126:
		b = append(b, 0x81, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0x81, 0x80|126, byte(n>>8), byte(n))
	default:
		b = append(b, 0x81, 0x80|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	b = append(b, mask[:]...)
	for i, x := range text {
		b = append(b, x^mask[i&3])
	}
	return b
}
