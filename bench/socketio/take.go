//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// A message is printable, so that no server has to escape it:
//
//	0   "=message"
//	8   its number, 8 letters of 4 bits each
//	16  when it was said, 16 letters
//	32  filler
//	-8  its number again, every letter mirrored: proof that the message is whole
const (
	markWord   = uint64('=') | 'm'<<8 | 'e'<<16 | 's'<<24 | 's'<<32 | 'a'<<40 | 'g'<<48 | 'e'<<56
	letters    = 0x6161616161616161 // 'a' in every byte
	mirror     = 0xd1d1d1d1d1d1d1d1 // 'a'+'p' in every byte
	leastSize  = 40
	maxFrame   = 400 << 10
	textFrame  = 0x81
	closeFrame = 0x88
	pingFrame  = 0x89
)

// toLetters writes 32 bits as 8 letters from a to p.
func toLetters(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	return x + letters
}

func fromLetters(x uint64) uint32 {
	x -= letters
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}

// putMessage writes a message over m.
func putMessage(m []byte, number uint32, at int64) {
	word := toLetters(number)
	binary.LittleEndian.PutUint64(m, markWord)
	binary.LittleEndian.PutUint64(m[8:], word)
	binary.LittleEndian.PutUint64(m[16:], toLetters(uint32(at)))
	binary.LittleEndian.PutUint64(m[24:], toLetters(uint32(at>>32)))
	binary.LittleEndian.PutUint64(m[len(m)-8:], mirror-word)
}

// take takes what is whole of what a client read, and returns how much that is.
func (c *crowd) take(cl *client, p []byte) (used int, err error) {
	now := c.now()
	if cl.state == upgrading {
		if used, err = c.upgraded(cl, p); used == 0 || err != nil {
			return used, err
		}
	}
	var n int
	if c.dialect.joins && cl.state == present {
		n, err = c.frames(cl, p[used:], now, true)
	} else {
		n, err = c.frames(cl, p[used:], now, false)
	}
	c.tally(now)
	return used + n, err
}

// frames takes whole frames: one packet each, or several lines.
func (c *crowd) frames(cl *client, p []byte, now int64, lines bool) (used int, err error) {
	all := len(p)
	size, prefix := c.size, c.prefix
	for len(p) >= 2 {
		n, head := int(p[1]), 2
		if n >= 126 {
			if n, head = longFrame(p); n < 0 {
				return 0, errors.New("got a frame that is masked or too long")
			}
			if head > len(p) {
				break
			}
		}
		if len(p)-head < n {
			break
		}
		f := p[head : head+n]
		switch {
		case p[0] == textFrame && prefix > 0 && prefix+size <= n && !lines &&
			binary.LittleEndian.Uint64(f[prefix:]) == markWord && !cl.publisher:
			if err := c.deliver(cl, f[prefix:prefix+size], now); err != nil {
				return 0, err
			}
			if c.place.Recovery {
				cl.keepOffset(f[prefix+size:])
			}
		case p[0] == textFrame && lines:
			err = c.takeLines(cl, f, now)
		default:
			err = c.other(cl, p[0], f, now)
			prefix = c.prefix
		}
		if err != nil || cl.fd < 0 {
			return 0, err
		}
		p = p[head+n:]
	}
	return all - len(p), nil
}

// longFrame reads the length of a frame of 126 bytes and more. The head is longer than p if its end has not come.
func longFrame(p []byte) (n, head int) {
	switch p[1] {
	case 126:
		if len(p) < 4 {
			return 0, len(p) + 1
		}
		return int(p[2])<<8 | int(p[3]), 4
	case 127:
		if len(p) < 10 {
			return 0, len(p) + 1
		}
		if n := binary.BigEndian.Uint64(p[2:]); n <= maxFrame {
			return int(n), 10
		}
	}
	return -1, 0
}

// takeLines takes a frame of packets, each on a line of its own.
func (c *crowd) takeLines(cl *client, f []byte, now int64) error {
	for len(f) > 0 {
		end := c.line // as long as the last one, most likely
		if end != len(f) && (end > len(f) || end == 0 || f[end] != '\n') {
			if end = bytes.IndexByte(f, '\n'); end < 0 {
				end = len(f)
			}
			c.line = end
		}
		line := f[:end]
		var err error
		if at := c.prefix; at > 0 && at+c.size <= end && !cl.publisher && binary.LittleEndian.Uint64(line[at:]) == markWord {
			err = c.deliver(cl, line[at:at+c.size], now)
		} else {
			err = c.other(cl, textFrame, line, now)
		}
		if err != nil {
			return err
		}
		f = f[min(len(f), end+1):]
	}
	return nil
}

// deliver counts one delivery.
func (c *crowd) deliver(cl *client, m []byte, now int64) error {
	word := binary.LittleEndian.Uint64(m[8:])
	if binary.LittleEndian.Uint64(m[len(m)-8:]) != mirror-word {
		return fmt.Errorf("got a message that is not whole: %q", m[:32])
	}
	number := fromLetters(word)
	if number != cl.next {
		if ok, err := c.outOfOrder(cl, number); !ok {
			return err
		}
	}
	cl.next = number + 1
	c.delivered++
	if at := [2]uint64{binary.LittleEndian.Uint64(m[16:]), binary.LittleEndian.Uint64(m[24:])}; at != c.stamp {
		c.tally(now)
		c.stamp = at
	}
	c.same++
	missing := &c.missing[number%ringSize]
	if *missing--; *missing == 0 {
		c.whole++
		if c.timing {
			c.lasts.Add(time.Duration(now - c.said[number%ringSize]))
		}
	}
	return nil
}

// tally counts the latency of the newest deliveries, which were all said at the same time.
func (c *crowd) tally(now int64) {
	if c.same == 0 {
		return
	}
	if c.counting {
		c.report.Counted += uint64(c.same)
	}
	if c.timing {
		at := int64(fromLetters(c.stamp[0])) | int64(fromLetters(c.stamp[1]))<<32
		c.times.AddMany(time.Duration(now-at), c.same)
	}
	c.same = 0
}

// outOfOrder reports whether the message is to be counted.
func (c *crowd) outOfOrder(cl *client, number uint32) (ok bool, err error) {
	if !c.tolerant {
		return false, fmt.Errorf("got message %d, want %d: lost, doubled or out of order", number, cl.next)
	}
	if number < cl.next {
		c.report.Twice++
		return false, nil
	}
	c.report.Lost += uint64(number - cl.next)
	return true, nil
}

// keepOffset keeps the last argument of an event, if it is a string: p is the packet's end, behind the message.
func (cl *client) keepOffset(p []byte) {
	if len(p) < 4 || p[len(p)-2] != '"' || p[len(p)-1] != ']' {
		return
	}
	p = p[:len(p)-2]
	if i := bytes.LastIndexByte(p, '"'); i > 0 && p[i-1] == ',' && len(p)-i-1 <= len(cl.offset) {
		cl.offLen = uint8(copy(cl.offset[:], p[i+1:]))
	}
}

// other takes a frame or a line that is no message that can be told at once.
func (c *crowd) other(cl *client, head byte, f []byte, now int64) error {
	switch head {
	case textFrame:
	case closeFrame:
		return c.failed(cl, fmt.Errorf("the server closed: %q", f))
	case pingFrame:
		return fmt.Errorf("got a ping of WebSocket, which no dialect has")
	default:
		return fmt.Errorf("got a frame that begins with %#x, which no dialect has", head)
	}
	if at := bytes.Index(f, binary.LittleEndian.AppendUint64(nil, markWord)); at >= 0 {
		switch {
		case cl.publisher:
			return nil
		case c.prefix == 0 || c.prefix != at:
			c.prefix = at
			if at+c.size > len(f) {
				return fmt.Errorf("got a message that is not whole: %q", f)
			}
			if err := c.deliver(cl, f[at:at+c.size], now); err != nil {
				return err
			}
			if c.place.Recovery {
				cl.keepOffset(f[at+c.size:])
			}
			return nil
		}
	}
	return c.dialect.packet(c, cl, f)
}
