package frame

import "sync"

// maxJunk is how many bytes between messages are one piece of junk, at most.
const maxJunk = 1 << 10

// cutter cuts messages. What it makes of bytes depends on those bytes alone, not on how many of them are there already: with
// fewer, it asks for more.
type cutter interface {
	// cut finds the message with which p, that is not empty, begins: it tells its bytes, and the work's m what it is. 0: more bytes
	// are needed, which the work's need and scan are about.
	cut(p []byte, w *work) int
	// begins reports whether p, that is not empty, begins as messages do.
	begins(p []byte) answer
}

type answer uint8

const (
	no answer = iota
	unsure
	yes
)

// work is what cutting takes while it is done. Readers borrow it, since most of them are idle.
type work struct {
	m       Message
	content []byte // what the check is of, if it is not Data
	name    []byte // who the message says the device is
	at      int64  // when the newest piece came, Unix µs
	base    int64  // where in all that was received the datagram begins; 0: it is none
	offset  int64  // where the bytes begin, from there
	serial  uint16 // of the replies
	final   bool   // nothing more comes
	scan    int    // bytes that were looked through before, in vain; set to those that were now
	need    int    // bytes without which nothing changes

	names, reply, refusal, plain []byte // memory for the name, the replies, and what was unescaped
	machine                      machine
}

var works = sync.Pool{New: func() any { return new(work) }}

// more says that a message needs so many bytes.
func (w *work) more(need int) int {
	w.need = need
	return 0
}

// message says that the first n bytes of p are a message.
func (w *work) message(p []byte, n int) int {
	w.m.Data = p[:n:n]
	return n
}

// flagged is message of one with something wrong.
func (w *work) flagged(p []byte, n int, wrong Flags) int {
	w.m.Flags |= wrong
	return w.message(p, n)
}

// junk says that the first n bytes of p belong to no message.
func (w *work) junk(p []byte, n int) int {
	w.m.Kind = Junk
	return w.message(p, min(n, maxJunk))
}

// seek says that p does not begin with a message: junk goes up to where begins is not sure that none begins.
func (w *work) seek(p []byte, begins func(p []byte) answer) int {
	end := min(len(p), maxJunk)
	i := max(w.scan, 1)
	for ; i < end; i++ {
		is := begins(p[i:])
		if is == yes {
			return w.junk(p, i)
		}
		if is == unsure && !w.final {
			break
		}
	}
	if i >= end && (end == maxJunk || w.final) {
		return w.junk(p, end)
	}
	w.scan = i
	return w.more(len(p) + 1)
}

// tooLong says whether there is as much as a message may have, and makes it one.
func (w *work) tooLong(p []byte, limit int) int {
	if len(p) >= limit {
		return w.flagged(p, limit, TooLong)
	}
	w.scan = len(p)
	return w.more(len(p) + 1)
}

// say keeps the name that a message says.
func (w *work) say(name []byte) {
	w.names = append(w.names[:0], name...)
	w.name = w.names
}

// answer keeps the reply of which b was made: w.reply[:0] and what was appended.
func (w *work) answer(b []byte) {
	w.reply = b
	w.m.Reply = b
}

// refuse keeps the reply to a device that is not welcome: w.refusal[:0] and what was appended.
func (w *work) refuse(b []byte) {
	w.refusal = b
	w.m.Refusal = b
}
