package terminal

import "strconv"

// AppendSnapshot appends what brings any terminal of this size, this one or xterm.js, into this one's state: it begins with
// RIS and is complete in itself. Whatever is written behind it does what it would have done here, even if this terminal
// is in the midst of a sequence or of a character. Of an operating system command that has not ended, 64 KiB stand for what
// is longer: no title and no link has as much.
func (t *Terminal) AppendSnapshot(dst []byte) []byte {
	w := snapshot{t: t, out: dst}
	w.text("\x1bc\x1b[20l\x1b]2;")
	w.text(t.title)
	w.text("\x1b\\")
	w.screen(&t.main)
	if t.IsAlternate() {
		w.savedCursor(&t.main)
		w.margins(&t.main)
		w.moveTo(t.main.x, t.main.y) // a resize breaks the line of the cursor in another way
		w.text("\x1b[?47h")
		w.screen(&t.alt)
	} else if t.alt.saved != (savedCursor{}) {
		w.text("\x1b[?47h")
		w.savedCursor(&t.alt)
		w.text("\x1b[?47l")
	}
	if t.charset != t.charsets[t.level] {
		// Only DECRC makes them differ, so what is in use must come from a saved cursor.
		w.designate(0, t.charset)
		w.text("\x1b7")
		w.charsets()
		w.text("\x1b8")
		w.drawWith(pen{})
		w.moveTo(t.screen.saved.x, t.screen.saved.y)
		w.savedPen(t.screen.saved.pen)
		w.text("\x1b7")
		w.endSavedPen()
	} else {
		w.savedCursor(t.screen)
	}
	w.margins(t.screen)
	w.modes()
	w.cursor()
	w.pending()
	return w.out
}

// snapshot writes one.
type snapshot struct {
	t    *Terminal
	out  []byte
	pen  pen // what was said last
	link uint16
}

func (w *snapshot) text(s string) { w.out = append(w.out, s...) }

func (w *snapshot) number(n int) { w.out = strconv.AppendInt(w.out, int64(n), 10) }

func (w *snapshot) csi(n int, final byte) {
	w.text("\x1b[")
	w.number(n)
	w.out = append(w.out, final)
}

func (w *snapshot) csi2(n, m int, final byte) {
	w.text("\x1b[")
	w.number(n)
	w.text(";")
	w.number(m)
	w.out = append(w.out, final)
}

// moveTo puts the cursor at column x and row y, or at their ends.
func (w *snapshot) moveTo(x, y int) {
	x, y = min(x, w.t.cols-1), min(y, w.t.rows-1)
	w.csi2(y+1, x+1, 'H')
}

func (w *snapshot) margins(s *screen) {
	if s.top > 0 || s.bottom < w.t.rows-1 {
		w.csi2(s.top+1, s.bottom+1, 'r')
	}
}

func (w *snapshot) mode(on bool, name string) {
	if on {
		w.text("\x1b[")
		w.text(name)
		w.text("h")
	}
}

// modes are all but insert mode, which would move what cursor prints.
func (w *snapshot) modes() {
	m := &w.t.modes
	w.mode(m.newline, "20")
	w.mode(m.cursorKeys, "?1")
	w.text("\x1b[?12")
	w.out = append(w.out, "lh"[index(m.blink)])
	w.text("\x1b[?25")
	w.out = append(w.out, "hl"[index(m.hideCursor)])
	w.mode(m.reverseWraparound, "?45")
	w.mode(m.keypad, "?66")
	w.mode(m.focus, "?1004")
	w.mode(m.bracketedPaste, "?2004")
	w.mode(m.synchronized, "?2026")
	if m.mouse > 0 {
		w.text("\x1b[?")
		w.number(int(m.mouse))
		w.text("h")
	}
	if m.encoding > 0 {
		w.text("\x1b[?")
		w.number(int(m.encoding))
		w.text("h")
	}
	if m.cursorStyle > 0 {
		w.text("\x1b[")
		w.number(int(m.cursorStyle))
		w.text(" q")
	}
	w.mode(m.origin, "?6")
	if !m.wraparound {
		w.text("\x1b[?7l")
	}
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// designate makes c one of G0 to G3.
func (w *snapshot) designate(g int, c charset) {
	if c == 0 {
		c = 'B'
	}
	w.out = append(w.out, escape, "()*+"[g], byte(c))
}

func (w *snapshot) charsets() {
	t := w.t
	if t.charset == t.charsets[t.level] && t.charsets == ([4]charset{}) && t.level == 0 {
		return
	}
	for g, c := range t.charsets {
		w.designate(g, c)
	}
	w.text([...]string{"\x0f", "\x0e", "\x1bn", "\x1bo"}[t.level])
}

// savedCursor is what DECRC will bring back on the screen that is shown.
func (w *snapshot) savedCursor(s *screen) {
	v := s.saved
	if v == (savedCursor{}) {
		return
	}
	w.moveTo(v.x, v.y)
	if v.charset != 0 {
		w.designate(0, v.charset)
	}
	w.savedPen(v.pen)
	w.text("\x1b7")
	w.endSavedPen()
	if v.charset != 0 {
		w.designate(0, 0)
	}
}

// savedPen draws as a saved cursor does. Of links and of underlines that are not simple, only that there is one is saved.
func (w *snapshot) savedPen(p pen) {
	w.drawWith(p)
	if p.style&styleExtended != 0 && p.style&styleUnderline == 0 {
		w.text("\x1b]8;;-\x1b\\")
	}
}

func (w *snapshot) endSavedPen() {
	if w.pen.style&styleExtended != 0 && w.pen.style&styleUnderline == 0 {
		w.text("\x1b]8;;\x1b\\")
	}
	w.text("\x1b[m")
	w.pen = pen{}
}

// cursor puts it where it is, with its pen and whether it waits to wrap, and has the next characters find what was printed
// last, which combining ones join and REP repeats.
func (w *snapshot) cursor() {
	t := w.t
	s := t.screen
	l := s.lines[s.y]
	y := s.y
	if t.modes.origin {
		y = max(y-s.top, 0)
	}
	again := t.join > 0 && s.x >= t.join && t.isPrintedBy(l.at(s.x-t.join))
	waits := s.x >= t.cols && !again
	switch {
	case again:
		w.moveTo(s.x-t.join, y)
		if t.modes.insert {
			w.csi(t.join, 'P')
		}
	case waits:
		c := l.at(t.cols - 1)
		if c.isSpacer() {
			c = l.at(t.cols - 2)
		}
		w.moveTo(t.cols-max(c.content.width(), 1), y)
		w.drawWith(c.pen)
		w.content(c)
		if !w.isPrinted(c) && l.textEnd() == 0 {
			w.text("\x1b[1K") // which alone leaves the cursor waiting
		}
	default:
		w.moveTo(s.x, y)
	}
	if t.charset == t.charsets[t.level] {
		w.charsets()
	}
	if waits {
		w.text("\x1b[m")
		w.pen = pen{}
	}
	w.drawWith(t.pen)
	w.penColor()
	w.mode(t.modes.insert, "4")
	if again {
		w.content(l.at(s.x - t.join))
	}
	for range s.x - t.cols {
		w.text("\u0300") // has nothing to combine with, and moves the cursor on
	}
}

// isPrintedBy reports whether printing the cell's text again with the pen gives the cell.
func (t *Terminal) isPrintedBy(c cell) bool {
	if c.content.width() != t.join || !c.content.hasText() || c.pen != t.pen.stamp() {
		return false
	}
	for _, r := range string(t.appendText(nil, c)) {
		return runeWidth(r) == t.join && (r >= 0x7f || t.charset == 0 || t.charset.translate(r) == r)
	}
	return false
}

// pending is the beginning of a sequence or a character that the terminal has taken.
func (w *snapshot) pending() {
	p := &w.t.parser
	prefix := p.prefix[:p.prefixes]
	switch p.state {
	case stateEscape:
		w.text("\x1b")
	case stateEscapeIntermediate:
		w.text("\x1b")
		w.out = append(w.out, prefix...)
	case stateCSIEntry, stateCSIParam, stateCSIIntermediate:
		w.text("\x1b[")
		if len(prefix) > 0 && prefix[0] >= '<' {
			w.out = append(w.out, prefix[0])
			prefix = prefix[1:]
		}
		if p.state != stateCSIEntry {
			w.parameters()
		}
		w.out = append(w.out, prefix...)
	case stateCSIIgnore:
		w.text("\x1b[0?")
	case stateOSC:
		w.text("\x1b]")
		w.out = append(w.out, p.text...)
		if p.textIsTooLong {
			w.text("xxxx") // more than is held, so that it is too long there as well
		}
	case stateDCSEntry:
		w.text("\x1bP")
	case stateDCSParam:
		w.text("\x1bP0")
	case stateDCSIntermediate:
		w.text("\x1bP ")
	case stateDCSIgnore:
		w.text("\x1bP0<")
	case stateDCSText:
		w.text("\x1bPp")
	case stateText:
		w.text("\x1b_")
	}
	w.out = append(w.out, p.partial[:p.partials]...)
}

func (w *snapshot) parameters() {
	a := &w.t.parser.params
	for i := range a.n {
		if i > 0 {
			w.text(";")
		}
		if v := a.list[i]; v > 0 {
			w.number(int(v))
		}
		for _, v := range a.subsOf(i) {
			w.text(":")
			if v != absent {
				w.number(int(v))
			}
		}
	}
	if a.full {
		w.text(";")
	}
	if a.subsFull && a.inSub {
		w.text(":")
	}
	if a.n == 1 && a.list[0] == 0 && a.subs == 0 {
		w.text("0") // the first byte says that there are any
	}
}
