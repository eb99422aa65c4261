package session

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// What is here reads parts of JSON that is known to be valid, without making values of it.

const jsonSpace = " \t\r\n"

func skipSpace(p []byte, at int) int {
	for at < len(p) && (p[at] == ' ' || p[at] == '\n' || p[at] == '\t' || p[at] == '\r') {
		at++
	}
	return at
}

// skipString is where the string that begins at a place ends.
func skipString(p []byte, at int) int {
	for at++; p[at] != '"'; at++ {
		if p[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// skipValue is where the value that begins at a place ends.
func skipValue(p []byte, at int) int {
	for depth := 0; ; {
		switch p[at] {
		case '"':
			at = skipString(p, at)
		case '{', '[':
			depth++
			at++
		case '}', ']':
			depth--
			at++
		case ',', ':', ' ', '\n', '\t', '\r':
			at++
			continue
		default:
			at = skipLiteral(p, at)
		}
		if depth == 0 {
			return at
		}
	}
}

// skipLiteral is where a number, true, false or null ends.
func skipLiteral(p []byte, at int) int {
	for at < len(p) && bytes.IndexByte([]byte(",:]} \n\t\r"), p[at]) < 0 {
		at++
	}
	return at
}

// splitEvent is an event's name, with its quotes, and the inside of its array behind that.
func splitEvent(event []byte) (name, args []byte) {
	at := skipSpace(event, 0) + 1 // behind the bracket
	at = skipSpace(event, at)
	end := skipString(event, at)
	name = event[at:end]
	rest := event[skipSpace(event, end):bytes.LastIndexByte(event, ']')]
	return name, bytes.Trim(bytes.TrimPrefix(rest, []byte(",")), jsonSpace)
}

// firstValue is the first value of the inside of an array, empty if there is none.
func firstValue(list []byte) []byte {
	if len(list) == 0 {
		return nil
	}
	return list[:skipValue(list, 0)]
}

// memberOf is an object's value of a name, nil if p is no object or has none. Of several the last counts.
func memberOf(p []byte, name string) (value []byte) {
	if p[0] != '{' {
		return nil
	}
	var scratch [64]byte
	for at := skipSpace(p, 1); p[at] != '}'; {
		end := skipString(p, at)
		key := p[at+1 : end-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			key = appendUnquoted(scratch[:0], p[at:end])
		}
		at = skipSpace(p, skipSpace(p, end)+1) // behind the colon
		end = skipValue(p, at)
		if string(key) == name {
			value = p[at:end]
		}
		if at = skipSpace(p, end); p[at] == ',' {
			at = skipSpace(p, at+1)
		}
	}
	return value
}

// appendUnquoted appends what a JSON string holds, as UTF-8: half of a surrogate pair is U+FFFD.
func appendUnquoted(b, quoted []byte) []byte {
	p := quoted[1 : len(quoted)-1]
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\\')
		if i < 0 {
			return append(b, p...)
		}
		b = append(b, p[:i]...)
		c := p[i+1]
		p = p[i+2:]
		switch c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r := hexRune(p)
			p = p[4:]
			if utf16.IsSurrogate(r) {
				pair := utf8.RuneError
				if len(p) >= 6 && p[0] == '\\' && p[1] == 'u' {
					pair = utf16.DecodeRune(r, hexRune(p[2:]))
				}
				if r = pair; pair != utf8.RuneError {
					p = p[6:]
				}
			}
			b = utf8.AppendRune(b, r)
		default: // a quote, a slash or a backslash
			b = append(b, c)
		}
	}
	return b
}

// hexRune is the number of four hexadecimal digits.
func hexRune(p []byte) (r rune) {
	for _, c := range p[:4] {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c&^0x20 - 'A' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendText appends a JSON string of text. What is no UTF-8 becomes U+FFFD, which is what JSON's readers expect.
func appendText(b, p []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	plain := 0
	for i := 0; i < len(p); {
		c := p[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(p[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, p[plain:i]...), "\uFFFD"...)
				plain = i + 1
			}
			i += n
			continue
		}
		i++
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, p[plain:i-1]...)
		plain = i
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, p[plain:]...), '"')
}
