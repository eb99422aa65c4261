package export

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/session"
)

// ALiS is how asciinema streams what a terminal shows: each message of a WebSocket is a frame, behind AlisMagic. Numbers are
// unsigned LEB128, a text is its length and UTF-8. See https://docs.asciinema.org/manual/server/streaming/ and AlisProtocol.
const (
	AlisMagic    = "ALiS\x01"
	AlisProtocol = "v1.alis" // the WebSocket's subprotocol
)

// AlisKind is the first byte of a frame.
type AlisKind byte

const (
	AlisInit   AlisKind = 0x01 // the terminal begins, or begins anew, with a size and what brings it into its state
	AlisEnd    AlisKind = 0x04 // nothing more comes until the next AlisInit
	AlisInput  AlisKind = 'i'
	AlisMarker AlisKind = 'm'
	AlisOutput AlisKind = 'o'
	AlisResize AlisKind = 'r'
	AlisExit   AlisKind = 'x'
)

// AlisFrame is one frame. What a kind does not have is zero.
type AlisFrame struct {
	Kind   AlisKind
	ID     uint64 // one more for each event, from 1; of AlisInit the last one that its text holds
	Time   uint64 // µs since the frame before; of AlisInit since the stream's start
	Size   session.Size
	Theme  []byte // of AlisInit: nothing, or foreground, background, and 8 or 16 colours, 3 bytes each
	Text   string
	Status uint64 // of AlisExit
}

// Append appends the frame's bytes.
func (f *AlisFrame) Append(b []byte) []byte {
	b = append(b, byte(f.Kind))
	if f.Kind == AlisEnd {
		return binary.AppendUvarint(b, f.Time)
	}
	b = binary.AppendUvarint(binary.AppendUvarint(b, f.ID), f.Time)
	switch f.Kind {
	case AlisInit:
		b = appendSize(b, f.Size)
		b = append(b, byte(max(len(f.Theme)/3-2, 0)))
		return appendAlisText(append(b, f.Theme...), f.Text)
	case AlisResize:
		return appendSize(b, f.Size)
	case AlisExit:
		return binary.AppendUvarint(b, f.Status)
	}
	return appendAlisText(b, f.Text)
}

func appendSize(b []byte, size session.Size) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(size.Cols)), uint64(size.Rows))
}

func appendAlisText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// Errors of ParseAlis.
var (
	ErrAlisKind = errors.New("a frame of ALiS of a kind that is not known") // it may be passed over
	ErrAlis     = errors.New("malformed frame of ALiS")
)

// ParseAlis reads what Append wrote. Of AlisEnd it takes the id as well that producers send.
func ParseAlis(b []byte) (f AlisFrame, err error) {
	if len(b) == 0 {
		return f, ErrAlis
	}
	f.Kind = AlisKind(b[0])
	r := alisReader{rest: b[1:]}
	switch f.Kind {
	case AlisEnd:
		if f.Time = r.number(); len(r.rest) > 0 {
			f.ID, f.Time = f.Time, r.number()
		}
	case AlisInit:
		f.ID, f.Time = r.number(), r.number()
		f.Size = r.size()
		switch colours := r.bytes(1); {
		case r.bad || colours[0] == 0:
		case colours[0] == 8 || colours[0] == 16:
			f.Theme = r.bytes(uint64(colours[0]+2) * 3)
		default:
			r.bad = true
		}
		f.Text = r.text()
	case AlisOutput, AlisInput, AlisMarker:
		f.ID, f.Time = r.number(), r.number()
		f.Text = r.text()
	case AlisResize:
		f.ID, f.Time = r.number(), r.number()
		f.Size = r.size()
	case AlisExit:
		f.ID, f.Time, f.Status = r.number(), r.number(), r.number()
	default:
		return f, fmt.Errorf("%w: 0x%02x", ErrAlisKind, byte(f.Kind))
	}
	if r.bad || len(r.rest) > 0 {
		return AlisFrame{}, ErrAlis
	}
	return f, nil
}

// alisReader takes parts of a frame off its beginning, until one is not there.
type alisReader struct {
	rest []byte
	bad  bool
}

func (r *alisReader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *alisReader) bytes(n uint64) []byte {
	if uint64(len(r.rest)) < n {
		r.bad, r.rest = true, nil
		return nil
	}
	part := r.rest[:n:n]
	r.rest = r.rest[n:]
	return part
}

func (r *alisReader) text() string {
	text := string(r.bytes(r.number()))
	r.bad = r.bad || !utf8.ValidString(text)
	return text
}

func (r *alisReader) size() session.Size {
	cols, rows := r.number(), r.number()
	size := session.Size{Cols: int(min(cols, 1<<20)), Rows: int(min(rows, 1<<20))}
	r.bad = r.bad || !size.Valid()
	return size
}
