// Package transport makes TCP, TLS, Unix sockets and UDP flows into connections that a session can sit on: they wait
// for bytes without holding a buffer, and they can write without waiting.
package transport

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Conn is a connection as a session uses it.
type Conn interface {
	net.Conn
	// Receive waits for bytes, holding no buffer while it waits where the system allows that, and hands one piece to
	// sink. It returns io.EOF at the end of what the far end sends, and what sink returned.
	Receive(sink Sink) error
	// TryWrite writes what can be written without waiting and returns how much that was. A short count with a nil
	// error means that the rest would wait. A connection that cannot tell writes nothing.
	TryWrite(p []byte) (n int, err error)
	// CloseWrite tells the far end that nothing more will be sent, where the transport can say so.
	CloseWrite() error
	// Datagrams reports whether each Write is a message of its own and each piece received is one.
	Datagrams() bool
}

// Waiter is a Conn that can wait without receiving.
type Waiter interface {
	// Wait returns when Receive would not wait, or at the read deadline.
	Wait() error
}

// Repeater is a Conn that can receive again and again with fewer system calls.
type Repeater interface {
	// ReceiveWhile is Receive, again and again while more says so. more is called after each piece and must not wait. It
	// returns nil once more says no. In a long conversation a reset that comes together with bytes may show only at the
	// read deadline.
	ReceiveWhile(sink Sink, more func() bool) error
}

// Sink takes one piece of what a connection received. Exactly one of its methods is called for each piece.
type Sink interface {
	// Take calls read once with room for bytes; read does not wait. An error of read comes back unchanged.
	Take(read func(p []byte) (int, error)) error
	// Put takes bytes that are only borrowed.
	Put(p []byte) error
}

// ErrUnsupported is returned by CloseWrite where the transport has no half-close.
var ErrUnsupported = errors.New("this transport cannot close one direction")

// From makes a Conn of any net.Conn.
func From(c net.Conn) Conn {
	switch c := c.(type) {
	case Conn:
		return c
	case *net.TCPConn:
		return newSocket(c, false)
	case *net.UnixConn:
		return newSocket(c, false)
	}
	return &stream{Conn: c}
}

// own is From of a connection that nobody else uses or closes.
func own(c net.Conn) Conn {
	switch c := c.(type) {
	case *net.TCPConn:
		return newSocket(c, true)
	case *net.UnixConn:
		return newSocket(c, true)
	}
	return From(c)
}

// stream is any net.Conn that is not a plain socket: it must hold a buffer while it waits.
type stream struct{ net.Conn }

const streamBuffer = 4 << 10

var streamBuffers = sync.Pool{New: func() any { return new([streamBuffer]byte) }}

func (s *stream) Receive(sink Sink) error {
	buf := streamBuffers.Get().(*[streamBuffer]byte)
	defer streamBuffers.Put(buf)
	n, err := s.Conn.Read(buf[:])
	if n > 0 {
		return sink.Put(buf[:n])
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func (s *stream) TryWrite([]byte) (int, error) { return 0, nil }
func (s *stream) Datagrams() bool              { return false }

func (s *stream) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return ErrUnsupported
}

// Handshake finishes what a connection has to do before its first byte, in at most the given time.
func Handshake(c Conn, limit time.Duration) error {
	s, ok := c.(*stream)
	if !ok {
		return nil
	}
	h, ok := s.Conn.(interface{ Handshake() error })
	if !ok {
		return nil
	}
	s.SetDeadline(time.Now().Add(limit))
	if err := h.Handshake(); err != nil {
		return err
	}
	return s.SetDeadline(time.Time{})
}

// NeedsHandshake reports whether Handshake has anything to do.
func NeedsHandshake(c Conn) bool {
	s, ok := c.(*stream)
	if !ok {
		return false
	}
	_, ok = s.Conn.(interface{ Handshake() error })
	return ok
}
