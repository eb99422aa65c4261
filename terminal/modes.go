package terminal

// modes are those of SM and DECSET (ctlseqs, "CSI ? Pm h") that anything depends on, here or in a viewer.
type modes struct {
	insert  bool // IRM, 4
	newline bool // LNM, 20

	cursorKeys        bool   // DECCKM, ?1
	origin            bool   // DECOM, ?6
	wraparound        bool   // DECAWM, ?7
	blink             bool   // ?12
	hideCursor        bool   // DECTCEM, ?25, off
	reverseWraparound bool   // ?45
	keypad            bool   // DECNKM, ?66
	mouse             uint16 // ?9, ?1000, ?1002, ?1003, or 0
	focus             bool   // ?1004
	encoding          uint16 // ?1006, ?1016, or 0
	bracketedPaste    bool   // ?2004
	synchronized      bool   // ?2026

	cursorStyle uint8 // DECSCUSR, 1 to 6; 0 is the viewer's own
}

func (t *Terminal) setModes(on bool) {
	a := &t.parser.params
	for _, mode := range a.list[:a.n] {
		switch mode {
		case 4:
			t.modes.insert = on
		case 20:
			t.modes.newline = on
		}
	}
}

func (t *Terminal) setPrivateModes(on bool) {
	a := &t.parser.params
	m := &t.modes
	for _, mode := range a.list[:a.n] {
		switch mode {
		case 1:
			m.cursorKeys = on
		case 2:
			if on { // VT52 mode it does not have
				for g := range t.charsets {
					t.setCharset(g, 0)
				}
			}
		case 6:
			m.origin = on
			t.moveTo(0, 0)
		case 7:
			m.wraparound = on
		case 12:
			m.blink = on
		case 25:
			m.hideCursor = !on
		case 45:
			m.reverseWraparound = on
		case 66:
			m.keypad = on
		case 9, 1000, 1002, 1003:
			m.mouse = 0
			if on {
				m.mouse = uint16(mode)
			}
		case 1004:
			m.focus = on
		case 1006, 1016:
			m.encoding = 0
			if on {
				m.encoding = uint16(mode)
			}
		case 1048:
			if on {
				t.saveCursor()
			} else {
				t.restoreCursor()
			}
		case 47, 1047:
			t.showAlternate(on)
		case 1049:
			if on {
				t.saveCursor()
				t.showAlternate(true)
			} else {
				t.showAlternate(false)
				t.restoreCursor()
			}
		case 2004:
			m.bracketedPaste = on
		case 2026:
			m.synchronized = on
		}
	}
}

// showAlternate shows the alternate screen, which begins empty each time, or the main one. The cursor stays where it is.
func (t *Terminal) showAlternate(on bool) {
	if on == t.IsAlternate() {
		return
	}
	x, y := t.screen.x, t.screen.y
	if on {
		t.alt.fill(t.cols, t.rows, t.pen.erased())
		t.screen = &t.alt
	} else {
		t.alt.clear(t.cols, t.rows)
		t.screen = &t.main
	}
	t.screen.x, t.screen.y = x, y
}

func (t *Terminal) setCursorStyle(n int32) {
	if n <= 6 {
		t.modes.cursorStyle = uint8(n)
	}
}
