package web

import (
	"encoding/binary"
	"slices"

	"github.com/switchboard-relay/switchboard/session"
)

// batch is events one after the other, as viewers get them: of each its kind, a byte; then, as unsigned LEB128, its
// number, its time in µs since the session's start, and the length of its data; then the data. Number and time are the
// difference to the event before, but for the first.
type batch struct {
	buf    []byte
	start  int64 // of the session, Unix µs
	number uint64
	at     int64 // of the newest event, µs since the start

	resized uint64 // number of the last event that is a resize, 0 if there is none
	behind  int    // where in buf what follows it begins
}

// What a batch may hold, in bytes. What has one number is not cut, unless it is very much.
const (
	batchBytes = 64 << 10
	batchMost  = 4 << 20
	batchKept  = 16 << 10 // of its memory, while nothing happens
)

// full reports whether the event belongs into the next batch, for one that is to have about limit bytes.
func (b *batch) full(e *session.Event, limit int) bool {
	if len(b.buf) == 0 {
		return false
	}
	if e.Number == b.number {
		limit = batchMost
	}
	return len(b.buf)+len(e.Data) > limit
}

func (b *batch) add(e *session.Event) {
	number, at := e.Number, max(0, e.Time-b.start)
	if len(b.buf) > 0 {
		number -= b.number
		at = max(0, at-b.at)
		b.at += at
	} else {
		b.at = at
	}
	b.number = e.Number
	b.buf = append(b.buf, byte(e.Kind))
	b.buf = binary.AppendUvarint(b.buf, number)
	b.buf = binary.AppendUvarint(b.buf, uint64(at))
	b.buf = binary.AppendUvarint(b.buf, uint64(len(e.Data)))
	b.buf = append(b.buf, e.Data...)
	if e.Kind == session.Resized {
		b.resized, b.behind = e.Number, len(b.buf)
	}
}

// screenKind is that of what a batch tells beside events: what the terminal shows behind its last resize.
const screenKind = 255

// insertScreen puts that in. It has the resize's number and time, so that all that follows stays as it is.
func (b *batch) insertScreen(data []byte) {
	head := binary.AppendUvarint([]byte{screenKind, 0, 0}, uint64(len(data)))
	b.buf = slices.Insert(b.buf, b.behind, append(head, data...)...)
}

// sent empties the batch.
func (b *batch) sent() { b.buf, b.resized = b.buf[:0], 0 }

// idle lets go of memory, while nothing is to come soon.
func (b *batch) idle() {
	if cap(b.buf) > batchKept {
		b.buf = nil
	}
}
