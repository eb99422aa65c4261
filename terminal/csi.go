package terminal

// endCSI does what a control sequence says (ctlseqs, "Functions using CSI").
func (t *Terminal) endCSI(final byte) {
	p := &t.parser
	p.state = stateGround
	join := t.join
	t.join = 0
	s := t.screen
	a := &p.params
	switch p.identifier(final) {
	case 'A': // CUU
		n := a.count(0)
		if d := s.y - s.top; d >= 0 {
			n = min(n, d)
		}
		t.moveBy(0, -n)
	case 'B': // CUD
		t.cursorDown(a.count(0))
	case 'C', 'a': // CUF, HPR
		t.moveBy(a.count(0), 0)
	case 'D': // CUB
		t.moveBy(-a.count(0), 0)
	case 'E': // CNL
		t.cursorDown(a.count(0))
		s.x = 0
	case 'F': // CPL
		n := a.count(0)
		if d := s.y - s.top; d >= 0 {
			n = min(n, d)
		}
		t.moveBy(0, -n)
		s.x = 0
	case 'G', '`': // CHA, HPA
		t.moveTo(a.count(0)-1, s.y)
	case 'H', 'f': // CUP, HVP
		t.moveTo(a.count(1)-1, a.count(0)-1)
	case 'd': // VPA
		t.moveTo(s.x, a.count(0)-1)
	case 'e': // VPR
		t.moveBy(0, a.count(0))
	case 'I': // CHT
		t.forwardTabs(a.count(0))
	case 'Z': // CBT
		t.backwardTabs(a.count(0))
	case 'g': // TBC
		switch a.list[0] {
		case 0:
			s.tabs.clear(s.x)
		case 3:
			s.tabs = tabStops{}
		}
	case 'J': // ED
		t.eraseInDisplay(a.list[0], (*line).erase)
	case '?'<<8 | 'J': // DECSED
		t.eraseInDisplay(a.list[0], (*line).eraseUnprotected)
	case 'K': // EL
		t.eraseInLine(a.list[0], (*line).erase)
	case '?'<<8 | 'K': // DECSEL
		t.eraseInLine(a.list[0], (*line).eraseUnprotected)
	case 'X': // ECH
		t.confine()
		s.lines[s.y].erase(s.x, s.x+min(a.count(0), t.cols), t.pen.erased())
	case '@': // ICH
		t.confine()
		s.lines[s.y].insert(s.x, a.count(0), t.pen.erased())
	case 'P': // DCH
		t.confine()
		s.lines[s.y].remove(s.x, a.count(0), t.pen.erased())
	case 'L': // IL
		t.confine()
		if t.inRegion() {
			s.scrollDown(s.y, s.bottom, a.count(0), t.cols, t.pen.erased())
			s.x = 0
		}
	case 'M': // DL
		t.confine()
		if t.inRegion() {
			s.scrollUp(s.y, s.bottom, a.count(0), t.cols, t.pen.erased())
			s.x = 0
		}
	case 'S': // SU
		s.scrollUp(s.top, s.bottom, a.count(0), t.cols, t.pen.erased())
	case 'T': // SD; what comes in has no colour in xterm.js
		s.scrollDown(s.top, s.bottom, a.count(0), t.cols, cell{})
	case ' '<<8 | '@': // SL
		t.shiftLines(0, a.count(0), (*line).remove)
	case ' '<<8 | 'A': // SR
		t.shiftLines(0, a.count(0), (*line).insert)
	case '\''<<8 | '}': // DECIC
		t.shiftLines(s.x, a.count(0), (*line).insert)
	case '\''<<8 | '~': // DECDC
		t.shiftLines(s.x, a.count(0), (*line).remove)
	case 'b': // REP
		t.repeat(join, a.count(0))
	case 'h': // SM
		t.setModes(true)
	case 'l': // RM
		t.setModes(false)
	case '?'<<8 | 'h': // DECSET
		t.setPrivateModes(true)
	case '?'<<8 | 'l': // DECRST
		t.setPrivateModes(false)
	case 'm': // SGR
		t.selectGraphics()
	case 'r': // DECSTBM
		t.setMargins()
	case 's': // SCOSC
		t.saveCursor()
	case 'u': // SCORC
		t.restoreCursor()
	case '!'<<8 | 'p': // DECSTR
		t.softReset()
	case '"'<<8 | 'q': // DECSCA
		switch a.list[0] {
		case 1:
			t.pen.style |= styleProtected
		case 0, 2:
			t.pen.style &^= styleProtected
		}
	case ' '<<8 | 'q': // DECSCUSR
		t.setCursorStyle(a.list[0])
	}
}

// inRegion reports whether the cursor's line is one that scrolls.
func (t *Terminal) inRegion() bool {
	return t.screen.y >= t.screen.top && t.screen.y <= t.screen.bottom
}

func (t *Terminal) cursorDown(n int) {
	if d := t.screen.bottom - t.screen.y; d >= 0 {
		n = min(n, d)
	}
	t.moveBy(0, n)
}

type eraser func(l *line, from, to int, c cell)

func (t *Terminal) eraseInDisplay(what int32, erase eraser) {
	s := t.screen
	c := t.pen.erased()
	from, to := 0, t.rows
	t.confineWaiting()
	switch what {
	case 0:
		t.erasePart(s.x, t.cols, s.x == 0, erase)
		from = s.y + 1
	case 1:
		t.erasePart(0, s.x+1, true, erase)
		if s.x+1 >= t.cols && s.y+1 < t.rows {
			s.lines[s.y+1].wrapped = false
		}
		to = s.y
	case 2:
	default:
		return
	}
	for _, l := range s.lines[from:to] {
		erase(l, 0, l.width, c)
		l.wrapped = false
	}
}

func (t *Terminal) eraseInLine(what int32, erase eraser) {
	t.confineWaiting()
	switch what {
	case 0:
		t.erasePart(t.screen.x, t.cols, t.screen.x == 0, erase)
	case 1:
		t.erasePart(0, t.screen.x+1, false, erase)
	case 2:
		t.erasePart(0, t.cols, true, erase)
	}
}

// erasePart erases in the cursor's line; unwrap says that it goes on with the line above no more.
func (t *Terminal) erasePart(from, to int, unwrap bool, erase eraser) {
	l := t.screen.lines[t.screen.y]
	erase(l, from, to, t.pen.erased())
	if unwrap {
		l.wrapped = false
	}
}

func (t *Terminal) shiftLines(x, n int, shift func(l *line, x, n int, c cell)) {
	s := t.screen
	if !t.inRegion() {
		return
	}
	for _, l := range s.lines[s.top : s.bottom+1] {
		shift(l, x%l.width, n, t.pen.erased())
		l.wrapped = false
	}
}

// repeat is REP, for the character of that width before the cursor.
func (t *Terminal) repeat(width, n int) {
	s := t.screen
	if width == 0 || s.x < width {
		return
	}
	if c := s.lines[s.y].at(s.x - width).content; c.hasText() && c.width() == width {
		t.split(s.lines[s.y])
		t.placeMany(c, width, n)
	}
}

func (t *Terminal) setMargins() {
	a := &t.parser.params
	top, bottom := a.count(0), t.rows
	if a.n > 1 && a.list[1] > 0 && int(a.list[1]) <= t.rows {
		bottom = int(a.list[1])
	}
	if bottom > top {
		t.screen.top, t.screen.bottom = top-1, bottom-1
		t.moveTo(0, 0)
	}
}

func (t *Terminal) softReset() {
	s := t.screen
	newline, blink := t.modes.newline, t.modes.blink
	mouse, encoding := t.modes.mouse, t.modes.encoding
	t.modes = modes{wraparound: true, newline: newline, blink: blink, mouse: mouse, encoding: encoding}
	s.top, s.bottom = 0, t.rows-1
	t.pen = pen{}
	t.resetCharsets()
	s.saved = savedCursor{}
}
