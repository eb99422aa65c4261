package simulate

import (
	"bytes"
	"strconv"
	"time"
)

// Mark is what a simulated device writes into each of its messages, whatever its protocol: sim:NAME:NUMBER:TIME: and
// padding.
type Mark struct {
	Name   []byte    // borrowed from the message
	Number uint64    // of the device's messages, over all of its connections, from 1
	At     time.Time // when it was made, to the µs, by the device's clock
}

const (
	markStart = "sim:"
	maxName   = 64 // bytes
)

// Parse finds the mark in a message; ok is false if it holds none.
func Parse(message []byte) (m Mark, ok bool) {
	m, end := next(message)
	return m, end > 0
}

// ParseAll finds all marks in bytes that may hold several messages, or parts of them, and returns how many bytes at the
// end may be the beginning of one more.
func ParseAll(p []byte, each func(Mark)) (rest int) {
	for {
		m, end := next(p)
		if end <= 0 {
			return -end
		}
		each(m)
		p = p[end:]
	}
}

// next finds a mark, and returns where it ends; or, negative, how many bytes at the end may begin one.
func next(p []byte) (m Mark, end int) {
	at := 0
	for {
		i := bytes.Index(p[at:], []byte(markStart))
		if i < 0 {
			for n := min(len(markStart)-1, len(p)-at); n > 0; n-- {
				if string(p[len(p)-n:]) == markStart[:n] {
					return m, -n
				}
			}
			return m, 0
		}
		begin := at + i
		at = begin + len(markStart)
		name, rest, colon := bytes.Cut(p[at:], []byte{':'})
		if !isName(name) {
			continue
		}
		if !colon {
			return m, begin - len(p)
		}
		number, rest, state := digits(rest)
		var us uint64
		if state == whole {
			us, rest, state = digits(rest)
		}
		switch state {
		case whole:
			return Mark{Name: name, Number: number, At: time.UnixMicro(int64(us))}, len(p) - len(rest)
		case cut:
			return m, begin - len(p)
		}
	}
}

// found says what digits found.
type found uint8

const (
	whole found = iota
	cut         // the bytes end before it is whole
	none
)

// digits reads a number and the colon behind it.
func digits(p []byte) (n uint64, rest []byte, f found) {
	for i, c := range p {
		switch {
		case c == ':' && i > 0:
			return n, p[i+1:], whole
		case c < '0' || c > '9' || i > 17:
			return 0, nil, none
		}
		n = n*10 + uint64(c-'0')
	}
	return 0, nil, cut
}

func isName(p []byte) bool {
	if len(p) > maxName {
		return false
	}
	for _, c := range p {
		if c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// appendMark writes a mark with padding, so that it has at least so many bytes.
func appendMark(b []byte, name string, number uint64, at time.Time, size int) []byte {
	begin := len(b)
	b = append(b, markStart...)
	b = append(b, name...)
	b = append(b, ':')
	b = strconv.AppendUint(b, number, 10)
	b = append(b, ':')
	b = strconv.AppendInt(b, at.UnixMicro(), 10)
	b = append(b, ':')
	for len(b)-begin < size {
		n := min(size-(len(b)-begin), len(padding))
		b = append(b, padding[:n]...)
	}
	return b
}

// padding has none of the bytes that mean something in a protocol.
const padding = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghi"
