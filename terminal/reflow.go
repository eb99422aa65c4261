package terminal

// A paragraph here is a line of text in as many rows as it takes: lines[from:to], of which all but the first are wrapped. The
// one with the cursor is left alone, since the program that writes it is told of the new size, and writes it again.
func (s *screen) hasCursor(from, to int) bool { return s.y >= from && s.y < to }

// textOf returns the cells of a paragraph that has cols columns, without blanks behind its end or where a wide character had
// no room at the end of a row.
func textOf(rows []*line, cols int) []cell {
	var text []cell
	for i, l := range rows {
		n := cols
		if i == len(rows)-1 {
			n = l.textEnd()
		} else if l.contentAt(cols-1) == 0 && rows[i+1].contentAt(0)&contentWide != 0 {
			n = cols - 1
		}
		for x := range n {
			text = append(text, l.at(x))
		}
	}
	return text
}

// breakText cuts text into rows, a wide character never in two.
func breakText(text []cell, cols int) [][]cell {
	var rows [][]cell
	for len(text) > cols {
		n := cols
		if text[n-1].content&contentWide != 0 {
			n--
		}
		rows = append(rows, text[:n])
		text = text[n:]
	}
	return append(rows, text)
}

// replace makes the beginning of the line that text, and the cell behind it blank.
func (l *line) replace(text []cell, cols int) {
	copy(l.reach(len(text)), text)
	if len(text) < cols {
		l.set(len(text), cell{})
	}
}

// reflowWider joins rows that are wide enough now. The cursor moves up by as many rows as there are fewer, wherever they were:
// so does xterm.js.
func (s *screen) reflowWider(old, cols, rows int) {
	var kept []*line
	for from := 0; from < len(s.lines); {
		to := from + 1
		for to < len(s.lines) && s.lines[to].wrapped {
			to++
		}
		paragraph := s.lines[from:to]
		if to > from+1 && !s.hasCursor(from, to) {
			broken := breakText(textOf(paragraph, old), cols)
			for i, text := range broken {
				paragraph[i].replace(text, cols)
			}
			last := len(broken) - 1
			paragraph[last].setAll(len(broken[last]), cols, cell{})
			end := len(broken)
			for end > 1 && paragraph[end-1].textEnd() == 0 {
				end--
			}
			paragraph = paragraph[:end]
		}
		kept = append(kept, paragraph...)
		from = to
	}
	removed := len(s.lines) - len(kept)
	for len(kept) < rows {
		kept = append(kept, &line{width: cols})
	}
	s.lines = kept
	s.y = max(s.y-removed, 0)
	s.saved.y = max(s.saved.y-removed, 0)
}

// reflowNarrower breaks rows that are too long now.
func (s *screen) reflowNarrower(old, cols, rows int) {
	added := 0
	var insertions [][]*line // behind which line each, from the last to the first
	behind := []int{}
	all := s.lines // those that go on the way are broken as well
	for from := len(all) - 1; from >= 0; from-- {
		to := from + 1
		if !all[from].wrapped && all[from].textEnd() <= cols {
			continue
		}
		for all[from].wrapped && from > 0 {
			from--
		}
		if s.hasCursor(from, to) {
			continue
		}
		paragraph := all[from:to]
		broken := breakText(textOf(paragraph, old), cols)
		var more []*line
		for len(paragraph)+len(more) < len(broken) {
			more = append(more, &line{width: old, wrapped: true})
		}
		for i, text := range broken {
			if i < len(paragraph) {
				paragraph[i].replace(text, cols)
			} else {
				more[i-len(paragraph)].replace(text, cols)
			}
		}
		if len(more) == 0 {
			continue
		}
		insertions, behind = append(insertions, more), append(behind, to)
		added += len(more)
		// The cursor moves down and lines below it go, while there are any.
		trimmed := max(0, len(s.lines)-rows+len(more))
		if s.y != len(s.lines)-1 {
			trimmed = max(0, s.y-rows+len(more))
		}
		for n := len(more) - trimmed; n > 0 && s.y < rows-1; n-- {
			s.y++
			s.lines = s.lines[:len(s.lines)-1]
		}
		s.saved.y = min(s.saved.y+len(more), rows-1)
	}
	if added == 0 {
		return
	}
	var lines []*line
	k := len(insertions) - 1
	for i, l := range s.lines {
		lines = append(lines, l)
		if k >= 0 && behind[k] == i+1 {
			lines = append(lines, insertions[k]...)
			k--
		}
	}
	for ; k >= 0; k-- {
		lines = append(lines, insertions[k]...)
	}
	s.lines = lines[max(0, len(lines)-rows):]
}
