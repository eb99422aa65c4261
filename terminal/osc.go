package terminal

import (
	"strconv"
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
	number, text, ok := strings.Cut(string(p.text), ";")
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		return
	}
	switch n {
	case 0, 2:
		t.title = cut(text, maxTitle)
	case 8:
		if !p.textIsTooLong {
			t.setLink(text)
		}
	}
	if cap(p.text) > 4<<10 {
		p.text = nil
	}
}

// cut returns the beginning of s that has at most n bytes and no half of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.Clone(s[:n])
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
		v.link = t.link(link{strings.Clone(name), strings.Clone(address)})
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
