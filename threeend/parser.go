package threeend

import (
	"encoding/binary"
	"fmt"
)

// Type is the first byte of a frame.
type Type byte

// The types of frames.
const (
	Display Type = 'd' // output, as a terminal takes it
	View    Type = 'v' // the terminal's size, as COLSxROWS
	Input   Type = 'i' // what was typed into the session
)

// Limits of a frame.
const (
	MaxPayload = 16 << 20 // bytes
	MaxSide    = 1000     // columns, and rows, of a view
	HeaderSize = 5        // bytes: the type, and the payload's length as 4 bytes, big-endian
)

// maxView is the longest payload that may be a view's size.
const maxView = len("1000x1000")

// Handler gets what a Parser finds. An error of its own ends the parsing, and is what Feed returns.
type Handler interface {
	// Data is a piece of the payload of a Display or Input frame, in order, as it came: never empty, borrowed until Data returns.
	Data(t Type, p []byte) error
	// View is the view's size: each side from 1 to MaxSide.
	View(cols, rows int) error
	// Control is the last that comes.
	Control(c Code) error
}

// FormatError says that a stream is not what the protocol allows. Nothing behind it can be understood.
type FormatError struct {
	Offset int64 // of the frame's first byte in the stream
	Reason string
}

// Error says where, and what came instead of what.
func (e *FormatError) Error() string {
	return fmt.Sprintf("not the three-end protocol at byte %d: %s", e.Offset, e.Reason)
}

// Parser cuts what a source sends into frames and controls, however it was split on its way. It holds no payload: pieces
// of Display and Input are handed on as they come. A frame without payload is a frame, of which nothing comes. The zero
// value is ready; it is for one goroutine at a time.
type Parser struct {
	offset int64  // of what is fed next
	frames uint64 // begun
	left   int    // bytes of the payload that are still to come
	kind   Type   // of the frame that has begun
	have   uint8  // bytes of head, or of view, that are there
	head   [HeaderSize]byte
	view   [maxView]byte
	begin  int64 // where the frame began
	over   bool
	err    error
}

// Frames is how many frames have begun: their headers came whole.
func (p *Parser) Frames() uint64 { return p.frames }

// Between reports whether the stream may end here without cutting a frame off.
func (p *Parser) Between() bool { return p.left == 0 && p.have == 0 }

// Ended reports whether a control came: nothing counts behind it.
func (p *Parser) Ended() bool { return p.over }

// Feed takes the next bytes of the stream. It returns a *FormatError where they are not of the protocol, or what the handler
// returned; then again for whatever is fed behind. What follows a control is passed over.
func (p *Parser) Feed(b []byte, h Handler) error {
	for len(b) > 0 && !p.over && p.err == nil {
		n := 0
		if p.left > 0 {
			n, p.err = p.payload(b, h)
		} else {
			n, p.err = p.header(b, h)
		}
		b = b[n:]
		p.offset += int64(n)
	}
	return p.err
}

// header takes what b begins with of a header, or a control.
func (p *Parser) header(b []byte, h Handler) (int, error) {
	if p.have == 0 {
		p.begin = p.offset
		if err := p.kindOf(b[0], h); err != nil || p.over {
			return 1, err
		}
		if len(b) >= HeaderSize {
			return HeaderSize, p.start(binary.BigEndian.Uint32(b[1:HeaderSize]))
		}
	}
	n := copy(p.head[p.have:], b)
	if p.have += uint8(n); p.have < HeaderSize {
		return n, nil
	}
	p.have = 0
	return n, p.start(binary.BigEndian.Uint32(p.head[1:]))
}

// kindOf takes the first byte of a frame, or a control.
func (p *Parser) kindOf(b byte, h Handler) error {
	switch b {
	case byte(Display), byte(View), byte(Input):
		p.kind = Type(b)
		return nil
	case byte(Kicked), byte(Over):
		p.over = true
		return h.Control(Code(b))
	}
	return p.wrong(fmt.Sprintf("%q (0x%02x) is no type of a frame (d, v or i) and no control (3 or 5)", b, b))
}

func (p *Parser) start(length uint32) error {
	p.frames++
	if length > MaxPayload {
		return p.wrong(fmt.Sprintf("a frame of type %c with %d bytes: at most %d are allowed", p.kind, length, MaxPayload))
	}
	if p.kind == View && length > uint32(maxView) {
		return p.wrong(fmt.Sprintf("a view's size of %d bytes: COLSxROWS was expected, each at most %d", length, MaxSide))
	}
	p.left = int(length)
	return nil
}

// payload takes what b begins with of a payload.
func (p *Parser) payload(b []byte, h Handler) (int, error) {
	b = b[:min(len(b), p.left)]
	p.left -= len(b)
	if p.kind != View {
		return len(b), h.Data(p.kind, b)
	}
	copy(p.view[p.have:], b)
	if p.have += uint8(len(b)); p.left > 0 {
		return len(b), nil
	}
	text := p.view[:p.have]
	p.have = 0
	cols, rows, ok := parseView(text)
	if !ok {
		return len(b), p.wrong(fmt.Sprintf("%q is no view's size: COLSxROWS was expected, each from 1 to %d", text, MaxSide))
	}
	return len(b), h.View(cols, rows)
}

func (p *Parser) wrong(reason string) error { return &FormatError{Offset: p.begin, Reason: reason} }

func parseView(text []byte) (cols, rows int, ok bool) {
	cols, text, ok = side(text)
	if !ok || len(text) == 0 || text[0] != 'x' {
		return 0, 0, false
	}
	rows, text, ok = side(text[1:])
	return cols, rows, ok && len(text) == 0
}

// side takes a number from 1 to MaxSide, written as numbers are, from the beginning of text.
func side(text []byte) (n int, rest []byte, ok bool) {
	for len(text) > 0 && text[0] >= '0' && text[0] <= '9' && n <= MaxSide {
		n = n*10 + int(text[0]-'0')
		if text = text[1:]; n == 0 {
			return 0, nil, false
		}
	}
	return n, text, n >= 1 && n <= MaxSide
}
