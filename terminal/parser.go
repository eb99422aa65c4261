package terminal

// parser cuts what is written into characters, control characters and control sequences (ECMA-48, 5; the states are those
// of "A parser for DEC's ANSI-compatible video terminals", vt100.net/emu/dec_ansi_parser). Input is UTF-8, and C1 controls
// are U+0080 to U+009F.
type parser struct {
	state    state
	partial  [4]byte // the beginning of a rune
	partials int

	prefix        [4]byte // private prefix and intermediate bytes, the first ones
	prefixes      int
	params        parameters
	text          []byte // of an OSC
	textIsTooLong bool
}

type state uint8

const (
	stateGround state = iota
	stateEscape
	stateEscapeIntermediate
	stateCSIEntry
	stateCSIParam
	stateCSIIntermediate
	stateCSIIgnore
	stateOSC
	stateDCSEntry
	stateDCSParam
	stateDCSIntermediate
	stateDCSIgnore
	stateDCSText
	stateText // of SOS, PM and APC
)

// Write takes what a program writes to its terminal, cut anywhere. It takes all of it and never fails.
func (t *Terminal) Write(p []byte) (int, error) {
	n := len(p)
	if t.parser.partials > 0 {
		p = t.finishRune(p)
	}
	for len(p) > 0 {
		if t.parser.state == stateGround {
			p = t.ground(p)
		} else {
			p = t.sequence(p)
		}
	}
	return n, nil
}

// ground takes characters up to the next escape, and returns what is behind them.
func (t *Terminal) ground(p []byte) []byte {
	for len(p) > 0 {
		switch b := p[0]; {
		case b >= 0x20 && b < 0x7f:
			n := 1
			for n < len(p) && p[n]-0x20 < 0x7f-0x20 {
				n++
			}
			t.printASCII(p[:n])
			p = p[n:]
		case b == escape:
			if n := t.wholeCSI(p); n > 0 {
				p = p[n:]
				continue
			}
			t.enterEscape()
			return p[1:]
		case b < 0x20:
			t.control(rune(b))
			p = p[1:]
		case b == 0x7f:
			p = p[1:]
		default:
			if n := t.printRunes(p); n > 0 {
				p = p[n:]
				continue
			}
			r, n := decodeRune(p)
			if n == 0 {
				t.keepPartial(p)
				return nil
			}
			p = p[n:]
			if r >= 0xa0 {
				t.print(r)
			} else if r >= 0 && t.c1(r) {
				return p
			}
		}
	}
	return p
}

// wholeCSI takes a control sequence that is all there and plain: at most a private prefix, and parameters that are small
// numbers. It returns its length, or 0 for any other. It only saves time.
func (t *Terminal) wholeCSI(p []byte) int {
	if len(p) < 3 || p[1] != '[' {
		return 0
	}
	a := &t.parser.params
	i := 2
	t.parser.prefixes = 0
	if b := p[2]; b >= '<' && b <= '?' {
		t.parser.prefix[0], t.parser.prefixes = b, 1
		i++
	}
	v, n := int32(0), 0
	for ; i < len(p); i++ {
		switch b := p[i]; {
		case b-'0' < 10:
			if v = v*10 + int32(b-'0'); v > 1e8 {
				return 0
			}
		case b == ';':
			if n == maxParameters-1 {
				return 0
			}
			a.list[n], v = v, 0
			n++
			a.firstSub[n] = 0
		case b >= 0x40 && b < 0x7f:
			a.list[n] = v
			a.n, a.subs, a.firstSub[n+1] = n+1, 0, 0
			t.endCSI(b)
			return i + 1
		default:
			return 0
		}
	}
	return 0
}

// sequence takes bytes until the parser is back in its ground state, and returns what is behind them.
func (t *Terminal) sequence(p []byte) []byte {
	for i := 0; i < len(p); {
		b := p[i]
		if b < 0x80 {
			i++
			t.step(b)
		} else {
			r, n := decodeRune(p[i:])
			if n == 0 {
				t.keepPartial(p[i:])
				return nil
			}
			i += n
			t.stepRune(r)
		}
		if t.parser.state == stateGround {
			return p[i:]
		}
	}
	return nil
}

const (
	escape     = 0x1b
	cancel     = 0x18
	substitute = 0x1a
	bell       = 0x07
)

func (t *Terminal) enterEscape() {
	t.parser.state = stateEscape
	t.parser.prefixes = 0
}

func (t *Terminal) enter(s state) {
	p := &t.parser
	p.state, p.prefixes = s, 0
	switch s {
	case stateCSIEntry:
		p.params.reset()
	case stateOSC:
		p.text, p.textIsTooLong = p.text[:0], false
	}
}

// keep remembers a private prefix or intermediate byte. Sequences with more than two of them mean nothing.
func (p *parser) keep(b byte) {
	if p.prefixes < len(p.prefix) {
		p.prefix[p.prefixes] = b
		p.prefixes++
	}
}

// identifier is the final byte of a sequence, and before it, in higher bytes, what was kept.
func (p *parser) identifier(final byte) uint32 {
	id := uint32(0)
	for _, b := range p.prefix[:min(p.prefixes, 3)] {
		id = id<<8 | uint32(b)
	}
	return id<<8 | uint32(final)
}

// c1 takes a C1 control, in any state, and reports whether the parser left its ground state.
func (t *Terminal) c1(r rune) bool {
	if r == 0x9c {
		switch t.parser.state {
		case stateOSC:
			t.endOSC()
		case stateDCSText:
			t.join = 0
		}
	}
	switch r {
	case 0x90:
		t.enter(stateDCSEntry)
	case 0x98, 0x9e, 0x9f:
		t.enter(stateText)
	case 0x9b:
		t.enter(stateCSIEntry)
	case 0x9d:
		t.enter(stateOSC)
	case 0x9c:
		t.parser.state = stateGround
	default:
		t.parser.state = stateGround
		t.control(r)
	}
	return t.parser.state != stateGround
}

// stepRune takes a rune that is not ASCII, -1 for none, outside of the ground state.
func (t *Terminal) stepRune(r rune) {
	switch {
	case r < 0:
	case r < 0xa0:
		t.c1(r)
	default:
		switch t.parser.state {
		case stateOSC:
			t.keepText(r)
		case stateDCSText, stateDCSIgnore, stateCSIIgnore:
		default:
			t.parser.state = stateGround
		}
	}
}

// step takes a byte of ASCII outside of the ground state.
func (t *Terminal) step(b byte) {
	p := &t.parser
	if b < 0x20 {
		t.stepControl(b)
		return
	}
	switch p.state {
	case stateEscape:
		t.stepEscape(b)
	case stateEscapeIntermediate:
		switch {
		case b < 0x30:
			p.keep(b)
		case b < 0x7f:
			t.endEscape(b)
		}
	case stateCSIEntry, stateCSIParam:
		switch {
		case b < 0x30:
			p.keep(b)
			p.state = stateCSIIntermediate
		case b < 0x3c:
			p.params.add(b)
			p.state = stateCSIParam
		case b < 0x40 && p.state == stateCSIEntry:
			p.keep(b)
			p.state = stateCSIParam
		case b < 0x40:
			p.state = stateCSIIgnore
		case b < 0x7f:
			t.endCSI(b)
		}
	case stateCSIIntermediate:
		switch {
		case b < 0x30:
			p.keep(b)
		case b < 0x40:
			p.state = stateCSIIgnore
		case b < 0x7f:
			t.endCSI(b)
		}
	case stateCSIIgnore:
		if b >= 0x40 && b < 0x7f {
			p.state = stateGround
		}
	case stateOSC:
		t.keepText(rune(b))
	case stateDCSEntry, stateDCSParam, stateDCSIntermediate:
		t.stepDCS(b)
	}
}

// stepControl takes a C0 control outside of the ground state.
func (t *Terminal) stepControl(b byte) {
	p := &t.parser
	switch b {
	case escape:
		if p.state == stateOSC {
			t.endOSC()
		} else if p.state == stateDCSText {
			t.join = 0
		}
		t.enterEscape()
		return
	case cancel, substitute:
		switch p.state {
		case stateOSC, stateDCSText:
			t.join = 0
		default:
			t.control(rune(b))
		}
		p.state = stateGround
		return
	}
	switch p.state {
	case stateOSC:
		if b == bell {
			t.endOSC()
			p.state = stateGround
		}
	case stateDCSEntry, stateDCSParam, stateDCSIntermediate, stateDCSIgnore, stateDCSText, stateText:
	default:
		t.control(rune(b))
	}
}

func (t *Terminal) stepEscape(b byte) {
	switch {
	case b < 0x30:
		t.parser.keep(b)
		t.parser.state = stateEscapeIntermediate
	case b == '[':
		t.enter(stateCSIEntry)
	case b == ']':
		t.enter(stateOSC)
	case b == 'P':
		t.enter(stateDCSEntry)
	case b == 'X', b == '^', b == '_':
		t.enter(stateText)
	case b < 0x7f:
		t.endEscape(b)
	}
}

// stepDCS takes what is before the text of a device control string. All of them are queries, so only their end matters.
func (t *Terminal) stepDCS(b byte) {
	p := &t.parser
	switch {
	case b == 0x7f:
	case b >= 0x40:
		p.state = stateDCSText
	case b < 0x30:
		p.state = stateDCSIntermediate
	case p.state == stateDCSIntermediate, b >= 0x3c && p.state == stateDCSParam:
		p.state = stateDCSIgnore
	default:
		p.state = stateDCSParam
	}
}
