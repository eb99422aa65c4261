package terminal

// printASCII puts characters from space to tilde where the cursor is.
func (t *Terminal) printASCII(p []byte) {
	if t.charset != 0 || t.modes.insert {
		for _, b := range p {
			t.print(rune(b))
		}
		return
	}
	s := t.screen
	stamp := t.pen.stamp()
	l := s.lines[s.y]
	t.split(l)
	for len(p) > 0 {
		if s.x >= t.cols {
			if !t.modes.wraparound {
				// All that is still to come goes into the last column, one over the other.
				s.x = t.cols - 1
				p = p[len(p)-1:]
			} else {
				l = t.wrap(l)
			}
		}
		x := s.x
		n := min(len(p), t.cols-x)
		cells := l.reach(x + n)[x : x+n]
		for i := range cells {
			cells[i] = cell{content(p[i]), stamp}
		}
		s.x = x + n
		p = p[n:]
	}
	t.heal(l)
	t.join = 1
}

// printRunes puts characters beyond ASCII where the cursor is, up to one that is not simply put there, and returns how many
// bytes they are. It only saves time.
func (t *Terminal) printRunes(p []byte) int {
	if t.modes.insert {
		return 0
	}
	s := t.screen
	l := s.lines[s.y]
	stamp := t.pen.stamp()
	x, n := s.x, 0
	var cells []cell // of the line that are there to be written
	for n < len(p) && p[n] >= 0xc0 {
		r, size := decodeRune(p[n:])
		if r < 0xa0 {
			break
		}
		width := runeWidth(r)
		if width == 0 || x+width > t.cols && !t.modes.wraparound {
			break
		}
		if n == 0 {
			t.split(l)
		}
		if x+width > t.cols {
			s.x = x
			l = t.wrap(l)
			x, cells = 0, nil
		}
		if x+width > len(cells) {
			end := min(x+max(width, (len(p)-n)/2), t.cols)
			cells = l.reach(end)[:end]
		}
		if width == 2 {
			cells[x], cells[x+1] = cell{content(r) | contentWide, stamp}, cell{contentZero, stamp}
		} else {
			cells[x] = cell{content(r), stamp}
		}
		x += width
		n += size
		t.join = width
	}
	if n > 0 {
		s.x = x
		t.heal(l)
	}
	return n
}

// split blanks the left half of a wide character whose right half will be written over, if the cursor was moved there.
func (t *Terminal) split(l *line) {
	if x := t.screen.x; x > 0 && (t.join == 0 || t.resized) && l.contentAt(x-1)&contentWide != 0 && x <= l.width {
		l.set(x-1, cell{pen: t.pen.stamp()})
	}
	t.resized = false
}

// heal blanks the right half of a wide character whose left half was written over.
func (t *Terminal) heal(l *line) {
	if x := t.screen.x; x < t.cols && x < l.end && l.cells[x].isSpacer() {
		l.reach(x + 1)[x] = cell{pen: t.pen.stamp()}
	}
}

// wrap moves the cursor to the beginning of the next line, which goes on with the line l, and returns it. What is left of
// l, which a wide character had no room in, becomes blank.
func (t *Terminal) wrap(l *line) *line {
	s := t.screen
	x := s.x
	s.x = 0
	s.y++
	if s.y == s.bottom+1 {
		s.y--
		s.scrollUp(s.top, s.bottom, 1, t.cols, t.pen.erased())
		s.lines[s.y].wrapped = true
	} else {
		s.y = min(s.y, t.rows-1)
		s.lines[s.y].wrapped = true
	}
	if x < t.cols {
		l.setAll(x, t.cols, cell{pen: t.pen.stamp()})
	}
	return s.lines[s.y]
}

// print puts a character where the cursor is (ECMA-48, 6.1.1), or into the cell before the cursor if it combines.
func (t *Terminal) print(r rune) {
	if r < 0x7f && t.charset != 0 {
		r = t.charset.translate(r)
	}
	s := t.screen
	l := s.lines[s.y]
	width := runeWidth(r)
	if width == 0 && t.join > 0 && s.x > 0 {
		at := s.x - 1
		if l.contentAt(at).width() == 0 {
			at--
		}
		if at >= 0 && at < l.width {
			cells := l.reach(at + 1)
			cells[at].content = t.combine(cells[at].content&^(contentWide|contentZero)|contentOf(0, t.join), r)
		}
		return
	}
	t.split(l)
	t.join = width
	t.place(contentOf(r, width), width)
}

// place puts a character of that width where the cursor is.
func (t *Terminal) place(c content, width int) {
	s := t.screen
	l := s.lines[s.y]
	if s.x+width > t.cols {
		if t.modes.wraparound {
			l = t.wrap(l)
		} else {
			s.x = t.cols - 1
			if width == 2 {
				t.heal(l)
				return
			}
		}
	}
	stamp := t.pen.stamp()
	if t.modes.insert {
		t.makeRoom(l, width, stamp)
	}
	if end := s.x + width; width > 0 && end <= l.width {
		cells := l.reach(end)[s.x:end]
		cells[0] = cell{c, stamp}
		if width == 2 {
			cells[1] = cell{contentZero, stamp}
		}
	} else {
		l.set(s.x, cell{c, stamp})
	}
	// A combining rune that stands alone takes a cell, though it has no width: the cursor may get beyond the end so.
	s.x = min(s.x+max(width, 1), t.cols+maxBeyond)
	t.heal(l)
}

// makeRoom moves what is at the cursor to the right by n columns, for insert mode.
func (t *Terminal) makeRoom(l *line, n int, stamp pen) {
	if x := t.screen.x; x < l.width {
		l.insert(x, n, cell{pen: stamp})
		if l.contentAt(t.cols-1)&contentWide != 0 { // in a line that is wider than the screen
			l.set(t.cols-1, cell{pen: stamp})
		}
	}
}

// placeMany is place n times, for a character with a width. Its cost is that of as many rows as the screen has, at most.
func (t *Terminal) placeMany(c content, width, n int) {
	s := t.screen
	perRow := t.cols / width
	// Once the screen is full of it, only the column where it ends matters.
	if full := (t.rows + 1) * perRow; n > full {
		n = full + (n-full)%perRow
	}
	stamp := t.pen.stamp()
	var full *line // a row of it
	for n > 0 {
		l := s.lines[s.y]
		if s.x+width > t.cols {
			if !t.modes.wraparound {
				t.place(c, width) // the others would go to the same place
				return
			}
			l = t.wrap(l)
		}
		x := s.x
		k := min(n, (t.cols-x)/width)
		if t.modes.insert {
			t.makeRoom(l, k*width, stamp)
		}
		switch {
		case width == 1:
			l.setAll(x, x+k, cell{c, stamp})
		case full != nil && x == 0 && k == perRow:
			copy(l.reach(2*k), full.cells[:2*k])
		default:
			cells := l.reach(x + 2*k)[x : x+2*k]
			for i := 0; i < len(cells); i += 2 {
				cells[i], cells[i+1] = cell{c, stamp}, cell{contentZero, stamp}
			}
			if x == 0 && k == perRow {
				full = l
			}
		}
		s.x += k * width
		n -= k
	}
	t.heal(s.lines[s.y])
}

// maxBeyond bounds how far behind the last column the cursor may get.
const maxBeyond = 8
