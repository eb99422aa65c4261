package capture

import (
	"encoding/binary"
	"io"
	"net/netip"
	"strings"
)

// Blocks of pcapng, and their options.
const (
	blockSection    = 0x0A0D0D0A
	blockInterface  = 1
	blockOldPacket  = 2
	blockSimple     = 3
	blockNames      = 4
	blockStatistics = 5
	blockPacket     = 6

	byteOrder = 0x1A2B3C4D

	optComment     = 1
	optName        = 2
	optFlags       = 2
	optApplication = 4
	optReceived    = 4 // of statistics: packets
	optResolution  = 9
	optOffset      = 14

	nameIPv4, nameIPv6 = 1, 2

	maxComment = 4096 // bytes
)

// About is what a capture file says of itself.
type About struct {
	Program   string // that wrote it
	Comment   string // for people
	Interface string // a name for where the packets passed
	Names     map[netip.Addr]string
}

// Writer writes a capture file of one interface: pcapng, little-endian, packets of raw IP with times in µs. It keeps the first
// error of what it writes to; Close returns it.
type Writer struct {
	out     io.Writer
	buf     []byte
	err     error
	packets uint64
	comment string // goes with the next packet
}

// NewWriter begins a file.
func NewWriter(out io.Writer, about About) *Writer {
	w := &Writer{out: out}
	le := binary.LittleEndian
	b := w.begin(blockSection)
	b = le.AppendUint32(b, byteOrder)
	b = le.AppendUint32(b, 1) // version 1.0
	b = le.AppendUint64(b, ^uint64(0))
	b = appendText(b, optComment, about.Comment)
	b = appendText(b, optApplication, about.Program)
	w.end(appendOption(b, 0, nil))

	b = w.begin(blockInterface)
	b = le.AppendUint32(b, uint32(linkRaw))
	b = le.AppendUint32(b, 0) // packets of any length
	b = appendText(b, optName, about.Interface)
	b = appendOption(b, optResolution, []byte{6})
	w.end(appendOption(b, 0, nil))

	if len(about.Names) > 0 {
		w.names(about.Names)
	}
	return w
}

func (w *Writer) names(names map[netip.Addr]string) {
	b := w.begin(blockNames)
	for addr, name := range names {
		name = strings.ReplaceAll(cut(name, 255), "\x00", "")
		if name == "" {
			continue
		}
		kind := uint16(nameIPv6)
		if addr.Is4() {
			kind = nameIPv4
		}
		b = appendOption(b, kind, append(append(addr.AsSlice(), name...), 0))
	}
	b = appendOption(b, 0, nil) // of the records
	w.end(b)
}

// Comment goes with the next packet, for people.
func (w *Writer) Comment(text string) {
	if w.comment != "" {
		text = w.comment + "\n" + text
	}
	w.comment = cut(text, maxComment)
}

// Close ends the file at a time, Unix µs. It does not close what was written to.
func (w *Writer) Close(at int64) error {
	le := binary.LittleEndian
	b := w.begin(blockStatistics)
	b = le.AppendUint32(b, 0)
	b = appendTime(b, at)
	b = appendText(b, optComment, w.comment)
	b = appendOption(b, optReceived, le.AppendUint64(nil, w.packets))
	w.end(appendOption(b, 0, nil))
	return w.err
}

// beginPacket begins a block for a packet, which endPacket completes.
func (w *Writer) beginPacket(at int64) []byte {
	b := appendTime(append(w.begin(blockPacket), 0, 0, 0, 0), at)
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0) // lengths
}

const packetAt = 28 // where a packet begins in its block

// endPacket writes a block. What the client says came in, what the server says went out.
func (w *Writer) endPacket(b []byte, from Side) {
	le := binary.LittleEndian
	n := uint32(len(b) - packetAt)
	le.PutUint32(b[20:], n)
	le.PutUint32(b[24:], n)
	b = pad(b)
	b = appendText(b, optComment, w.comment)
	b = appendOption(b, optFlags, []byte{1 + byte(from), 0, 0, 0})
	w.comment = ""
	w.packets++
	w.end(appendOption(b, 0, nil))
}

// begin begins a block in the buffer; end completes and writes it.
func (w *Writer) begin(kind uint32) []byte {
	return append(binary.LittleEndian.AppendUint32(w.buf[:0], kind), 0, 0, 0, 0)
}

func (w *Writer) end(b []byte) {
	le := binary.LittleEndian
	n := uint32(len(b) + 4)
	le.PutUint32(b[4:], n)
	w.buf = le.AppendUint32(b, n)
	if w.err == nil {
		_, w.err = w.out.Write(w.buf)
	}
}

// appendTime appends a time of µs as two words, the upper one first.
func appendTime(b []byte, at int64) []byte {
	le := binary.LittleEndian
	return le.AppendUint32(le.AppendUint32(b, uint32(uint64(at)>>32)), uint32(at))
}

func appendText(b []byte, code uint16, text string) []byte {
	if text == "" {
		return b
	}
	return appendOption(b, code, []byte(cut(text, maxComment)))
}

func appendOption(b []byte, code uint16, value []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(b, code)
	b = le.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...))
}

// pad appends zeros up to a whole word: all that stands before in a block has whole words.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// cut is text of at most n bytes, of valid UTF-8.
func cut(text string, n int) string {
	if len(text) > n {
		text = text[:n]
	}
	return strings.ToValidUTF8(text, "")
}
