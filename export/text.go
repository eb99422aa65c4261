package export

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/session"
)

// text writes a conversation as lines that people read. What crossed the wire stands in quotes, with control characters,
// and bytes that are no UTF-8, as escapes.
type text struct {
	page
	decoders [2]decoder // of received and of sent bytes
	line     []byte
	pad      []byte // as wide as the heading
}

// decoder cuts one direction's bytes where characters end. What begins a character that has not ended yet is held back
// until the rest comes.
type decoder struct {
	held [utf8.UTFMax]byte
	n    int
	at   int64 // when the held bytes came, Unix µs
	join []byte
}

// take returns what of the data, behind what was held back, is whole, and whether something is held back now.
func (d *decoder) take(data []byte, at int64) (whole []byte, cut bool) {
	if d.n > 0 {
		d.join = append(append(d.join[:0], d.held[:d.n]...), data...)
		data = d.join
	}
	rest := unfinished(data)
	whole = data[:len(data)-rest]
	d.n = copy(d.held[:], data[len(whole):])
	if rest > 0 {
		d.at = at
	}
	return whole, rest > 0
}

// release returns what is held back, when nothing will end it.
func (d *decoder) release() []byte {
	n := d.n
	d.n = 0
	return d.held[:n]
}

// unfinished is how many bytes at the end of b begin a character without ending it.
func unfinished(b []byte) int {
	for n := 1; n <= min(utf8.UTFMax-1, len(b)); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

func (t *text) event(e session.Event) {
	t.begin(e)
	if !t.direction.Shows(e.Kind) {
		return
	}
	switch e.Kind {
	case session.Received, session.Sent:
		t.data(e)
		return
	case session.Message:
		t.message(e)
		return
	case session.ReceivedEnd:
		t.release(session.Received)
	case session.SentEnd, session.Unsent:
		t.release(session.Sent)
	case session.Gap, session.Closed:
		t.end()
	}
	t.tell(e)
}

func (t *text) data(e session.Event) {
	data, cut := e.Data, false
	if !t.datagrams {
		data, cut = t.decoders[e.Kind&1].take(e.Data, e.Time)
	}
	t.quoted(e.Time, e.Kind, data, cut)
}

// message writes what somebody said in a room.
func (t *text) message(e session.Event) {
	m, err := session.ParseRoomMessage(e.Data)
	if err != nil {
		t.quoted(e.Time, e.Kind, e.Data, false)
		return
	}
	from := "nobody"
	if id, err := session.ParseID(string(m.From)); err == nil {
		from = id.Short()
	}
	t.heading(e.Time, e.Kind)
	t.head = append(append(t.head, from...), ' ')
	t.lines(m.Bytes, false)
}

func (t *text) quoted(at int64, k session.Kind, data []byte, cut bool) {
	t.heading(at, k)
	t.lines(data, cut)
}

// lines writes data under the heading, each line of it on a line. A cut is marked: the next event ends the character.
func (t *text) lines(data []byte, cut bool) {
	head := t.head
	for {
		i := bytes.IndexByte(data, '\n') + 1
		last := i == 0 || i == len(data)
		part := data
		if !last {
			part, data = data[:i], data[i:]
		}
		t.line = appendQuoted(append(t.line[:0], head...), part)
		if last && cut {
			t.line = append(t.line, " …"...)
		}
		t.out.Write(append(t.line, '\n'))
		if last {
			return
		}
		head = t.padding()
	}
}

// padding is as wide as the heading, whose arrow is of more bytes than columns.
func (t *text) padding() []byte {
	for n := utf8.RuneCount(t.head); len(t.pad) < n; {
		t.pad = append(t.pad, ' ')
	}
	return t.pad[:utf8.RuneCount(t.head)]
}

func (t *text) release(k session.Kind) {
	d := &t.decoders[k&1]
	if rest := d.release(); len(rest) > 0 {
		t.quoted(d.at, k, rest, false)
	}
}

func (t *text) end() {
	t.release(session.Received)
	t.release(session.Sent)
}

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
