package frame

import (
	"bytes"
	"encoding/binary"
)

// gt06Cutter cuts the messages of GT06 and of Concox: 7878, a length of one byte, a type, content, a serial number, CRC-16/X25
// and 0d0a; or 7979 and a length of two bytes.
type gt06Cutter struct{ limit int }

// Types of messages that something is known of.
const (
	gt06Login     = 0x01
	gt06Status    = 0x13
	gt06Heartbeat = 0x23
	gt06Answer    = 0x15 // to a command, of devices that say so in 7878
	gt06AnswerExt = 0x21 // and of those that say so in 7979
	gt06Command   = 0x80
)

var gt06End = []byte("\r\n")

func (gt06Cutter) begins(p []byte) answer {
	switch {
	case p[0] != 0x78 && p[0] != 0x79:
		return no
	case len(p) < 2:
		return unsure
	case p[1] != p[0]:
		return no
	}
	return yes
}

// header tells where the type stands, and how long the message says it is. p has five bytes.
func (gt06Cutter) header(p []byte) (at, n int) {
	if p[0] == 0x78 {
		return 3, int(p[2]) + 5
	}
	return 4, int(binary.BigEndian.Uint16(p[2:])) + 6
}

func (c gt06Cutter) cut(p []byte, w *work) int {
	switch c.begins(p) {
	case no:
		return w.seek(p, c.begins)
	case unsure:
		return w.more(2)
	}
	if len(p) < 5 {
		return w.more(5)
	}
	at, n := c.header(p)
	if n < at+7 || n > c.limit {
		return c.fallback(p, w)
	}
	if len(p) < n {
		if w.final {
			return c.fallback(p, w)
		}
		return w.more(n)
	}
	if p[n-2] != '\r' || p[n-1] != '\n' {
		return c.fallback(p, w)
	}
	if !c.sound(p[:n]) {
		w.m.Flags |= BadCheck
	}
	c.know(p[:n], at, w)
	return w.message(p, n)
}

// sound reports whether the check sum of a message, and its end, are right.
func (gt06Cutter) sound(p []byte) bool {
	n := len(p)
	return p[n-2] == '\r' && p[n-1] == '\n' && crcX25(p[2:n-4]) == binary.BigEndian.Uint16(p[n-4:])
}

// fallback ends a message, whose length is wrong, at the first 0d0a: of devices that count in another way there are many. If a
// sound message ends there, this one ended before it.
func (c gt06Cutter) fallback(p []byte, w *work) int {
	limit := min(len(p), c.limit, maxJunk)
	i := bytes.Index(p[2:limit], gt06End)
	if i < 0 {
		if limit < len(p) || limit == min(c.limit, maxJunk) {
			return w.flagged(p, limit-1, BadLength)
		}
		if w.final {
			return 0
		}
		return w.more(len(p) + 1)
	}
	n := i + 4
	for j := 2; j < n; j++ {
		if c.begins(p[j:]) != yes { // what is there ends with 0d0a: no beginning
			continue
		}
		if j+5 > len(p) {
			if w.final {
				break
			}
			return w.more(j + 5)
		}
		at, size := c.header(p[j:])
		if size < at+7 || j+size > maxJunk {
			continue
		}
		if j+size > len(p) {
			if w.final {
				continue
			}
			return w.more(j + size)
		}
		if c.sound(p[j : j+size]) {
			return w.flagged(p, j, BadLength)
		}
	}
	w.m.Flags |= BadLength
	if at, _ := c.header(p); n >= at+3 {
		c.know(p[:n], at, w)
	}
	return w.message(p, n)
}

// know tells what a message is. What is flagged gets no reply, and where the check sum is
// wrong it says who the device is only if the IMEI's check digit is right.
func (gt06Cutter) know(p []byte, at int, w *work) {
	n := len(p)
	kind, sound := p[at], w.m.Flags == 0
	switch kind {
	case gt06Login:
		if n < at+9+2 {
			return
		}
		digits := appendDigits(w.names[:0], p[at+1:at+9])
		w.names = digits
		if digits[0] == '0' {
			digits = digits[1:]
		}
		counted := w.m.Flags == BadLength && isDigits(digits) && len(digits) == imeiDigits
		if sound || counted || luhn(digits) {
			w.m.Kind = Registration
			w.name = digits
		}
	case gt06Status, gt06Heartbeat:
		w.m.Kind = Heartbeat
	case gt06Answer:
		if sound && p[0] == 0x78 && n >= 15 {
			w.m.Ack = p[5:9:9]
		}
		return
	case gt06AnswerExt:
		if sound && p[0] == 0x79 && n >= 15 {
			w.m.Ack = p[5:9:9]
		}
		return
	default:
		return
	}
	if !sound {
		return
	}
	b := append(w.reply[:0], 0x78, 0x78, 5, kind, p[n-6], p[n-5])
	b = binary.BigEndian.AppendUint16(b, crcX25(b[2:]))
	w.answer(append(b, gt06End...))
}

// gt06Sequence is the server flag of a command, which its answer has as well.
func gt06Sequence(p []byte) []byte {
	if len(p) >= 15 && p[0] == 0x78 && p[1] == 0x78 && p[3] == gt06Command {
		return p[5:9:9]
	}
	return nil
}
