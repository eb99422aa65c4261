package terminal

// endEscape does what an escape sequence says (ctlseqs, "C1 (8-Bit) Control Characters" and "VT100 Mode").
func (t *Terminal) endEscape(final byte) {
	p := &t.parser
	p.state = stateGround
	t.join = 0
	if p.prefixes > 0 {
		t.designate(final)
		return
	}
	switch final {
	case '7':
		t.saveCursor()
	case '8':
		t.restoreCursor()
	case 'D':
		t.index()
	case 'E':
		t.screen.x = 0
		t.index()
	case 'H':
		t.screen.tabs.set(t.screen.x)
	case 'M':
		t.reverseIndex()
	case '=':
		t.modes.keypad = true
	case '>':
		t.modes.keypad = false
	case 'c':
		t.reset()
	case 'n':
		t.setLevel(2)
	case 'o':
		t.setLevel(3)
	case '|':
		t.setLevel(3)
	case '}':
		t.setLevel(2)
	case '~':
		t.setLevel(1)
	}
}

// designate does what a sequence of three characters says: most choose G0 to G3.
func (t *Terminal) designate(final byte) {
	p := &t.parser
	if p.prefixes != 1 {
		return
	}
	switch p.prefix[0] {
	case '#':
		if final == '8' {
			t.alignmentPattern()
		}
	case '%':
		if final == '@' || final == 'G' {
			t.setLevel(0)
			t.setCharset(0, 0)
		}
	case '(':
		t.designateCharset(0, final)
	case ')', '-':
		t.designateCharset(1, final)
	case '*', '.':
		t.designateCharset(2, final)
	case '+':
		t.designateCharset(3, final)
	}
}

// alignmentPattern is DECALN (VT510, DECALN): the screen full of E.
func (t *Terminal) alignmentPattern() {
	t.moveTo(0, 0)
	e := cell{'E', t.pen}
	e.pen.ext = 0
	for _, l := range t.screen.lines {
		l.setAll(0, l.width, e)
		l.wrapped = false
	}
	t.moveTo(0, 0)
}
