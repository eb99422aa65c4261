package transport

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
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
	maxControl     = 125 // bytes of a close frame, a ping or a pong
	maxServerFrame = 10  // bytes of its header at most
)

// AppendFrame appends a whole message as one frame of a server, which is not masked. What is not text or binary may
// have 125 bytes.
func AppendFrame(b []byte, op Op, p []byte) []byte {
	b = slices.Grow(b, maxServerFrame+len(p))
	return append(AppendFrameHeader(b, op, len(p)), p...)
}

// AppendFrameHeader appends what stands in front of n bytes.
func AppendFrameHeader(b []byte, op Op, n int) []byte {
	first := 0x80 | byte(op)
	switch {
	case n < 126:
		return append(b, first, byte(n))
	case n < 1<<16:
		return append(b, first, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, first, 127), uint64(n))
}

// frameWalk follows frames of a server as their bytes go by, in pieces of any size.
type frameWalk struct {
	head    [maxServerFrame]byte
	have    int // bytes of head
	left    int // bytes of the payload
	message bool
}

// payload is how many of the next bytes are payload of messages.
func (w *frameWalk) payload(p []byte) (n int) {
	for len(p) > 0 {
		if w.left > 0 {
			step := min(w.left, len(p))
			if w.message {
				n += step
			}
			w.left, p = w.left-step, p[step:]
			continue
		}
		w.head[w.have] = p[0]
		w.have, p = w.have+1, p[1:]
		w.begin()
	}
	return n
}

// begin begins the payload if the header is whole.
func (w *frameWalk) begin() {
	switch short := w.head[1]; {
	case w.have < 2, short == 126 && w.have < 4, short == 127 && w.have < 10:
		return
	case short == 127:
		w.left = int(binary.BigEndian.Uint64(w.head[2:]))
	case short == 126:
		w.left = int(binary.BigEndian.Uint16(w.head[2:]))
	default:
		w.left = int(short)
	}
	w.have, w.message = 0, Op(w.head[0]&0x0f) < OpClose
}

// AppendClose appends a close frame. A reason that is too long is cut between characters.
func AppendClose(b []byte, code uint16, reason string) []byte {
	if n := maxControl - 2; len(reason) > n {
		for n > 0 && !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	b = AppendFrameHeader(b, OpClose, 2+len(reason))
	b = binary.BigEndian.AppendUint16(b, code)
	return append(b, reason...)
}

// frameHeader is what stands in front of a client's payload.
type frameHeader struct {
	fin  bool
	op   Op
	mask [4]byte
	size int    // of the header itself
	n    uint64 // bytes of payload
}

// parse reads the header of a client's frame. Bad is what is wrong with it, which may show before it is whole.
func (h *frameHeader) parse(p []byte) (whole bool, bad string) {
	h.size, h.n = 0, 0
	if len(p) < 2 {
		return false, ""
	}
	h.fin, h.op, h.size, h.n = p[0]&0x80 != 0, Op(p[0]&0x0f), 6, uint64(p[1]&0x7f)
	switch {
	case p[0]&0x70 != 0:
		return false, "reserved bits are set"
	case p[1]&0x80 == 0:
		return false, "a frame is not masked"
	case h.op > OpBinary && h.op < OpClose || h.op > OpPong:
		return false, "an unknown kind of frame"
	case h.op >= OpClose && (!h.fin || h.n > maxControl):
		return false, "a control frame is long or in fragments"
	}
	switch h.n {
	case 126:
		h.size = 8
	case 127:
		h.size = 14
	}
	if len(p) < h.size {
		return false, ""
	}
	switch h.size {
	case 8:
		h.n = uint64(binary.BigEndian.Uint16(p[2:]))
	case 14:
		h.n = binary.BigEndian.Uint64(p[2:])
	}
	h.mask = [4]byte(p[h.size-4:])
	if h.n>>63 != 0 {
		return false, "a frame of impossible length"
	}
	return true, ""
}
