package socketio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Binary is bytes that travel as they are, as an attachment of their packet, wherever in an argument they stand. A plain
// []byte does so only as an argument by itself; within a struct encoding/json makes it base64.
type Binary []byte

// MarshalJSON writes a mark that Emit turns into an attachment.
func (b Binary) MarshalJSON() ([]byte, error) { return appendMarked(nil, secretMark, b), nil }

func appendMarked(b []byte, mark string, p []byte) []byte {
	b = append(b, mark...)
	b = base64.StdEncoding.AppendEncode(b, p)
	return append(b, '"', '}')
}

// UnmarshalJSON reads what Args.Decode puts where an attachment belongs.
func (b *Binary) UnmarshalJSON(p []byte) error { return json.Unmarshal(p, (*[]byte)(b)) }

// binaryMark is where an attachment stands in what AppendWhole makes. It cannot stand in a JSON string, where its quotes
// would be escaped.
const binaryMark = `{"_placeholder":true,"base64":"`

// secretMark is where one stands in what encoding/json makes: nothing that came from elsewhere looks like it.
var secretMark = `{"_placeholder":true,"` + newID() + `":"`

// Args are the arguments of an event, or of an acknowledgement, as they came.
type Args struct {
	list   []byte   // the inside of a JSON array, with its closing bracket
	binary [][]byte // its attachments
}

// Len is how many there are.
func (a Args) Len() int {
	n := 0
	for element, rest := nextElement(a.list); len(element) > 0; element, rest = nextElement(rest) {
		n++
	}
	return n
}

// At is argument i as JSON, nil if there are fewer. An attachment is the object {"_placeholder":true,"num":n}, n being its
// place in Binary.
func (a Args) At(i int) json.RawMessage {
	element, rest := nextElement(a.list)
	for ; i > 0 && len(element) > 0; i-- {
		element, rest = nextElement(rest)
	}
	if len(element) == 0 {
		return nil
	}
	return json.RawMessage(element)
}

// Binary is the attachments.
func (a Args) Binary() [][]byte { return a.binary }

// AppendJSON appends all arguments as a JSON array; see At for attachments.
func (a Args) AppendJSON(b []byte) []byte {
	b = append(b, '[')
	if len(a.list) > 0 {
		b = append(b, a.list...) // with its closing bracket
		return b
	}
	return append(b, ']')
}

// AppendWhole appends the arguments as a JSON array that holds its attachments: each is the object
// {"_placeholder":true,"base64":"…"}, which Namespace.Deliver makes an attachment again.
func (a Args) AppendWhole(b []byte) []byte {
	if len(a.binary) == 0 {
		return a.AppendJSON(b)
	}
	list := a.AppendJSON(nil)
	for at := 0; ; {
		start, end, num := nextPlaceholder(list, at)
		if start < 0 {
			return append(b, list[at:]...)
		}
		b = append(b, list[at:start]...)
		if num >= 0 && num < len(a.binary) {
			b = appendMarked(b, binaryMark, a.binary[num])
		} else {
			b = append(b, list[start:end]...)
		}
		at = end
	}
}

// detach takes attachments out of JSON that AppendWhole made. What has more than most, or is none after all, stays as it is:
// anybody can write what looks like one.
func detach(p []byte, most int) ([]byte, [][]byte) {
	if !bytes.Contains(p, []byte(binaryMark)) {
		return p, nil
	}
	e := encoder{buf: make([]byte, 0, len(p))}
	if e.unmark(p, binaryMark) != nil || len(e.binary) > most || checkPlaceholders(e.buf, len(e.binary)) != nil {
		return p, nil
	}
	return e.buf, e.binary
}

// clone is the arguments in memory of their own.
func (a Args) clone() Args {
	c := Args{list: bytes.Clone(a.list)}
	for _, p := range a.binary {
		c.binary = append(c.binary, bytes.Clone(p))
	}
	return c
}

// Decode reads the arguments into the values that the pointers lead to, as json.Unmarshal does. What has no argument stays as
// it is. Attachments go into []byte and Binary. A pointer to Args takes all arguments from there on.
func (a Args) Decode(into ...any) error {
	rest := a.list
	for i, v := range into {
		if all, ok := v.(*Args); ok {
			*all = Args{list: rest, binary: a.binary}
			return nil
		}
		var element []byte
		if element, rest = nextElement(rest); len(element) == 0 {
			return nil
		}
		if err := a.decode(element, v); err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return nil
}

// decode reads one argument. The commonest types go without reflection.
func (a Args) decode(element []byte, v any) error {
	if len(a.binary) > 0 {
		element = a.fill(element)
	}
	switch v := v.(type) {
	case *json.RawMessage:
		*v = json.RawMessage(bytes.Clone(element))
		return nil
	case *string:
		if s, plain := plainString(element); plain {
			*v = s
			return nil
		}
	}
	return json.Unmarshal(element, v)
}

// plainString reads a JSON string without escapes.
func plainString(p []byte) (string, bool) {
	if len(p) < 2 || p[0] != '"' || bytes.IndexByte(p, '\\') >= 0 {
		return "", false
	}
	return string(p[1 : len(p)-1]), true
}

// fill puts base64 strings where placeholders stand.
func (a Args) fill(p []byte) []byte {
	var out []byte
	for at := 0; ; {
		start, end, num := nextPlaceholder(p, at)
		if start < 0 {
			return append(out, p[at:]...)
		}
		out = append(out, p[at:start]...)
		if num < len(a.binary) {
			out = append(out, '"')
			out = base64.StdEncoding.AppendEncode(out, a.binary[num])
			out = append(out, '"')
		} else {
			out = append(out, p[start:end]...)
		}
		at = end
	}
}

// nextPlaceholder finds the next object with _placeholder true; start is -1 if there is none. num is -1 if it is bad.
func nextPlaceholder(p []byte, from int) (start, end, num int) {
	var open []int
	for i := from; i < len(p); i++ {
		switch p[i] {
		case '{':
			open = append(open, i)
		case '}':
			if len(open) == 0 {
				continue
			}
			start = open[len(open)-1]
			open = open[:len(open)-1]
			var o struct {
				Placeholder any `json:"_placeholder"`
				Num         any `json:"num"`
			}
			if i-start > 200 || !bytes.Contains(p[start:i], []byte("_placeholder")) ||
				json.Unmarshal(p[start:i+1], &o) != nil || o.Placeholder != true {
				continue
			}
			num = -1
			if n, ok := o.Num.(float64); ok && n >= 0 && n < 1<<20 && n == float64(int(n)) {
				num = int(n)
			}
			return start, i + 1, num
		case '"':
			i = endOfString(p, i)
		}
	}
	return -1, -1, -1
}

// checkPlaceholders holds a packet with attachments to what it refers to: what is let through here is passed on, and the
// stock clients close their connection on a placeholder that is wrong. It sees placeholders as those clients do, and
// demands that nextPlaceholder sees the same ones.
func checkPlaceholders(p []byte, attachments int) error {
	var v any
	if err := json.Unmarshal(p, &v); err != nil {
		return malformed("its payload is no JSON")
	}
	meant, ok := countPlaceholders(v, attachments)
	seen := 0
	for at := 0; ok; seen++ {
		start, end, num := nextPlaceholder(p, at)
		if start < 0 {
			break
		}
		ok = num >= 0 && num < attachments
		at = end
	}
	if !ok || meant != seen {
		return malformed("a placeholder of an attachment that there is not")
	}
	return nil
}

// countPlaceholders counts as socket.io-parser's reconstructPacket finds them; ok is false if one is wrong.
func countPlaceholders(v any, attachments int) (n int, ok bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			m, ok := countPlaceholders(e, attachments)
			if n += m; !ok {
				return n, false
			}
		}
	case map[string]any:
		if v["_placeholder"] == true {
			num, is := v["num"].(float64)
			return 1, is && num >= 0 && num < float64(attachments) && num == float64(int(num))
		}
		for _, e := range v {
			m, ok := countPlaceholders(e, attachments)
			if n += m; !ok {
				return n, false
			}
		}
	}
	return n, true
}

// Errors of Emit.
var (
	ErrReserved = errors.New("the event's name is reserved")
	ErrClosed   = errors.New("the socket is closed")
)

// encoder makes the payload of one packet.
type encoder struct {
	buf    []byte
	binary [][]byte
}

// args appends arguments, with commas between them and one before the first if anything stands before it.
func (e *encoder) args(args []any) error {
	for i, a := range args {
		if nested, ok := a.(Args); ok && nested.Len() == 0 {
			continue
		}
		if e.buf[len(e.buf)-1] != '[' {
			e.buf = append(e.buf, ',')
		}
		if err := e.arg(a); err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return nil
}

// arg appends one argument. The commonest types go without reflection.
func (e *encoder) arg(a any) error {
	switch a := a.(type) {
	case nil:
		e.buf = append(e.buf, "null"...)
	case string:
		e.buf = appendString(e.buf, a)
	case json.RawMessage:
		if !json.Valid(a) || !utf8.Valid(a) {
			return errors.New("a json.RawMessage that is no JSON")
		}
		e.buf = append(e.buf, bytes.TrimSpace(a)...)
	case []byte:
		e.attach(a)
	case Binary:
		e.attach(a)
	case bool:
		e.buf = strconv.AppendBool(e.buf, a)
	case int:
		e.buf = strconv.AppendInt(e.buf, int64(a), 10)
	case int64:
		e.buf = strconv.AppendInt(e.buf, a, 10)
	case Args:
		e.nested(a)
	default:
		return e.marshal(a)
	}
	return nil
}

// nested appends arguments that came from elsewhere, as arguments of their own.
func (e *encoder) nested(a Args) {
	base := len(e.binary)
	for element, rest := nextElement(a.list); len(element) > 0; element, rest = nextElement(rest) {
		e.buf = append(e.buf, renumber(element, base, len(a.binary))...)
		if len(rest) > 0 {
			e.buf = append(e.buf, ',')
		}
	}
	e.binary = append(e.binary, a.binary...)
}

// renumber adds base to the numbers of the placeholders in p.
func renumber(p []byte, base, attachments int) []byte {
	if base == 0 || attachments == 0 {
		return p
	}
	var out []byte
	for at := 0; ; {
		start, end, num := nextPlaceholder(p, at)
		if start < 0 {
			return append(out, p[at:]...)
		}
		out = appendPlaceholder(append(out, p[at:start]...), base+num)
		at = end
	}
}

func (e *encoder) attach(p []byte) {
	e.buf = appendPlaceholder(e.buf, len(e.binary))
	e.binary = append(e.binary, p) // the packet will have a copy
}

func appendPlaceholder(b []byte, num int) []byte {
	b = append(b, `{"_placeholder":true,"num":`...)
	b = strconv.AppendInt(b, int64(num), 10)
	return append(b, '}')
}

func (e *encoder) marshal(a any) error {
	p, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return e.unmark(p, secretMark)
}

// unmark appends JSON, and makes attachments of what is marked.
func (e *encoder) unmark(p []byte, mark string) error {
	for {
		at := bytes.Index(p, []byte(mark))
		if at < 0 {
			e.buf = append(e.buf, p...)
			return nil
		}
		e.buf = append(e.buf, p[:at]...)
		p = p[at+len(mark):]
		end := bytes.IndexByte(p, '"')
		if end < 0 || end+1 >= len(p) || p[end+1] != '}' {
			return errors.New("malformed binary")
		}
		data, err := base64.StdEncoding.DecodeString(string(p[:end]))
		if err != nil {
			return err
		}
		e.attach(data)
		p = p[end+2:]
	}
}

// appendString appends a JSON string. Invalid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		b = append(b, s[start:i]...)
		b = appendEscaped(b, c)
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendEscaped appends a byte that cannot stand in a string as it is.
func appendEscaped(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch {
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case c == '\n':
		return append(b, `\n`...)
	case c >= utf8.RuneSelf:
		return append(b, "\uFFFD"...)
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
