package terminal

// control does what a C0 or C1 control says (ctlseqs, "Single-character functions"; ECMA-48, 8.3).
func (t *Terminal) control(r rune) {
	t.join = 0
	switch r {
	case '\n', '\v', '\f':
		t.lineFeed()
	case '\r':
		t.screen.x = 0
	case '\b':
		t.backspace()
	case '\t':
		t.forwardTabs(1)
	case 0x0e: // SO
		t.setLevel(1)
	case 0x0f: // SI
		t.setLevel(0)
	case 0x84: // IND
		t.index()
	case 0x85: // NEL
		t.screen.x = 0
		t.index()
	case 0x88: // HTS
		t.screen.tabs.set(t.screen.x)
	}
}

func (t *Terminal) lineFeed() {
	s := t.screen
	if t.modes.newline {
		s.x = 0
	}
	s.y++
	switch {
	case s.y == s.bottom+1:
		s.y--
		s.scrollUp(s.top, s.bottom, 1, t.cols, t.pen.erased())
	case s.y >= t.rows:
		s.y = t.rows - 1
	default:
		s.lines[s.y].wrapped = false
	}
	if s.x >= t.cols {
		s.x--
	}
}

// index is IND: a line feed that keeps to the column.
func (t *Terminal) index() {
	t.confine()
	s := t.screen
	s.y++
	if s.y == s.bottom+1 {
		s.y--
		s.scrollUp(s.top, s.bottom, 1, t.cols, t.pen.erased())
	} else if s.y >= t.rows {
		s.y = t.rows - 1
	}
	t.confine()
}

// reverseIndex is RI.
func (t *Terminal) reverseIndex() {
	t.confine()
	s := t.screen
	if s.y == s.top {
		s.scrollDown(s.top, s.bottom, 1, t.cols, t.pen.erased())
		return
	}
	s.y--
	t.confine()
}

func (t *Terminal) backspace() {
	s := t.screen
	if !t.modes.reverseWraparound {
		t.confine()
		s.x = max(s.x-1, 0)
		return
	}
	t.confineWaiting()
	if s.x > 0 {
		s.x--
	} else if s.y > s.top && s.y <= s.bottom && s.lines[s.y].wrapped {
		s.lines[s.y].wrapped = false
		s.y--
		s.x = t.cols - 1
		if l := s.lines[s.y]; l.contentAt(s.x).width() > 0 && !l.contentAt(s.x).hasText() {
			// The line was a column short, since a wide character did not fit.
			s.x--
		}
	}
	t.confine()
}

func (t *Terminal) forwardTabs(n int) {
	s := t.screen
	if s.x >= t.cols {
		return
	}
	for ; n > 0 && s.x < t.cols-1; n-- {
		s.x = s.tabs.next(s.x, t.cols)
	}
}

func (t *Terminal) backwardTabs(n int) {
	s := t.screen
	if s.x >= t.cols {
		return
	}
	for ; n > 0 && s.x > 0; n-- {
		s.x = s.tabs.previous(s.x, t.cols)
	}
}

// confine brings the cursor onto the screen, which ends waiting to wrap, and in origin mode into the scrolling region.
func (t *Terminal) confine() {
	t.screen.x = min(max(t.screen.x, 0), t.cols-1)
	t.confineLine()
}

// confineWaiting is confine for a cursor that may go on waiting to wrap.
func (t *Terminal) confineWaiting() {
	t.screen.x = min(t.screen.x, t.cols)
	t.confineLine()
}

func (t *Terminal) confineLine() {
	s := t.screen
	if t.modes.origin {
		s.y = min(max(s.y, s.top), s.bottom)
	} else {
		s.y = min(max(s.y, 0), t.rows-1)
	}
}

// moveTo puts the cursor at a column and row, which in origin mode is a row of the scrolling region.
func (t *Terminal) moveTo(x, y int) {
	if t.modes.origin {
		y += t.screen.top
	}
	t.screen.x, t.screen.y = x, y
	t.confine()
}

// moveBy moves the cursor, from where it is on the screen.
func (t *Terminal) moveBy(x, y int) {
	t.confine()
	t.moveTo(t.screen.x+x, t.screen.y+y)
}

// saveCursor is DECSC.
func (t *Terminal) saveCursor() {
	s := t.screen
	s.saved = savedCursor{s.x, s.y, t.pen, t.charset}
	s.saved.pen.ext = 0
}

// restoreCursor is DECRC. What xterm.js brings back is the characters in use, not G0 to G3 nor which of them it was.
func (t *Terminal) restoreCursor() {
	s := t.screen
	s.x, s.y = s.saved.x, s.saved.y
	ext := t.pen.ext
	t.pen = s.saved.pen
	t.pen.ext = ext
	t.charset = s.saved.charset
	t.confine()
}
