package recording

import "github.com/switchboard-relay/switchboard/session"

// passed is how many bytes were received and sent in a chunk, as its record says it: each in 28 bits.
type passed struct{ received, sent uint32 }

const (
	passedBits = 28
	maxPassed  = 1<<passedBits - 1
)

// mark is a record's flags and what passed in it, as they stand in its header and in its index entry.
func mark(flags uint8, p passed) uint64 {
	return uint64(flags) | uint64(p.received)<<8 | uint64(p.sent)<<(8+passedBits)
}

func parseMark(m uint64) (flags uint8, p passed) {
	return uint8(m), passed{received: uint32(m >> 8 & maxPassed), sent: uint32(m >> (8 + passedBits))}
}

// tally counts what an event of n bytes changed in the totals of its session. In a room's own recording, whose totals are
// none, what was said to the room is what it received.
func (c *chunk) tally(k session.Kind, n int, before, after *session.Totals) {
	c.received += int64(after.ReceivedBytes - before.ReceivedBytes)
	c.sent += int64(after.SentBytes - before.SentBytes)
	if k == session.Message {
		c.received += int64(n)
	}
}

// sum puts what passed where the chunk's record will say it. What does not fit is left to whoever reads the chunk: a
// delivery may stand for more than a chunk holds, and bytes that were never sent after all may be of an earlier one.
func (c *chunk) sum() {
	c.passed = passed{}
	if c.received <= maxPassed && c.sent >= 0 && c.sent <= maxPassed {
		c.flags |= flagPassed
		c.passed = passed{uint32(c.received), uint32(c.sent)}
	}
}

// countPassed is what a chunk's record would say. Sent is negative if more was taken back than was sent.
func countPassed(events []session.Event) (received, sent int64) {
	const base = 1 << 62 // what can be taken back, though it is not in this chunk
	var c chunk
	totals := session.Totals{SentBytes: base}
	before := totals
	for _, e := range events {
		totals.CountEvent(e.Kind, e.Data)
		c.tally(e.Kind, len(e.Data), &before, &totals)
		before = totals
	}
	return c.received, c.sent
}
