package terminal

// Resize gives the terminal another size, within the limits of New. On the main screen, lines that were too long for a row
// are broken anew, but for the cursor's; what has no room is gone, as there is no scrollback.
func (t *Terminal) Resize(cols, rows int) {
	cols, rows = clampSize(cols, rows)
	if cols == t.cols && rows == t.rows {
		return
	}
	for _, s := range []*screen{&t.main, &t.alt} {
		if len(s.lines) > 0 {
			s.resizeRows(cols, rows)
			if cols > t.cols {
				s.resizeLines(cols)
			}
			s.x, s.y = min(s.x, cols-1), min(s.y, rows-1)
			s.saved.x = min(s.saved.x, cols-1)
			s.top = 0
		}
		s.bottom = rows - 1
		s.unused = nil
		// The lines of an alternate screen keep their ends when it becomes narrower, in xterm.js: deleting characters
		// brings them back.
		if s == &t.main && cols > t.cols {
			s.reflowWider(t.cols, cols, rows)
		} else if s == &t.main && cols < t.cols {
			s.reflowNarrower(t.cols, cols, rows)
			s.resizeLines(cols)
		}
		s.resizeTabs(cols)
	}
	t.cols, t.rows = cols, rows
	t.resized = true
}

// resizeRows makes it that many rows: longer at the end, or shorter there up to the cursor, and then from the beginning.
func (s *screen) resizeRows(cols, rows int) {
	for len(s.lines) < rows {
		s.lines = append(s.lines, &line{width: cols})
	}
	below := len(s.lines) - 1 - s.y
	s.lines = s.lines[:len(s.lines)-min(len(s.lines)-rows, below)]
	if over := len(s.lines) - rows; over > 0 {
		s.lines = append([]*line(nil), s.lines[over:]...)
		s.saved.y = max(s.saved.y-over, 0)
	}
	clear(s.lines[len(s.lines):cap(s.lines)])
	s.spare = nil
}

func (s *screen) resizeLines(cols int) {
	for _, l := range s.lines {
		l.resize(cols)
	}
}

func (s *screen) resizeTabs(cols int) {
	x := cols
	if !s.tabs.has(x) {
		x = s.tabs.previous(x, cols)
	}
	for ; x < cols; x += tabWidth {
		s.tabs.set(x)
	}
}
