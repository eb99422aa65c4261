package main

// comparison compares what was expected with what came, as they come. Only what one of them is ahead by is kept.
type comparison struct {
	datagrams bool // each piece is a message of its own

	expected, answered tally
	ahead              [][]byte // of the one that has said more
	aheadBytes         int
	isAnswer           bool   // it is the answer that is ahead
	same               uint64 // bytes that are alike
	messages           uint64 // of datagrams, the same
	before             []byte // the last of the bytes that are alike
	differs            *difference
	stopped            bool // what follows is not compared: there is a gap on record
}

// tally counts bytes, and the pieces that they came in.
type tally struct{ bytes, pieces uint64 }

// difference is the first place at which an answer is not what was expected.
type difference struct {
	Offset   uint64 `json:"offset"`             // bytes of all answers before it
	Datagram uint64 `json:"datagram,omitempty"` // the first is 1
	Before   hexa   `json:"before"`             // the last bytes that were alike
	Expected hexa   `json:"expected"`           // the bytes from there on; none if nothing more was expected
	Answered hexa   `json:"answered"`           // none if nothing more came
}

const (
	shownBytes  = 16      // of each side of a difference
	aheadLimit  = 4 << 20 // bytes by which one side may be ahead; then it waits
	aheadPieces = 64 << 10
)

// add takes what was expected, or answered, next. It is borrowed.
func (c *comparison) add(isAnswer bool, data []byte) {
	t := &c.expected
	if isAnswer {
		t = &c.answered
	}
	t.bytes += uint64(len(data))
	t.pieces++
	switch {
	case c.differs != nil:
		c.differs.show(isAnswer, data)
		return
	case c.stopped:
		return
	}
	for len(c.ahead) > 0 && c.isAnswer != isAnswer && c.differs == nil {
		if c.datagrams {
			c.datagram(isAnswer, data)
			return
		}
		if len(data) == 0 {
			return
		}
		n := min(len(c.ahead[0]), len(data))
		if i := alike(c.ahead[0][:n], data[:n]); i < n {
			c.pass(data[:i])
			c.differ(isAnswer, data[i:], i)
			return
		}
		c.pass(data[:n])
		data = data[n:]
		c.drop(n)
	}
	if len(data) == 0 && !c.datagrams {
		return
	}
	c.isAnswer = isAnswer
	c.ahead = append(c.ahead, append([]byte(nil), data...))
	c.aheadBytes += len(data)
}

// datagram compares one with the first that is ahead.
func (c *comparison) datagram(isAnswer bool, data []byte) {
	if i := alike(c.ahead[0], data); i < len(data) || i < len(c.ahead[0]) {
		c.pass(data[:i])
		c.differ(isAnswer, data[i:], i)
		return
	}
	c.pass(data)
	c.messages++
	c.drop(len(data))
}

// alike is how many bytes of two are the same from the beginning.
func alike(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// pass counts bytes that are alike, and keeps the last of them.
func (c *comparison) pass(data []byte) {
	c.same += uint64(len(data))
	c.before = append(c.before, data[max(0, len(data)-shownBytes):]...)
	c.before = c.before[max(0, len(c.before)-shownBytes):]
}

// drop takes n bytes, or a datagram of so many, off what is ahead.
func (c *comparison) drop(n int) {
	c.aheadBytes -= n
	if c.ahead[0] = c.ahead[0][n:]; len(c.ahead[0]) == 0 {
		c.ahead = c.ahead[1:]
	}
}

// differ notes where what was ahead, from its i-th byte on, and data of the other one part.
func (c *comparison) differ(isAnswer bool, data []byte, i int) {
	d := &difference{Offset: c.same, Before: c.before}
	if c.datagrams {
		d.Datagram = c.messages + 1
	}
	if len(c.ahead) > 0 {
		d.show(!isAnswer, c.ahead[0][i:])
		for _, more := range c.ahead[1:] {
			if !c.datagrams {
				d.show(!isAnswer, more)
			}
		}
	}
	d.show(isAnswer, data)
	c.differs, c.ahead, c.aheadBytes = d, nil, 0
}

// show adds to what is shown of a difference. Of datagrams that is the one alone.
func (d *difference) show(isAnswer bool, data []byte) {
	side := &d.Expected
	if isAnswer {
		side = &d.Answered
	}
	*side = append(*side, data[:min(len(data), shownBytes-min(len(*side), shownBytes))]...)
}

// unsend says that the last n expected bytes were never sent by the server that was recorded: they need not come.
func (c *comparison) unsend(n int) {
	for !c.isAnswer && n > 0 && len(c.ahead) > 0 {
		last := &c.ahead[len(c.ahead)-1]
		k := min(n, len(*last))
		*last = (*last)[:len(*last)-k]
		n -= k
		c.aheadBytes -= k
		c.expected.bytes -= uint64(k)
		if len(*last) == 0 {
			c.ahead = c.ahead[:len(c.ahead)-1]
		}
		if k == 0 {
			return
		}
	}
}

// stop compares nothing that follows.
func (c *comparison) stop() {
	c.stopped, c.ahead, c.aheadBytes = true, nil, 0
}

// finish says that nothing more comes of either.
func (c *comparison) finish() {
	if c.differs == nil && len(c.ahead) > 0 {
		c.differ(!c.isAnswer, nil, 0)
	}
}

// waiting reports whether answers are still to come for what was expected.
func (c *comparison) waiting() bool {
	if c.differs != nil || c.stopped {
		return c.answered.bytes < c.expected.bytes
	}
	return len(c.ahead) > 0 && !c.isAnswer
}

// full reports whether one of both is too far ahead.
func (c *comparison) full(isAnswer bool) bool {
	return c.isAnswer == isAnswer && (c.aheadBytes > aheadLimit || len(c.ahead) > aheadPieces)
}
