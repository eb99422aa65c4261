package frame

import (
	"bytes"
	"encoding/binary"
)

// jt808Cutter cuts the messages of JT/T 808, of 2011 to 2019: between 7e and 7e, with 7d as the escape; or between e7 and e7.
type jt808Cutter struct{ limit int }

// Messages that something is known of.
const (
	jt808Answer       = 0x0001 // of the device, to any command
	jt808Beat         = 0x0002
	jt808Register     = 0x0100
	jt808Authenticate = 0x0102
	jt808Reply        = 0x8001
	jt808Registered   = 0x8100
)

// jt808Form is how messages are written.
type jt808Form struct {
	delimiter byte
	escapes   [2][2]byte // and what follows them, for the bytes of plain
	plain     [2]byte
	more      [2][2]byte // what the e7 form escapes as well
	morePlain [2]byte
}

var jt808Forms = [2]jt808Form{
	{delimiter: 0x7e, escapes: [2][2]byte{{0x7d, 2}, {0x7d, 1}}, plain: [2]byte{0x7e, 0x7d},
		more: [2][2]byte{{0x7d, 2}, {0x7d, 1}}, morePlain: [2]byte{0x7e, 0x7d}},
	{delimiter: 0xe7, escapes: [2][2]byte{{0xe6, 2}, {0xe6, 1}}, plain: [2]byte{0xe7, 0xe6},
		more: [2][2]byte{{0x3e, 2}, {0x3e, 1}}, morePlain: [2]byte{0x3d, 0x3e}},
}

func (jt808Cutter) begins(p []byte) answer {
	if p[0] == 0x7e || p[0] == 0xe7 {
		return yes
	}
	return no
}

func (c jt808Cutter) cut(p []byte, w *work) int {
	form := &jt808Forms[0]
	switch p[0] {
	case 0x7e:
	case 0xe7:
		form = &jt808Forms[1]
	default:
		return c.startless(p, w)
	}
	if len(p) < 2 {
		return w.more(2)
	}
	if p[1] == form.delimiter { // the first is the end of a message whose beginning is lost
		return w.junk(p, 1)
	}
	from := max(1, w.scan)
	i := -1
	if end := min(len(p), c.limit); from < end {
		i = bytes.IndexByte(p[from:end], form.delimiter)
	}
	if i < 0 {
		return w.tooLong(p, c.limit)
	}
	i += from
	content := form.read(p[1:i:i], w)
	c.know(content, form, w)
	w.m.Data = content
	return i + 1
}

// startless cuts what does not begin with a delimiter: junk, or a message whose start was the end of the one before it.
func (c jt808Cutter) startless(p []byte, w *work) int {
	if i := bytes.IndexByte(p[:min(len(p), maxJunk)], 0x7e); i > 0 && bytes.IndexByte(p[:i], 0xe7) < 0 {
		if content := jt808Forms[0].read(p[:i:i], w); w.offset > 0 && len(content) > 12 && xorSum(content) == 0 {
			c.know(content, &jt808Forms[0], w)
			w.m.Data = content
			return i + 1
		}
	}
	return w.seek(p, c.begins)
}

// read is p without escapes: p itself if it has none.
func (f *jt808Form) read(p []byte, w *work) []byte {
	i := f.escaped(p)
	if i < 0 {
		return p
	}
	b := w.plain[:0]
	for i >= 0 {
		b = append(b, p[:i]...)
		n := 1
		c := p[i]
		if i+1 < len(p) {
			for k, e := range f.escapes {
				if [2]byte(p[i:i+2]) == e {
					c, n = f.plain[k], 2
				}
			}
			for k, e := range f.more {
				if [2]byte(p[i:i+2]) == e {
					c, n = f.morePlain[k], 2
				}
			}
		}
		b = append(b, c)
		p = p[i+n:]
		i = f.escaped(p)
	}
	w.plain = append(b, p...)
	return w.plain
}

// escaped is where an escape may be, or -1.
func (f *jt808Form) escaped(p []byte) int {
	i := bytes.IndexByte(p, f.escapes[0][0])
	if f.more[0][0] != f.escapes[0][0] {
		end := len(p)
		if i >= 0 {
			end = i
		}
		if k := bytes.IndexByte(p[:end], f.more[0][0]); k >= 0 {
			return k
		}
	}
	return i
}

// write appends p with escapes.
func (f *jt808Form) write(b, p []byte) []byte {
	if bytes.IndexByte(p, f.plain[0]) < 0 && bytes.IndexByte(p, f.plain[1]) < 0 && bytes.IndexByte(p, f.morePlain[0]) < 0 && bytes.IndexByte(p, f.morePlain[1]) < 0 {
		return append(b, p...)
	}
	for _, c := range p {
		switch c {
		case f.plain[0]:
			b = append(b, f.escapes[0][0], f.escapes[0][1])
		case f.plain[1]:
			b = append(b, f.escapes[1][0], f.escapes[1][1])
		case f.morePlain[0]:
			b = append(b, f.more[0][0], f.more[0][1])
		case f.morePlain[1]:
			b = append(b, f.more[1][0], f.more[1][1])
		default:
			b = append(b, c)
		}
	}
	return b
}

// jt808Header is what stands before a message's body.
type jt808Header struct {
	id, attributes uint16
	version        byte
	phone          []byte
	serial         []byte
	body           []byte
}

const jt808Versioned, jt808Parts = 0x4000, 0x2000

// readJT808 reads a message without its delimiters, escapes and check byte.
func readJT808(p []byte) (h jt808Header, whole bool) {
	if len(p) < 12 {
		return h, false
	}
	h.id, h.attributes = binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
	p = p[4:]
	phone := 6
	if h.attributes&jt808Versioned != 0 {
		h.version, p = p[0], p[1:]
		phone = 10
	}
	if len(p) < phone+2 {
		return h, false
	}
	h.phone, h.serial, h.body = p[:phone], p[phone:phone+2:phone+2], p[phone+2:]
	if h.attributes&jt808Parts != 0 {
		if len(h.body) < 4 {
			return h, false
		}
		h.body = h.body[4:]
	}
	return h, true
}

func (jt808Cutter) know(content []byte, form *jt808Form, w *work) {
	if len(content) < 13 || xorSum(content) != 0 {
		w.m.Flags |= BadCheck
		return
	}
	h, whole := readJT808(content[:len(content)-1])
	if !whole || len(h.body) != int(h.attributes&0x3ff) {
		w.m.Flags |= BadLength
	}
	if !whole {
		return
	}
	// The same telephone number is 12 digits in one version and 20 in the other: zeros before it do not count.
	digits := appendDigits(w.names[:0], h.phone)
	w.names = digits
	w.name = bytes.TrimLeft(digits[:len(digits)-1], "0")
	w.name = digits[len(digits)-1-len(w.name):]
	switch h.id {
	case jt808Answer, 0x0104, 0x0201, 0x0500, 0x0700, 0x0802, 0x0805:
		if len(h.body) >= 2 {
			w.m.Ack = h.body[:2:2]
		}
		return
	case 0x0107, 0x0302:
		return // answers that nobody answers to
	case jt808Register:
		w.m.Kind = Registration
	case jt808Authenticate:
		w.m.Kind = Registration
	case jt808Beat:
		w.m.Kind = Heartbeat
	}
	w.answer(form.reply(w.reply[:0], &h, w.name, w.serial, jt808Fine))
	switch h.id {
	case jt808Register:
		w.refuse(form.reply(w.refusal[:0], &h, nil, w.serial, jt808NotKnown))
	case jt808Authenticate:
		w.refuse(form.reply(w.refusal[:0], &h, nil, w.serial, jt808Failed))
	}
	w.serial++
}

// Results that replies have.
const jt808Fine, jt808Failed, jt808NotKnown = 0, 1, 4

// reply appends the platform's reply to a message: to a registration, the code with which the device is to authenticate itself, or none
// if it is refused; to others, a general one.
func (f *jt808Form) reply(to []byte, h *jt808Header, code []byte, serial uint16, result byte) []byte {
	var plain [128]byte
	b := plain[:0]
	id, size := uint16(jt808Reply), 5
	if h.id == jt808Register {
		id, size = jt808Registered, 3+len(code)
	}
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, uint16(size)|h.attributes&jt808Versioned)
	if h.attributes&jt808Versioned != 0 {
		b = append(b, h.version)
	}
	b = append(b, h.phone...)
	b = binary.BigEndian.AppendUint16(b, serial)
	b = append(b, h.serial...)
	if h.id == jt808Register {
		b = append(b, result)
		b = append(b, code...)
	} else {
		b = binary.BigEndian.AppendUint16(b, h.id)
		b = append(b, result)
	}
	b = append(b, xorSum(b))
	return append(f.write(append(to, f.delimiter), b), f.delimiter)
}

// jt808Sequence is the serial number of a command, which its answer has as well.
func jt808Sequence(p []byte) []byte {
	for i := range jt808Forms {
		f := &jt808Forms[i]
		if len(p) < 2 || p[0] != f.delimiter || p[len(p)-1] != f.delimiter {
			continue
		}
		var w work
		if h, whole := readJT808(f.read(p[1:len(p)-1], &w)); whole {
			return h.serial
		}
	}
	return nil
}
