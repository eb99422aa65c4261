package terminal

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// keepText takes a character of an operating system command.
func (t *Terminal) keepText(r rune) {
	p := &t.parser
	if len(p.text) >= maxPending-utf8.UTFMax {
		p.textIsTooLong = true
		return
	}
	p.text = utf8.AppendRune(p.text, r)
}

// endOSC does what an operating system command says (ctlseqs, "Operating System Commands").
func (t *Terminal) endOSC() {
	p := &t.parser
	t.join = 0
	number, text, _ := bytes.Cut(p.text, []byte(";"))
	switch n := command(number); {
	case n == 0 || n == 2:
		if text = cut(text, maxTitle); string(text) != t.title {
			t.title = string(text)
		}
	case n == 8 && !p.textIsTooLong:
		t.setLink(string(text))
	}
	if cap(p.text) > maxTitle {
		p.text = nil
	}
}

// command returns the number that an operating system command begins with, or -1.
func command(digits []byte) int {
	n := 0
	for _, b := range digits {
		if b < '0' || b > '9' || n > 1000 {
			return -1
		}
		n = n*10 + int(b-'0')
	}
	if len(digits) == 0 {
		return -1
	}
	return n
}

// cut returns the beginning of s that has at most n bytes and no half of a character.
func cut(s []byte, n int) []byte {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// setLink begins or ends a link (OSC 8 ; parameters ; address; the parameters are set off by colons, and id is the only
// one).
func (t *Terminal) setLink(text string) {
	parameters, address, ok := strings.Cut(text, ";")
	if !ok {
		return
	}
	v := t.extended.list[t.pen.ext]
	v.link = 0
	if address == "" {
		if strings.TrimSpace(parameters) != "" {
			return
		}
	} else {
		name := ""
		for p := range strings.SplitSeq(strings.TrimSpace(parameters), ":") {
			if id, ok := strings.CutPrefix(p, "id="); ok {
				name = id
				break
			}
		}
		v.link = t.link(link{name, address})
	}
	t.setExtended(v)
}

// setExtended has the pen draw underlines and links so.
func (t *Terminal) setExtended(v extended) {
	t.pen.ext = t.extend(v)
	if t.extended.list[t.pen.ext].isShown() {
		t.pen.style |= styleExtended
	} else {
		t.pen.style &^= styleExtended
	}
}
