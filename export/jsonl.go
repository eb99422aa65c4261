package export

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/session"
)

// jsonLines writes each event as a line of JSON.
type jsonLines struct {
	out       *bufio.Writer
	direction Direction
	line      []byte
}

func (j *jsonLines) event(e session.Event) {
	if !j.direction.Shows(e.Kind) {
		return
	}
	j.line = append(AppendJSON(j.line[:0], e), '\n')
	j.out.Write(j.line)
}

func (j *jsonLines) end() {}

// AppendJSON appends the JSON of an event: the same value as json.Marshal gives, several times as fast. It is one line,
// and holds no control characters, not even those of the C1 range, so that it can be shown on a terminal.
func AppendJSON(b []byte, e session.Event) []byte {
	b = append(b, `{"number":`...)
	b = strconv.AppendUint(b, e.Number, 10)
	b = append(b, `,"time":"`...)
	b = time.UnixMicro(e.Time).UTC().AppendFormat(b, session.TimeLayout)
	b = append(b, `","kind":"`...)
	b = append(b, e.Kind.String()...)
	b = append(b, '"')
	if e.Kind == session.Typed {
		b, e.Data = appendAuthor(b, e.Data)
	}
	switch {
	case holdsJSON(e.Kind) && json.Valid(e.Data):
		b = append(b, `,"value":`...)
		b = appendValue(b, e.Data)
	case e.Data == nil && !e.IsData():
	default:
		b = appendData(b, e.Data)
	}
	return append(b, '}')
}

// appendAuthor appends who typed, and gives the rest of a Typed event's data.
func appendAuthor(b, data []byte) (_, typed []byte) {
	name, typed, found := bytes.Cut(data, []byte{0})
	if !found || !utf8.Valid(name) {
		return b, data
	}
	b, _ = appendString(append(b, `,"by":`...), name)
	return b, typed
}

// holdsJSON reports whether a kind's data is JSON.
func holdsJSON(k session.Kind) bool {
	switch k {
	case session.Opened, session.Gap, session.Joined, session.Left, session.Delivered, session.Closed, session.Watched:
		return true
	}
	return false
}

func appendValue(b, data []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, data) != nil { // it is valid: this cannot be
		return append(b, "null"...)
	}
	return append(b, out.Bytes()...)
}

const hexDigits = "0123456789abcdef"

// escapes says which bytes of ASCII cannot stand for themselves in a JSON string, or on a terminal.
var escapes = func() (t [utf8.RuneSelf]bool) {
	for c := range t {
		t[c] = c < ' ' || c == '"' || c == '\\' || c == 0x7f
	}
	return t
}()

// AppendString appends a text as a string of JSON that holds no control characters: see AppendJSON.
func AppendString(b []byte, text string) []byte {
	b, _ = appendString(b, []byte(strings.ToValidUTF8(text, "\uFFFD")))
	return b
}

// appendData appends the data as text, or as base64 if it is not UTF-8.
func appendData(b, data []byte) []byte {
	if text, ok := appendString(append(b, `,"text":`...), data); ok {
		return text
	}
	return appendBase64(b, data)
}

// appendString appends a string of JSON; not ok means that the data is not UTF-8.
func appendString(b, data []byte) (_ []byte, ok bool) {
	b = append(b, '"')
	plain := 0
	for i := 0; i < len(data); {
		if c := data[i]; c < utf8.RuneSelf {
			if escapes[c] {
				b = appendEscape(append(b, data[plain:i]...), c)
				plain = i + 1
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return b, false
		}
		if r < 0xa0 || r == '\u2028' || r == '\u2029' {
			b = append(b, data[plain:i]...)
			b = append(b, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			plain = i + n
		}
		i += n
	}
	return append(append(b, data[plain:]...), '"'), true
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

func appendBase64(b, data []byte) []byte {
	b = append(b, `,"base64":"`...)
	b = base64.StdEncoding.AppendEncode(b, data)
	return append(b, '"')
}
