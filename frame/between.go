package frame

import "bytes"

// betweenCutter cuts what stands between a start and an end, which may be the same.
type betweenCutter struct {
	start, end []byte
	escapes    []escape
	mark       [256]bool // with which escapes begin
	only       int       // the byte with which all of them begin; -1: there are more
	hides      bool      // an escape has what the end is made of: ends are looked for outside of escapes
	shared     bool      // the end of one message may be the start of the next
	restarts   bool      // a start within a message means that the end of what is before it is missing
	limit      int
	keep       bool
}

// escape is what stands for what.
type escape struct{ wire, plain []byte }

func (c *betweenCutter) begins(p []byte) answer { return startsWith(p, c.start) }

func (c *betweenCutter) cut(p []byte, w *work) int {
	from := len(c.start)
	switch c.begins(p) {
	case unsure:
		return w.more(len(c.start))
	case no:
		if !c.shared || w.offset == 0 {
			return w.seekBytes(p, c.start)
		}
		from = 0 // the end of the message before was the start of this one
	}
	if from > 0 && c.shared {
		// Two at once: the first is the end of a message whose beginning is lost, or silence.
		if next := startsWith(p[from:], c.start); next == yes {
			return w.junk(p, from)
		} else if next == unsure && (len(p) > from || !w.final) {
			return w.more(2 * from)
		}
	}
	i, scanned := c.find(p, from, w)
	if i < 0 {
		n := w.tooLong(p, c.limit)
		w.scan = scanned
		return n
	}
	if c.restarts && !c.shared {
		if bytes.Contains(p[from:i], c.start) {
			return w.flagged(p, from+bytes.LastIndex(p[from:i], c.start), Cut)
		}
	}
	n := i + len(c.end)
	content := c.plain(p[from:i:i], w)
	w.m.Data = content
	if c.keep {
		w.content = content
		w.m.Data = p[:n:n]
		if len(content) != i-from {
			w.m.Data = c.wrapped(p[:from], content, w)
		}
	}
	return n
}

// find finds the end, or tells with -1 how far it has looked.
func (c *betweenCutter) find(p []byte, from int, w *work) (end, scanned int) {
	p = p[:min(len(p), c.limit)]
	if !c.hides {
		from = max(from, w.scan-len(c.end)+1)
		if from < len(p) {
			if i := bytes.Index(p[from:], c.end); i >= 0 {
				return from + i, 0
			}
		}
		return -1, len(p)
	}
	i := max(from, w.scan)
	for i < len(p) {
		if c.mark[p[i]] {
			if e := c.escapeAt(p[i:]); e != nil {
				i += len(e.wire)
				continue
			}
			if !w.final && len(p) < c.limit && c.mayEscape(p[i:]) {
				return -1, i
			}
		}
		switch startsWith(p[i:], c.end) {
		case yes:
			return i, 0
		case unsure:
			return -1, i
		}
		i++
	}
	return -1, i
}

func (c *betweenCutter) escapeAt(p []byte) *escape {
	for i := range c.escapes {
		if bytes.HasPrefix(p, c.escapes[i].wire) {
			return &c.escapes[i]
		}
	}
	return nil
}

func (c *betweenCutter) mayEscape(p []byte) bool {
	for i := range c.escapes {
		if startsWith(p, c.escapes[i].wire) == unsure {
			return true
		}
	}
	return false
}

// plain is p without escapes: p itself if it has none.
func (c *betweenCutter) plain(p []byte, w *work) []byte {
	i := c.nextMark(p)
	if i < 0 {
		return p
	}
	b := w.plain[:0]
	for i >= 0 {
		b = append(b, p[:i]...)
		p = p[i:]
		if e := c.escapeAt(p); e != nil {
			b = append(b, e.plain...)
			p = p[len(e.wire):]
		} else {
			b = append(b, p[0])
			p = p[1:]
		}
		i = c.nextMark(p)
	}
	b = append(b, p...)
	w.plain = b
	return b
}

// nextMark is where an escape may begin next, or -1.
func (c *betweenCutter) nextMark(p []byte) int {
	if len(c.escapes) == 0 {
		return -1
	}
	if c.only >= 0 {
		return bytes.IndexByte(p, byte(c.only))
	}
	for i, b := range p {
		if c.mark[b] {
			return i
		}
	}
	return -1
}

// wrapped puts the delimiters around content that had escapes.
func (c *betweenCutter) wrapped(start, content []byte, w *work) []byte {
	n := len(content)
	b := append(w.plain[:n], c.end...)
	b = append(b, start...)
	copy(b[len(start):], b[:n+len(c.end)])
	copy(b, start)
	w.plain = b
	w.content = b[len(start) : len(start)+n]
	return b
}
