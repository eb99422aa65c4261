package transport

import (
	"encoding/binary"
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// parse handles the whole frames at the front of p, which it changes, and returns how long they are. It stops early,
// when there may be more, for an error of take, and behind the first message if one is set.
func (s *WebSocket) parse(p []byte, one bool, take func(binary bool, p []byte) error) (n int, more bool, err error) {
	var h frameHeader
	for {
		whole, bad := h.parse(p[n:])
		if bad != "" {
			return n, false, s.broken(CloseProtocol, bad)
		}
		if !whole {
			return n, false, nil
		}
		if err := s.refuse(&h); err != nil {
			return n, false, err
		}
		begin := n + h.size
		if uint64(len(p)-begin) < h.n {
			return n, false, nil
		}
		n = begin + int(h.n)
		payload := p[begin:n]
		ws.Cipher(payload, h.mask, 0)
		if h.op >= OpClose {
			if err := s.control(h.op, payload); err != nil {
				return n, false, err
			}
			continue
		}
		message, kind, whole := s.assemble(&h, payload)
		if !whole {
			continue
		}
		if kind == OpText && !utf8.Valid(message) {
			return n, false, s.broken(CloseBadText, "a text is no UTF-8")
		}
		if err := take(kind == OpBinary, message); err != nil || one {
			return n, true, err
		}
	}
}

// refuse says what is wrong with a frame at this place, before room is made for it.
func (s *WebSocket) refuse(h *frameHeader) error {
	switch {
	case h.op >= OpClose:
		return nil
	case h.op == opContinuation && s.kind == 0, h.op != opContinuation && s.kind != 0:
		return s.broken(CloseProtocol, "fragments are out of order")
	case h.n > uint64(s.max-len(s.message)):
		return s.broken(CloseTooLarge, "a message is too large")
	}
	return nil
}

// assemble returns the message that the payload of a frame completes, and its kind.
func (s *WebSocket) assemble(h *frameHeader, payload []byte) (message []byte, kind Op, whole bool) {
	if h.fin && s.kind == 0 {
		return payload, h.op, true
	}
	if s.kind == 0 {
		s.kind = h.op
	}
	s.message = append(grow(s.message, len(payload), s.max), payload...)
	if !h.fin {
		return nil, 0, false
	}
	message, kind = s.message, s.kind
	s.message, s.kind = nil, 0
	return message, kind, true
}

func (s *WebSocket) control(op Op, p []byte) error {
	switch op {
	case OpPing:
		s.ping = append(make([]byte, 0, maxControl), p...)
	case OpClose:
		return s.closed(p)
	}
	return nil
}

// closed answers the far end's close frame (section 5.5.1).
func (s *WebSocket) closed(p []byte) error {
	if len(p) == 0 {
		s.goodbye = true
		s.CloseWith(CloseNormal, "")
		return s.over(io.EOF)
	}
	if len(p) == 1 {
		return s.broken(CloseProtocol, "half a close code")
	}
	code := binary.BigEndian.Uint16(p)
	switch {
	case code < 1000 || code >= 1004 && code <= 1006 || code >= 1015 && code < 3000 || code >= 5000:
		return s.broken(CloseProtocol, "a close code that is none")
	case !utf8.Valid(p[2:]):
		return s.broken(CloseBadText, "a reason that is no UTF-8")
	}
	s.goodbye = true
	s.CloseWith(code, "")
	return s.over(io.EOF)
}

// broken says goodbye for what the far end did, and is the error of that.
func (s *WebSocket) broken(code uint16, reason string) error {
	s.CloseWith(code, reason)
	return s.over(&CloseError{Code: code, Reason: reason})
}
