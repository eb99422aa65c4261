package terminal

// screen writes lines, tab stops and nothing else, onto an empty screen without margins. In the end no pen is set.
func (w *snapshot) screen(s *screen) {
	w.markWrapped(s)
	at := -2 // the row that the cursor is at the end of, waiting to wrap
	for y, l := range s.lines {
		if isEmpty(l) {
			continue
		}
		if at != y-1 || !l.wrapped || !w.goesOn(s, y) {
			w.moveTo(0, y)
		}
		at = -2
		if w.row(l) {
			at = y
		}
	}
	w.drawWith(pen{})
	w.tabs(s)
}

// isEmpty reports whether a line is as on an empty screen.
func isEmpty(l *line) bool {
	return l.fill == (cell{}) && l.end == 0
}

// goesOn reports whether printing row y behind the one above makes it a wrapped one: that is full, but for where a wide
// character did not fit, and this begins with a character.
func (w *snapshot) goesOn(s *screen, y int) bool {
	first := s.lines[y].at(0)
	if !w.isPrinted(first) || first.content&contentZero != 0 {
		return false
	}
	above := s.lines[y-1]
	last := above.at(w.t.cols - 1)
	if last.content == 0 && !w.isPrinted(last) {
		return first.content&contentWide != 0 && above.at(w.t.cols-2).content != 0 && last.pen.bg == first.pen.bg
	}
	return true
}

// markWrapped makes those rows wrapped that do not become so when they are printed.
func (w *snapshot) markWrapped(s *screen) {
	if s.lines[0].wrapped {
		// Nothing above could wrap into it: it comes in from below.
		w.moveTo(w.t.cols-1, w.t.rows-1)
		w.text("xx")
		if w.t.rows > 1 {
			w.csi(w.t.rows-1, 'S')
		}
		w.text("\x1b[H\x1b[X")
	}
	for y := 1; y < len(s.lines); y++ {
		if s.lines[y].wrapped && !w.goesOn(s, y) {
			w.moveTo(w.t.cols-1, y-1)
			w.text("xx\x1b[")
			w.number(y + 1)
			w.text("H\x1b[X")
			w.moveTo(w.t.cols-1, y-1)
			w.text("\x1b[X")
		}
	}
}

// isPrinted reports whether a cell is made by printing, not by erasing: of blank cells, only those are that show more than
// a background.
func (w *snapshot) isPrinted(c cell) bool {
	const shown = styleInverse | styleUnderline | styleStrike | styleOverline
	return c.content.hasText() || c.pen.style&shown != 0
}

// row writes a line from its first column on, and reports whether the cursor then waits to wrap, or to print a wide
// character that has no room.
func (w *snapshot) row(l *line) bool {
	cols := w.t.cols
	skipped := 0
	for x := 0; x < cols; {
		c := l.at(x)
		n := 1
		switch {
		case w.isPrinted(c):
			if skipped > 0 {
				w.csi(skipped, 'C')
				skipped = 0
			}
			if n = w.plain(l, x, c); n == 0 {
				n = w.print(l, x, c)
			}
		default:
			for x+n < cols && !w.isPrinted(l.at(x+n)) && l.at(x+n).pen.bg == c.pen.bg {
				n++
				if x+n > l.end && l.end < cols {
					n = cols - x // the rest is the same
				}
			}
			if c.pen.bg != 0 {
				if skipped > 0 {
					w.csi(skipped, 'C')
					skipped = 0
				}
				w.drawWith(pen{bg: c.pen.bg})
				w.csi(n, 'X')
			}
			skipped += n
		}
		x += n
	}
	return skipped == 0 || skipped == 1 && l.at(cols-1).content == 0
}

// plain writes the cells from column x on that are ASCII and have the same pen, and returns how many there were.
func (w *snapshot) plain(l *line, x int, c cell) int {
	from := x
	for end := min(l.end, w.t.cols); x < end; x++ {
		if next := &l.cells[x]; next.content < 0x20 || next.content >= 0x7f || next.pen != c.pen {
			break
		}
	}
	if x == from {
		return 0
	}
	w.drawWith(c.pen)
	for _, c := range l.cells[from:x] {
		w.out = append(w.out, byte(c.content))
	}
	return x - from
}

// print writes the cell at column x, and returns how many columns it takes.
func (w *snapshot) print(l *line, x int, c cell) int {
	w.drawWith(c.pen)
	width := c.content.width()
	switch {
	case width == 2 && (x+1 >= w.t.cols || !l.at(x+1).isSpacer()):
		return w.half(l, x, c)
	case width == 0 && c.content.hasText():
		// A combining rune that combines with nothing: it must not find the one before it.
		w.text("\x1b[8h")
		w.content(c)
		return 1
	}
	if c.content.hasText() && w.t.firstWidth(c) != width {
		w.text("  "[:width]) // combined with a character that is no more: nothing prints that
		return width
	}
	w.content(c)
	return max(width, 1)
}

// firstWidth is the width of a cell's first rune.
func (t *Terminal) firstWidth(c cell) int {
	if c.content&contentCluster != 0 {
		for _, r := range t.clusters.get(c.content) {
			return runeWidth(r)
		}
	}
	return runeWidth(rune(c.content & contentRune))
}

// half writes a wide character of which only the left half is there. It comes from printing over the right one where no
// line wraps, and so it is made again, at the end of a line; elsewhere it is blank.
func (w *snapshot) half(l *line, x int, c cell) int {
	next := l.at(x + 1)
	if x != w.t.cols-2 || next.pen != c.pen || next.content.width() != 1 || w.t.firstWidth(c) != 2 {
		w.text(" ")
		return 1
	}
	w.text("\x1b[?7l")
	w.content(c)
	if next.content.hasText() {
		w.content(next)
	} else {
		w.content(c) // has no room, and takes the half with it
	}
	w.text("\x1b[?7h")
	return 2
}

// content writes the text of a cell, or a space.
func (w *snapshot) content(c cell) {
	if !c.content.hasText() {
		w.text(" ")
		return
	}
	w.out = w.t.appendText(w.out, c)
}

func (w *snapshot) tabs(s *screen) {
	var usual tabStops
	usual.reset(w.t.cols)
	same := true
	for x := range w.t.cols {
		same = same && usual.has(x) == s.tabs.has(x)
	}
	if same {
		return
	}
	w.text("\x1b[3g")
	for x := range w.t.cols {
		if s.tabs.has(x) {
			w.csi(x+1, 'G')
			w.text("\x1bH")
		}
	}
}
