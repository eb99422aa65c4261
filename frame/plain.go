package frame

import "bytes"

// rawCutter takes each piece for a message.
type rawCutter struct{}

func (rawCutter) begins([]byte) answer      { return yes }
func (rawCutter) cut(p []byte, w *work) int { return w.message(p, len(p)) }

// lineCutter cuts lines that end with "\n" or "\r\n".
type lineCutter struct {
	limit int
	keep  bool
}

func (lineCutter) begins([]byte) answer { return yes }

func (c *lineCutter) cut(p []byte, w *work) int {
	i := bytes.IndexByte(p[w.scan:min(len(p), c.limit)], '\n')
	if i < 0 {
		return w.tooLong(p, c.limit)
	}
	i += w.scan
	end := i
	if end > 0 && p[end-1] == '\r' {
		end--
	}
	w.message(p, end)
	if c.keep {
		w.content = w.m.Data
		w.m.Data = p[: i+1 : i+1]
	}
	return i + 1
}

// delimiterCutter cuts at delimiters: at the earliest, and at one place at that which is listed first.
type delimiterCutter struct {
	delimiters [][]byte
	first      [256]bool // with which they begin
	starts     []byte    // the same
	limit      int
	keep       bool
}

func (*delimiterCutter) begins([]byte) answer { return yes }

func (c *delimiterCutter) cut(p []byte, w *work) int {
	end := min(len(p), c.limit)
	for i := w.scan; i < end; i++ {
		if i = c.next(p[:end], i); i < 0 {
			break
		}
		for _, d := range c.delimiters {
			fits := startsWith(p[i:end], d)
			if fits == yes {
				w.message(p, i)
				if c.keep {
					w.content = w.m.Data
					w.m.Data = p[: i+len(d) : i+len(d)]
				}
				return i + len(d)
			}
			if fits == unsure && !w.final && end < c.limit {
				w.scan = i
				return w.more(len(p) + 1)
			}
		}
	}
	return w.tooLong(p, c.limit)
}

// next is where a delimiter may begin, at i or behind it, or -1. It looks for one byte after the other, which is fast, but
// not far at once, so that a byte that never comes is not looked for again and again.
func (c *delimiterCutter) next(p []byte, i int) int {
	const far = 256
	if len(c.starts) > 4 {
		for ; i < len(p); i++ {
			if c.first[p[i]] {
				return i
			}
		}
		return -1
	}
	for ; i < len(p); i += far {
		window := p[i:min(len(p), i+far)]
		for _, start := range c.starts {
			if k := bytes.IndexByte(window, start); k >= 0 {
				window = window[:k]
			}
		}
		if n := i + len(window); n < len(p) && len(window) < far {
			return n
		}
	}
	return -1
}

// fixedCutter cuts messages of one size.
type fixedCutter struct{ size int }

func (fixedCutter) begins([]byte) answer { return yes }

func (c fixedCutter) cut(p []byte, w *work) int {
	if len(p) < c.size {
		return w.more(c.size)
	}
	return w.message(p, c.size)
}

// gapCutter leaves it to silence to end messages.
type gapCutter struct{ limit int }

func (gapCutter) begins([]byte) answer { return yes }

func (c gapCutter) cut(p []byte, w *work) int {
	if len(p) >= c.limit {
		return w.flagged(p, c.limit, TooLong)
	}
	if w.final {
		return w.message(p, len(p))
	}
	return w.more(c.limit)
}
