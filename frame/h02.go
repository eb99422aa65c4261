package frame

import (
	"bytes"
	"time"
)

// h02Cutter cuts the messages of H02: text from "*" to "#", and binary ones that begin with "$" or "X". How long those with "$"
// are is not in them: it is a setting.
type h02Cutter struct{ binary, limit int }

const h02Short, h02Long = 32, 45

func (h02Cutter) begins(p []byte) answer {
	if p[0] == '*' || p[0] == '$' || p[0] == 'X' {
		return yes
	}
	return no
}

func (c h02Cutter) cut(p []byte, w *work) int {
	switch p[0] {
	case '*':
		from := max(1, w.scan)
		i := -1
		if end := min(len(p), c.limit); from < end {
			i = bytes.IndexByte(p[from:end], '#')
		}
		if i < 0 {
			return w.tooLong(p, c.limit)
		}
		n := from + i + 1
		c.text(p[1:n-1], w)
		return w.message(p, n)
	case '$', 'X':
		n := h02Short
		if p[0] == '$' {
			n = c.binary
		}
		if len(p) < n {
			return w.more(n)
		}
		w.names = appendDigits(w.names[:0], p[1:6])
		if isDigits(w.names) {
			w.name = w.names
		}
		return w.message(p, n)
	}
	return w.seek(p, c.likely)
}

// likely is begins for the midst of junk: binary messages have digits of BCD, of an id and then of a time and a date.
func (c h02Cutter) likely(p []byte) answer {
	if is := c.begins(p); is != yes || p[0] == '*' {
		return is
	}
	for i, most := range [...]byte{0x99, 0x99, 0x99, 0x99, 0x99, 0x23, 0x59, 0x59, 0x31, 0x12, 0x99} {
		if i+1 == len(p) {
			return unsure
		}
		if b := p[i+1]; b > most || b&15 > 9 {
			return no
		}
	}
	return yes
}

// text tells what a message of text is: HQ,ID,TYPE and more.
func (h02Cutter) text(p []byte, w *work) {
	maker, rest, _ := bytes.Cut(p, comma)
	id, rest, _ := bytes.Cut(rest, comma)
	kind, _, _ := bytes.Cut(rest, comma)
	if !isDigits(id) {
		return
	}
	w.say(id)
	switch string(kind) {
	case "HTBT", "V0":
		w.m.Kind = Heartbeat
	case "V1", "NBR":
		b := append(w.reply[:0], '*')
		b = append(b, maker...)
		b = append(b, ',')
		b = append(b, id...)
		b = append(b, ",V4,"...)
		b = append(b, kind...)
		b = append(b, ',')
		b = time.UnixMicro(w.at).UTC().AppendFormat(b, "20060102150405")
		w.answer(append(b, '#'))
	}
}

var comma = []byte{','}
