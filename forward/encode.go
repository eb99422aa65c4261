package forward

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
)

// numbers are all bytes as they stand in an array of JSON.
var numbers = func() (t [256]string) {
	for i := range t {
		t[i] = strconv.Itoa(i) + ","
	}
	return t
}()

// appendData appends bytes as a value of JSON, by an encoding.
func appendData(b, p []byte, as device.Encoding) []byte {
	switch as {
	case device.Hex:
		b = append(b, '"')
		b = hex.AppendEncode(b, p)
		return append(b, '"')
	case device.Base64:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, p)
		return append(b, '"')
	case device.Text:
		return appendText(b, p)
	}
	b = append(b, `{"type":"Buffer","data":[`...)
	for _, c := range p {
		b = append(b, numbers[c]...)
	}
	if len(p) > 0 {
		b = b[:len(b)-1]
	}
	return append(b, "]}"...)
}

const hexDigits = "0123456789abcdef"

// appendText appends a string of JSON. What is no UTF-8 becomes U+FFFD.
func appendText[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '"' || c == '\\':
				b = append(b, '\\', c)
			case c == '\n':
				b = append(b, `\n`...)
			case c == '\r':
				b = append(b, `\r`...)
			case c == '\t':
				b = append(b, `\t`...)
			case c < 0x20 || c == 0x7f:
				b = append(b, `\u00`...)
				b = append(b, hexDigits[c>>4], hexDigits[c&15])
			default:
				b = append(b, c)
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		switch r { // U+2028 and U+2029 end lines in JavaScript
		case '\u2028', '\u2029':
			b = append(b, `\u202`...)
			b = append(b, hexDigits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
		i += n
	}
	return append(b, '"')
}

// appendID appends a message's id: SESSION:START.
func appendID(b []byte, m *message) []byte {
	b = append(b, m.stream.id...)
	b = append(b, ':')
	return strconv.AppendInt(b, m.Start, 10)
}

// appendLine appends a message as the web server's link has it: protocol document, section 5.
func appendLine(b []byte, m *message, as device.Encoding, connections int, ids bool) []byte {
	b = append(b, `{"data":`...)
	b = appendData(b, m.Data, as)
	b = append(b, `,"connections":`...)
	b = strconv.AppendInt(b, int64(connections), 10)
	b = append(b, `,"imei":`...)
	b = appendText(b, m.person.name)
	if ids {
		b = append(b, `,"id":"`...)
		b = appendID(b, m)
		b = append(b, '"')
	}
	return append(b, "}\n"...)
}

// appendObject appends a message as an object of JSON with all that is known of it.
func appendObject(b []byte, m *message, as device.Encoding) []byte {
	b = append(b, `{"id":"`...)
	b = appendID(b, m)
	b = append(b, `","fleet":`...)
	b = appendText(b, m.person.fleet)
	b = append(b, `,"name":`...)
	b = appendText(b, m.person.name)
	b = append(b, `,"at":`...)
	b = strconv.AppendInt(b, m.at, 10)
	b = append(b, `,"kind":"`...)
	b = append(b, kindOf(m.Kind)...)
	b = append(b, `","flags":[`...)
	b = appendFlags(b, m.Flags)
	b = append(b, `],"encoding":"`...)
	b = append(b, as...)
	b = append(b, `","data":`...)
	b = appendData(b, m.Data, as)
	b = append(b, `,"session":"`...)
	b = append(b, m.stream.id...)
	return append(b, `"}`...)
}

func kindOf(k frame.Kind) string {
	switch k {
	case frame.Registration:
		return "registration"
	case frame.Heartbeat:
		return "heartbeat"
	case frame.Junk:
		return "junk"
	}
	return "data"
}

var flagNames = []struct {
	flag frame.Flags
	name string
}{{frame.BadCheck, "bad check"}, {frame.BadLength, "bad length"}, {frame.TooLong, "too long"}, {frame.Cut, "cut"}}

func appendFlags(b []byte, f frame.Flags) []byte {
	if f == 0 {
		return b
	}
	n := len(b)
	for _, known := range flagNames {
		if f&known.flag == 0 {
			continue
		}
		if len(b) > n {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, known.name...)
		b = append(b, '"')
	}
	return b
}
