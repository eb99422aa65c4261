package transport

import (
	"encoding/binary"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Op is what a frame is (RFC 6455, section 5.2).
type Op byte

const (
	opContinuation Op = 0
	OpText         Op = 1
	OpBinary       Op = 2
	OpClose        Op = 8
	OpPing         Op = 9
	OpPong         Op = 10
)

const (
	maxControl  = 125
	frameHeader = 14 // bytes at most
)

// AppendFrame appends a whole message as one frame of a server, which is not masked.
func AppendFrame(b []byte, op Op, p []byte) []byte {
	return append(AppendFrameHeader(b, op, len(p)), p...)
}

// AppendFrameHeader appends what stands in front of n bytes.
func AppendFrameHeader(b []byte, op Op, n int) []byte {
	b = append(b, 0x80|byte(op))
	switch {
	case n < 126:
		return append(b, byte(n))
	case n < 1<<16:
		return append(b, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
}

// AppendClose appends a close frame; a reason that is too long is cut between characters.
func AppendClose(b []byte, code uint16, reason string) []byte {
	if len(reason) > maxControl-2 {
		n := maxControl - 2
		for n > 0 && !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	b = AppendFrameHeader(b, OpClose, 2+len(reason))
	b = binary.BigEndian.AppendUint16(b, code)
	return append(b, reason...)
}

// header is what stands in front of a frame's payload.
type header struct {
	fin  bool
	op   Op
	mask [4]byte
	size int // of the header itself
	n    uint64
}

// parseHeader reads a header; ok is false if it is not whole.
func parseHeader(p []byte) (h header, bad string, ok bool) {
	if len(p) < 2 {
		return h, "", false
	}
	h.fin, h.op, h.size, h.n = p[0]&0x80 != 0, Op(p[0]&0x0f), 6, uint64(p[1]&0x7f)
	switch {
	case p[0]&0x70 != 0:
		return h, "reserved bits are set", true
	case p[1]&0x80 == 0:
		return h, "a frame is not masked", true
	case h.op > OpBinary && h.op < OpClose || h.op > OpPong:
		return h, "an unknown kind of frame", true
	case h.op >= OpClose && (!h.fin || h.n > maxControl):
		return h, "a control frame that is long or in fragments", true
	}
	switch h.n {
	case 126:
		h.size = 8
	case 127:
		h.size = 14
	}
	if len(p) < h.size {
		return h, "", false
	}
	switch h.size {
	case 8:
		h.n = uint64(binary.BigEndian.Uint16(p[2:]))
	case 14:
		if h.n = binary.BigEndian.Uint64(p[2:]); h.n>>63 != 0 {
			return h, "a frame of impossible length", true
		}
	}
	copy(h.mask[:], p[h.size-4:])
	return h, "", true
}

// input is what one read needs: a buffer that is only held while bytes arrive.
type input struct {
	buf [16 << 10]byte
	ws  *WebSocket
	got []byte
}

var inputs = sync.Pool{New: func() any { return new(input) }}

// Take implements Sink.
func (in *input) Take(read func(p []byte) (int, error)) error {
	if s := in.ws; cap(s.rest)-len(s.rest) > len(in.buf) { // a large message is on its way: straight to its place
		n, err := read(s.rest[len(s.rest):cap(s.rest)])
		s.rest = s.rest[:len(s.rest)+max(n, 0)]
		return err
	}
	n, err := read(in.buf[:])
	in.got = in.buf[:max(n, 0)]
	return err
}

// Put implements Sink.
func (in *input) Put(p []byte) error {
	in.got = in.buf[:copy(in.buf[:], p)]
	if len(p) > len(in.buf) {
		in.got = append([]byte(nil), p...)
	}
	return nil
}

// receive gives take the messages that are there already, or else those that one read completes; only the first if one is set.
func (s *WebSocket) receive(one bool, take func(binary bool, p []byte) error) error {
	if s.received != nil {
		return s.received
	}
	if s.ready {
		return s.takeRest(one, take)
	}
	in := inputs.Get().(*input)
	defer inputs.Put(in)
	in.ws, in.got = s, nil
	err := s.conn.Receive(in)
	in.ws = nil
	if err != nil {
		return err
	}
	if len(s.rest) > 0 {
		s.rest = append(s.rest, in.got...)
		return s.takeRest(one, take)
	}
	n, err := s.parse(in.got, one, take)
	s.keepRest(in.got[n:])
	return s.over(err)
}

func (s *WebSocket) takeRest(one bool, take func(binary bool, p []byte) error) error {
	rest := s.rest
	n, err := s.parse(rest, one, take)
	switch {
	case n == len(rest):
		s.rest = nil
	case n > 0:
		s.rest = nil
		s.keepRest(rest[n:])
	}
	return s.over(err)
}

// over remembers an end, and answers the newest ping.
func (s *WebSocket) over(err error) error {
	if s.pinged && err == nil {
		s.pinged = false
		err = s.Push(AppendFrame(nil, OpPong, s.pong))
	}
	if err != nil {
		s.received, s.rest, s.message, s.ready = err, nil, nil, false
	}
	return err
}

// keepRest keeps input that is not whole, with room for the frame that it begins.
func (s *WebSocket) keepRest(p []byte) {
	if len(p) == 0 {
		return
	}
	need := len(p)
	if h, bad, ok := parseHeader(p); ok && bad == "" && h.n <= uint64(s.max) {
		need = max(need, h.size+int(h.n))
	}
	s.rest = append(make([]byte, 0, need), p...)
}

// parse handles the whole frames at the front of p, which it changes, and returns how long they are. It stops behind the
// first message if one is set.
func (s *WebSocket) parse(p []byte, one bool, take func(binary bool, p []byte) error) (used int, err error) {
	s.ready = false
	for {
		h, bad, ok := parseHeader(p[used:])
		if bad != "" {
			return used, s.broken(CloseProtocol, bad)
		}
		if !ok {
			return used, nil
		}
		if h.op < OpClose && h.n+uint64(len(s.message)) > uint64(s.max) {
			return used, s.broken(CloseTooLarge, "a message is too large")
		}
		if uint64(len(p)-used-h.size) < h.n {
			return used, nil
		}
		payload := p[used+h.size : used+h.size+int(h.n)]
		ws.Cipher(payload, h.mask, 0)
		used += h.size + int(h.n)
		given, err := s.frame(h, payload, take)
		if err != nil {
			return used, err
		}
		if given && one && used < len(p) {
			s.ready = true
			return used, nil
		}
	}
}

// frame handles one frame; given is whether take was called.
func (s *WebSocket) frame(h header, p []byte, take func(binary bool, p []byte) error) (given bool, err error) {
	switch {
	case h.op == OpPing:
		s.pong, s.pinged = append(s.pong[:0], p...), true
		return false, nil
	case h.op == OpPong:
		return false, nil
	case h.op == OpClose:
		return false, s.closed(p)
	case h.op == opContinuation && s.kind == 0, h.op != opContinuation && s.kind != 0:
		return false, s.broken(CloseProtocol, "fragments are out of order")
	}
	kind := h.op
	if h.op == opContinuation {
		kind = s.kind
	}
	if !h.fin {
		s.message, s.kind = append(s.message, p...), kind
		return false, nil
	}
	if h.op == opContinuation {
		p = append(s.message, p...)
		s.message, s.kind = nil, 0
	}
	if kind == OpText && !utf8.Valid(p) {
		return false, s.broken(CloseBadText, "a text is no UTF-8")
	}
	return true, take(kind == OpBinary, p)
}

// closed answers the far end's close frame.
func (s *WebSocket) closed(p []byte) error {
	if len(p) == 0 {
		s.CloseWith(CloseNormal, "")
		return io.EOF
	}
	if len(p) == 1 || !utf8.Valid(p[2:]) {
		return s.broken(CloseProtocol, "a malformed close frame")
	}
	code := binary.BigEndian.Uint16(p)
	if code < 1000 || code >= 1004 && code <= 1006 || code >= 1015 && code < 3000 || code >= 5000 {
		return s.broken(CloseProtocol, "a close frame with a code that is none")
	}
	s.CloseWith(code, "")
	return io.EOF
}
