package transport

import (
	"errors"
	"io"
	"net"
	"sync"
)

// Receive implements Conn: one message is one piece.
func (s *WebSocket) Receive(sink Sink) error {
	for got := false; ; {
		err := s.receive(true, func(_ bool, p []byte) error {
			got = true
			return sink.Put(p)
		})
		if got || err != nil {
			return err
		}
	}
}

// ReceiveMessages waits until bytes are there, holding no buffer while it waits where the connection allows that, and
// calls take for each message that they complete; there may be none. The bytes are borrowed. An error of take comes
// back unchanged. Others are io.EOF when the far end has said goodbye or hung up between messages, and a *CloseError
// when it broke the protocol, which it has been told.
func (s *WebSocket) ReceiveMessages(take func(binary bool, p []byte) error) error {
	return s.receive(false, take)
}

// SaidGoodbye reports whether the far end has sent a close frame, rather than hung up. It is for who receives.
func (s *WebSocket) SaidGoodbye() bool { return s.goodbye }

// Wait implements Waiter, for both ways to receive. If the connection cannot wait without receiving, it returns at
// once.
func (s *WebSocket) Wait() error {
	w, waits := s.conn.(Waiter)
	if !waits || s.ready || s.received != nil {
		return nil
	}
	return w.Wait()
}

// Read is Receive for those who bring a buffer. What does not fit is lost.
func (s *WebSocket) Read(p []byte) (n int, err error) {
	err = s.Receive(putFunc(func(message []byte) error {
		n = copy(p, message)
		return nil
	}))
	return n, err
}

// putFunc is a Sink for what is borrowed.
type putFunc func(p []byte) error

func (f putFunc) Put(p []byte) error                     { return f(p) }
func (f putFunc) Take(func(p []byte) (int, error)) error { return errors.ErrUnsupported }

// receive calls take for the messages that are there already, or else for those that one read completes; only for the
// first, if one is set.
func (s *WebSocket) receive(one bool, take func(binary bool, p []byte) error) error {
	if s.received != nil {
		return s.received
	}
	if !s.ready {
		err := s.conn.Receive((*arrival)(s))
		if err == nil && s.leaving.Load() { // what is missing between this and the rest was thrown away
			err = s.over(net.ErrClosed)
			s.keep(nil)
		}
		if err != nil {
			return s.hungUp(err)
		}
	}
	p := s.rest
	if s.in != nil {
		p = s.in[:s.got]
	}
	n, more, err := s.parse(p, one, take)
	if s.received != nil {
		n = len(p)
	}
	s.ready = more && n < len(p)
	s.keep(p[n:])
	if err != nil {
		return err
	}
	return s.pong()
}

// hungUp is what an error of the connection means.
func (s *WebSocket) hungUp(err error) error {
	if err == io.EOF && (len(s.rest) > 0 || s.kind != 0) {
		return s.over(io.ErrUnexpectedEOF)
	}
	return err
}

// over remembers why nothing more will be received.
func (s *WebSocket) over(err error) error {
	s.received = err
	s.rest, s.message, s.ping = nil, nil, nil
	return err
}

// pong answers the newest ping.
func (s *WebSocket) pong() error {
	if s.ping == nil {
		return nil
	}
	err := s.send(OpPong, s.ping)
	s.ping = nil
	if errors.Is(err, net.ErrClosed) { // nothing follows the close frame that is on its way
		return nil
	}
	return err
}

// input is room for what comes in, borrowed while it is handled.
type input [16 << 10]byte

var inputs = sync.Pool{New: func() any { return new(input) }}

// arrival is a WebSocket as the Sink of its connection. What comes goes behind the rest: into a borrowed input, or,
// once much of a large frame is there, into room of its own, which grows with what has come and not with what is
// announced.
type arrival WebSocket

// Take implements Sink.
func (a *arrival) Take(read func(p []byte) (int, error)) error {
	if need := a.needs(); need > len(input{}) && len(a.rest) >= len(input{})/2 {
		a.rest = grow(a.rest, 1, need)
		n, err := read(a.rest[len(a.rest):min(cap(a.rest), need)])
		a.rest = a.rest[:len(a.rest)+max(n, 0)]
		return err
	}
	in := inputs.Get().(*input)
	kept := copy(in[:], a.rest)
	n, err := read(in[kept:])
	if err != nil {
		inputs.Put(in)
		return err
	}
	a.in, a.got = in, kept+n
	return nil
}

// Put implements Sink.
func (a *arrival) Put(p []byte) error {
	if size := len(a.rest) + len(p); size > len(input{}) {
		a.rest = append(grow(a.rest, len(p), max(a.needs(), size)), p...)
		return nil
	}
	a.in = inputs.Get().(*input)
	a.got = copy(a.in[:], a.rest)
	a.got += copy(a.in[a.got:], p)
	return nil
}

// needs is the size of the frame that rest begins, as far as that is known. It is not more than may come.
func (a *arrival) needs() int {
	if len(a.rest) == 0 {
		return 0
	}
	var h frameHeader
	h.parse(a.rest)
	return h.size + int(h.n)
}

// keep keeps what was not handled, and gives back the rest of the memory.
func (s *WebSocket) keep(p []byte) {
	switch {
	case len(p) == 0:
		s.rest = nil
	case s.in == nil && cap(p) <= 2*len(p)+len(input{}): // of s.rest
		s.rest = p
	case s.in != nil && cap(s.rest) >= len(p) && cap(s.rest) <= 2*len(p):
		s.rest = append(s.rest[:0], p...)
	default:
		s.rest = append([]byte(nil), p...)
	}
	if s.in != nil {
		inputs.Put(s.in)
		s.in = nil
	}
}

// grow makes room for n bytes behind b, doubling it, but not beyond most, which is enough.
func grow(b []byte, n, most int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	size := min(max(len(b)+n, 2*len(b)), most)
	return append(make([]byte, 0, size), b...)
}
