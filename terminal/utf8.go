package terminal

// decodeRune returns the rune that p begins with and its length. The rune is -1 for bytes that mean nothing, which are left
// out; the length is 0 if p is only its beginning. Unlike package utf8 it takes a byte order mark for nothing, as xterm.js
// does, and leaves out malformed bytes instead of showing U+FFFD.
func decodeRune(p []byte) (r rune, n int) {
	b := p[0]
	if len(p) >= 3 && b&0xf0 == 0xe0 && p[1]&0xc0 == 0x80 && p[2]&0xc0 == 0x80 { // most are these
		r = rune(b&0x0f)<<12 | rune(p[1]&0x3f)<<6 | rune(p[2]&0x3f)
		if r >= 0x800 && (r < 0xd800 || r >= 0xe000 && r != 0xfeff) {
			return r, 3
		}
		return -1, 3
	}
	var least rune
	switch {
	case b < 0x80:
		return rune(b), 1
	case b < 0xc0, b >= 0xf8:
		return -1, 1
	case b < 0xe0:
		r, n, least = rune(b&0x1f), 2, 0x80
	case b < 0xf0:
		r, n, least = rune(b&0x0f), 3, 0x800
	default:
		r, n, least = rune(b&0x07), 4, 0x10000
	}
	for i := 1; i < n; i++ {
		if i == len(p) {
			return -1, 0
		}
		if p[i]&0xc0 != 0x80 {
			return -1, i
		}
		r = r<<6 | rune(p[i]&0x3f)
	}
	if r < least || r >= 0xd800 && r < 0xe000 || r == 0xfeff || r > 0x10ffff {
		return -1, n
	}
	return r, n
}

// keepPartial keeps the beginning of a rune until the next Write.
func (t *Terminal) keepPartial(p []byte) {
	t.parser.partials = copy(t.parser.partial[:], p)
}

// finishRune takes what is missing of a rune, and returns the rest.
func (t *Terminal) finishRune(p []byte) []byte {
	s := &t.parser
	for len(p) > 0 {
		kept := s.partials
		s.partial[kept] = p[0]
		r, n := decodeRune(s.partial[:kept+1])
		if n == 0 {
			s.partials++
			p = p[1:]
			continue
		}
		s.partials = 0
		if n > kept {
			p = p[1:]
		}
		switch {
		case r < 0:
		case s.state != stateGround:
			t.stepRune(r)
		case r < 0xa0:
			t.c1(r)
		default:
			t.print(r)
		}
		break
	}
	return p
}
