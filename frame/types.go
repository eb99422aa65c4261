package frame

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// types are the framers that are no presets.
var types = []string{"raw", "line", "delimiters", "between", "fixed", "length", "gap"}

func (c *compiler) typed(s *FramerSpec, limit int) (f framer) {
	switch s.Type {
	case "raw":
		f.cutter, f.pieces = rawCutter{}, true
	case "line":
		f.cutter = &lineCutter{limit: limit, keep: s.Keep}
	case "delimiters":
		f.cutter = c.delimiters(s, limit)
	case "between":
		f.cutter = c.between(s, limit)
	case "fixed":
		if s.Size < 1 || s.Size > maxMessage {
			c.wrong("size", "%d bytes: write 1 to %d", s.Size, maxMessage)
		}
		f.cutter = fixedCutter{max(s.Size, 1)}
	case "length":
		f.cutter = c.length(s, limit)
	case "gap":
		f.cutter = gapCutter{limit}
		if s.Gap == "" {
			c.wrong("gap", "missing: write the silence that ends a message, as in 50ms")
		}
	default:
		c.wrong("type", "%q is unknown: write one of %s", s.Type, strings.Join(types, ", "))
	}
	return f
}

// gap reads a silence, in µs.
func (c *compiler) gap(s string) int64 {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Microsecond || d > maxGap {
		c.wrong("gap", "%q is no silence that ends a message: write 1µs to %s, as in 50ms", s, maxGap)
		return 0
	}
	return d.Microseconds()
}

func (c *compiler) bytes(key, s string) []byte {
	b, err := parseBytes(s)
	if err != nil {
		c.wrong(key, "%v", err)
	} else if len(b) == 0 {
		c.wrong(key, "missing: write bytes, as in #, \\r\\n or hex:7e")
	} else if len(b) > 256 {
		c.wrong(key, "%d bytes are too many: at most 256", len(b))
	}
	return b
}

func (c *compiler) delimiters(s *FramerSpec, limit int) cutter {
	d := &delimiterCutter{limit: limit, keep: s.Keep}
	if len(s.Delimiters) == 0 {
		c.wrong("delimiters", "none: write them in order, as in ['##\\r\\n', '##']")
	}
	for i, text := range s.Delimiters {
		b := c.bytes(fmt.Sprintf("delimiters[%d]", i), text)
		if len(b) == 0 {
			return d
		}
		if len(b) > limit {
			c.wrong(fmt.Sprintf("delimiters[%d]", i), "longer than max, %d bytes", limit)
		}
		d.delimiters = append(d.delimiters, b)
		if !d.first[b[0]] {
			d.first[b[0]] = true
			d.starts = append(d.starts, b[0])
		}
	}
	return d
}

// between makes the cutter; line ends between messages are nothing, unless messages begin with them.
func (c *compiler) between(s *FramerSpec, limit int) cutter {
	b := &betweenCutter{limit: limit, keep: s.Keep, only: -1, start: c.bytes("start", s.Start), end: c.bytes("end", s.End)}
	if len(b.start)+len(b.end) > limit {
		c.wrong("max", "%d bytes have no room for start and end", limit)
	}
	b.shared = bytes.Equal(b.start, b.end)
	for wire, plain := range s.Escape {
		b.escape(c.bytes("escape", wire), c.bytes("escape", plain))
	}
	if !b.shared && len(b.start) > 0 && !strings.Contains(lineEnds, string(b.start[:1])) {
		return spacedCutter{b, lineEnds}
	}
	return b
}

func (b *betweenCutter) escape(wire, plain []byte) {
	if len(wire) == 0 {
		return
	}
	b.escapes = append(b.escapes, escape{wire, plain})
	slices.SortFunc(b.escapes, func(x, y escape) int { // the longest first, and always in the same order
		if len(x.wire) != len(y.wire) {
			return len(y.wire) - len(x.wire)
		}
		return strings.Compare(string(x.wire), string(y.wire))
	})
	if b.mark[wire[0]] = true; len(b.escapes) == 1 || b.only == int(wire[0]) {
		b.only = int(wire[0])
	} else {
		b.only = -1
	}
	for _, c := range b.end {
		b.hides = b.hides || slices.Contains(wire, c)
	}
}

func (c *compiler) length(s *FramerSpec, limit int) cutter {
	l := &lengthCutter{offset: s.Offset, width: s.Width, adjust: s.Adjust, limit: limit}
	if s.Offset < 0 || s.Offset > usualMessage {
		c.wrong("offset", "%d: write 0 to %d", s.Offset, usualMessage)
	}
	if !slices.Contains([]int{1, 2, 3, 4, 8}, s.Width) {
		c.wrong("width", "%d bytes: write 1, 2, 3, 4 or 8", s.Width)
	}
	if s.Adjust < -maxMessage || s.Adjust > maxMessage {
		c.wrong("adjust", "%d: write %d to %d", s.Adjust, -maxMessage, maxMessage)
	}
	l.little = c.endian("endian", s.Endian)
	if s.Sync != "" {
		l.sync = c.bytes("sync", s.Sync)
	}
	if s.Offset+s.Width > limit || len(l.sync) > limit {
		c.wrong("max", "%d bytes have no room for the length", limit)
	}
	return l
}

func (c *compiler) endian(key, s string) (little bool) {
	switch s {
	case "", "big":
	case "little":
		return true
	default:
		c.wrong(key, "%q is unknown: write big or little", s)
	}
	return false
}

func (c *compiler) check(s *FramerSpec) *check {
	sum, found := sums[s.Check]
	if !found {
		names := make([]string, 0, len(sums))
		for name := range sums {
			names = append(names, name)
		}
		slices.Sort(names)
		c.wrong("check", "%q is unknown: write none, %s", s.Check, strings.Join(names, ", "))
		return nil
	}
	k := &check{sum: sum, from: s.CheckFrom, to: s.CheckTo, little: c.endian("check_endian", s.CheckEndian)}
	if k.from < 0 {
		c.wrong("check_from", "%d: write 0 or more", k.from)
	}
	if k.to == 0 {
		k.to = -k.width
	} else if k.to < 0 && -k.to < k.width {
		c.wrong("check_to", "%d leaves no room for the %d bytes of %s: write %d or less", k.to, k.width, s.Check, -k.width)
	}
	return k
}
