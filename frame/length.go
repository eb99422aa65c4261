package frame

import (
	"bytes"
	"encoding/binary"
)

// lengthCutter cuts messages that say how long they are.
type lengthCutter struct {
	offset, width, adjust int
	little                bool
	sync                  []byte
	check                 *check // nil, or with sync: if it fails, the length may be wrong
	limit                 int
}

func (c *lengthCutter) begins(p []byte) answer {
	if len(c.sync) == 0 {
		return yes
	}
	return startsWith(p, c.sync)
}

func (c *lengthCutter) cut(p []byte, w *work) int {
	switch c.begins(p) {
	case no:
		return w.seekBytes(p, c.sync)
	case unsure:
		return w.more(len(c.sync))
	}
	head := c.offset + c.width
	if len(p) < head {
		return w.more(head)
	}
	n := c.length(p)
	if n < max(head, 1) {
		return c.wrong(p, w, head, BadLength)
	}
	if n > c.limit {
		if len(c.sync) > 0 {
			return c.wrong(p, w, head, BadLength)
		}
		if len(p) < c.limit {
			return w.more(c.limit)
		}
		return w.flagged(p, c.limit, BadLength|TooLong)
	}
	if len(p) < n {
		return w.more(n)
	}
	if c.check != nil && !c.check.holds(p[:n]) {
		// What follows tells whether the length was right. A message that is not whole is worth waiting for that.
		switch startsWith(p[n:], c.sync) {
		case no:
			return c.wrong(p, w, n, BadCheck)
		case unsure:
			if !w.final {
				return w.more(n + len(c.sync))
			}
		}
		return w.flagged(p, n, BadCheck)
	}
	return w.message(p, n)
}

// length is how many bytes the message has by what it says, or -1 if that is more than messages ever have.
func (c *lengthCutter) length(p []byte) int {
	field := p[c.offset:]
	var v uint64
	switch {
	case c.width == 1:
		v = uint64(field[0])
	case c.width == 2 && c.little:
		v = uint64(binary.LittleEndian.Uint16(field))
	case c.width == 2:
		v = uint64(binary.BigEndian.Uint16(field))
	case c.width == 4 && c.little:
		v = uint64(binary.LittleEndian.Uint32(field))
	case c.width == 4:
		v = uint64(binary.BigEndian.Uint32(field))
	default:
		for i := range c.width {
			if c.little {
				v |= uint64(field[i]) << (8 * i)
			} else {
				v = v<<8 | uint64(field[i])
			}
		}
	}
	if v > 1<<40 {
		v = 1 << 40
	}
	return int(v) + c.adjust + c.offset + c.width
}

// wrong makes a message of what has no right length: up to where the next begins, or of all that it says to have.
func (c *lengthCutter) wrong(p []byte, w *work, n int, flags Flags) int {
	if len(c.sync) == 0 {
		return w.flagged(p, max(n, 1), flags)
	}
	if i := bytes.Index(p[1:min(len(p), maxJunk)], c.sync); i >= 0 {
		return w.flagged(p, i+1, flags|BadLength)
	}
	if len(p) >= maxJunk {
		return w.flagged(p, maxJunk-len(c.sync)+1, flags|BadLength)
	}
	if w.final {
		return w.flagged(p, len(p), flags|BadLength)
	}
	return w.more(len(p) + 1)
}

// seekBytes says that p begins with junk, which goes up to the next start.
func (w *work) seekBytes(p, start []byte) int {
	if i := bytes.Index(p[1:min(len(p), maxJunk)], start); i >= 0 {
		return w.junk(p, i+1)
	}
	if len(p) >= maxJunk {
		return w.junk(p, maxJunk-len(start)+1)
	}
	if w.final {
		return w.junk(p, len(p))
	}
	return w.more(len(p) + 1)
}
