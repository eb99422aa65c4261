package recording

import (
	"sync"
	"sync/atomic"
	"time"
)

// chunk is memory that is filled with events once, read by many, and given back when the last has let go of it.
type chunk struct {
	log   *Log
	buf   []byte
	class uint8
	refs  atomic.Int32

	// guarded by log.mu until the chunk is submitted, fixed afterwards
	n      int // bytes filled
	count  uint32
	first  uint64
	t0, t1 int64
	flags  uint8
	since  time.Time // when the first event came

	received, sent int64  // bytes that passed in it; of sent, more may have been taken back than it has
	passed         passed // what its record says of them; set when it is submitted
}

// Sizes of chunk memory. The first is for sessions that say little; the last is for bulk: one read may fill it.
var classes = [...]int{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10}

var pools [len(classes)]sync.Pool

// ownClass is of chunks that are made for one large event, and not kept.
const ownClass = uint8(len(classes))

func newChunk(class uint8, need int) *chunk {
	if class == ownClass {
		c := &chunk{buf: make([]byte, need), class: class}
		c.refs.Store(1)
		return c
	}
	c, _ := pools[class].Get().(*chunk)
	if c == nil {
		c = &chunk{buf: make([]byte, classes[class]), class: class}
	}
	c.refs.Store(1)
	return c
}

func (c *chunk) hold() *chunk { c.refs.Add(1); return c }

func (c *chunk) release() {
	if c.refs.Add(-1) > 0 {
		return
	}
	c.log, c.n, c.count, c.first, c.flags, c.received, c.sent = nil, 0, 0, 0, 0, 0, 0
	if c.class != ownClass {
		pools[c.class].Put(c)
	}
}

// classFor is the smallest class that holds n bytes, ownClass if none does.
func classFor(n int) uint8 {
	for i, size := range classes {
		if n <= size {
			return uint8(i)
		}
	}
	return ownClass
}

// Held is bytes that lie in a chunk: valid until Release. Its zero value holds nothing.
type Held struct {
	Data   []byte
	Number uint64 // of the event that they are
	chunk  *chunk
}

// Release lets go of the bytes. It may be called more than once.
func (h *Held) Release() {
	if h.chunk != nil {
		h.chunk.release()
	}
	*h = Held{}
}
