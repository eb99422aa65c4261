package export

import (
	"strconv"
	"unicode/utf8"
)

// appendQuoted appends data as a quoted Go string. What is printable, which nearly all of it is, is copied in runs.
func appendQuoted(b, data []byte) []byte {
	b = append(b, '"')
	run := 0
	for i := 0; i < len(data); {
		c, n := data[i], 1
		if c >= ' ' && c <= '~' && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			var r rune
			if r, n = utf8.DecodeRune(data[i:]); n > 1 && strconv.IsPrint(r) {
				i += n
				continue
			}
		}
		b = appendEscaped(append(b, data[run:i]...), data[i:i+n])
		i += n
		run = i
	}
	return append(append(b, data[run:]...), '"')
}

// appendEscaped appends one character, or one byte that belongs to none, as an escape.
func appendEscaped(b, char []byte) []byte {
	switch char[0] {
	case '\n':
		return append(b, '\\', 'n')
	case '"', '\\':
		return append(b, '\\', char[0])
	}
	start := len(b)
	b = strconv.AppendQuote(b, string(char))
	copy(b[start:], b[start+1:])
	return b[:len(b)-2]
}
