package terminal

// IsWhole reports whether a snapshot says all that matters for what comes, as long as no tab stops are set. It cannot say what
// lies beyond the right edge, from when the terminal was wider: the ends of an alternate screen's lines, the other half of a wide
// character, and tab stops.
func (t *Terminal) IsWhole() bool {
	return t.main.isWhole(t.cols) && t.alt.isWhole(t.cols)
}

func (s *screen) isWhole(cols int) bool {
	for _, l := range s.lines {
		if l.contentAt(cols-1)&contentWide != 0 {
			return false
		}
		if l.width <= cols {
			continue
		}
		if l.fill != (cell{}) {
			return false
		}
		for x := cols; x < l.end; x++ {
			if l.cells[x] != (cell{}) {
				return false
			}
		}
	}
	return s.tabs.isWhole(cols)
}

// isWhole reports whether the stops beyond the columns are those that come by themselves with more columns.
func (t *tabStops) isWhole(cols int) bool {
	next := cols
	if !t.has(next) {
		next = t.previous(cols, cols) + tabWidth
	}
	ended := false
	for x := cols; x < 64*len(t); x++ {
		switch {
		case t.has(x) && (ended || x != next):
			return false
		case x == next && !t.has(x):
			ended = true
		case x == next:
			next += tabWidth
		}
	}
	return true
}
