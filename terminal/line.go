package terminal

// A line is one row of a screen. Only its first cells are there: those from end on are all the same, so that erasing costs
// nothing however wide a line is.
type line struct {
	cells   []cell // none, or width of them
	end     int    // how many of cells count
	fill    cell   // what is from end to width
	width   int    // columns; more than the terminal has where an alternate screen became narrower
	wrapped bool   // it goes on where the line above ended
	kept    bool   // all cells up to end are protected, so that there is nothing to look for
}

// reset makes it a line of that width, all of one cell.
func (l *line) reset(width int, fill cell) {
	l.end, l.fill, l.width, l.wrapped = 0, fill, width, false
}

func (l *line) at(x int) cell {
	if x < l.end {
		return l.cells[x]
	}
	return l.fill
}

// contentAt is at for what mostly is all that matters.
func (l *line) contentAt(x int) content {
	if x < l.end {
		return l.cells[x].content
	}
	return l.fill.content
}

// reach returns the cells with the first n of them there to be written, n being at most width.
func (l *line) reach(n int) []cell {
	l.kept = false
	if n > l.end {
		l.extend(n)
	}
	return l.cells
}

func (l *line) extend(n int) {
	if len(l.cells) < l.width {
		if cap(l.cells) >= l.width {
			l.cells = l.cells[:l.width]
		} else {
			cells := make([]cell, l.width)
			copy(cells, l.cells[:l.end])
			l.cells = cells
		}
	}
	added := l.cells[l.end:n]
	if l.fill == (cell{}) {
		clear(added)
	} else {
		for i := range added {
			added[i] = l.fill
		}
	}
	l.end = n
}

// set writes one cell; there is none outside of the line.
func (l *line) set(x int, c cell) {
	if x >= 0 && x < l.width {
		l.reach(x + 1)[x] = c
	}
}

// setAll makes the cells from x to end, not included, the same.
func (l *line) setAll(x, end int, c cell) {
	end = min(end, l.width)
	if x >= end || x >= l.end && c == l.fill {
		return
	}
	if end == l.width {
		l.reach(x)
		l.end, l.fill = x, c
		return
	}
	for cells := l.reach(end); x < end; x++ {
		cells[x] = c
	}
}

// erase makes the cells from x to end the same. A wide character is erased whole, even where only half of it is within.
func (l *line) erase(x, end int, c cell) {
	if x > 0 && l.contentAt(x-1)&contentWide != 0 {
		l.set(x-1, c)
	}
	if end < l.width && end > 0 && l.contentAt(end-1)&contentWide != 0 {
		l.set(end, c)
	}
	l.setAll(x, end, c)
}

// eraseUnprotected is erase, for cells that are not protected.
func (l *line) eraseUnprotected(x, end int, c cell) {
	if x > 0 && l.contentAt(x-1)&contentWide != 0 && l.at(x-1).pen.style&styleProtected == 0 {
		l.set(x-1, c)
	}
	if end < l.width && end > 0 && l.contentAt(end-1)&contentWide != 0 && l.at(end).pen.style&styleProtected == 0 {
		l.set(end, c)
	}
	end = min(end, l.width)
	if x < l.end && !l.kept {
		cells := l.cells[x:min(end, l.end)]
		kept := len(cells) == l.end
		for i := range cells {
			if cells[i].pen.style&styleProtected == 0 {
				cells[i] = c
				kept = false
			}
		}
		l.kept = kept
	}
	if l.fill.pen.style&styleProtected == 0 {
		l.setAll(max(x, l.end), end, c)
	}
}

// insert moves the cells from x on to the right by n, and out of the line, and puts c into the gap.
func (l *line) insert(x, n int, c cell) {
	if x > 0 && l.contentAt(x-1)&contentWide != 0 {
		l.set(x-1, c)
	}
	if n < l.width-x {
		last := max(l.end, x)
		if to := min(last+n, l.width); last > x || l.fill != c {
			cells := l.reach(to)
			copy(cells[x+n:to], cells[x:])
			for i := x; i < x+n; i++ {
				cells[i] = c
			}
			l.trim()
		}
	} else {
		l.setAll(x, l.width, c)
	}
	if l.contentAt(l.width-1)&contentWide != 0 {
		l.set(l.width-1, c)
	}
}

// remove takes n cells out at x; those behind them move to the left, and c comes in from the end.
func (l *line) remove(x, n int, c cell) {
	if n < l.width-x {
		if l.fill != c {
			l.reach(l.width)
			l.fill = c
		}
		if x < l.end {
			copy(l.cells[x:l.end], l.cells[min(x+n, l.end):l.end])
			l.end = max(l.end-n, x)
			l.trim()
		}
	} else {
		l.setAll(x, l.width, c)
	}
	if x > 0 && l.contentAt(x-1)&contentWide != 0 {
		l.set(x-1, c)
	}
	if l.at(x).isSpacer() {
		l.set(x, c)
	}
}

// trim lets go of cells at the end that are as those behind them, so that shifting empty lines costs nothing.
func (l *line) trim() {
	for l.end > 0 && l.cells[l.end-1] == l.fill {
		l.end--
	}
}

// textEnd returns the number of columns up to its last character.
func (l *line) textEnd() int {
	if l.end < l.width && l.fill.content.hasText() {
		return l.width
	}
	for x := l.end - 1; x >= 0; x-- {
		if c := l.cells[x].content; c.hasText() {
			return x + c.width()
		}
	}
	return 0
}

// resize makes it that wide: cut off, or longer by blank cells.
func (l *line) resize(width int) {
	if width > l.width && l.fill != (cell{}) {
		l.reach(l.width)
		l.fill = cell{}
	}
	if width < l.width {
		l.end = min(l.end, width)
	}
	l.width = width
	if len(l.cells) < width && l.end > 0 {
		cells := make([]cell, width)
		copy(cells, l.cells[:l.end])
		l.cells = cells
	}
}
