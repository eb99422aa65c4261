package terminal

import "unsafe"

// A screen is the main or the alternate one (ctlseqs, "The Alternate Screen Buffer"), with what each has for itself.
type screen struct {
	lines       []*line // none on an alternate screen that is not shown
	x, y        int     // the cursor; x is the number of columns while a character at the end of the line waits to wrap
	top, bottom int     // first and last line of the scrolling region (VT510, DECSTBM)
	tabs        tabStops
	saved       savedCursor
	spare       []*line // for scrolling
	unused      []*line // while there are no lines
}

// savedCursor is what DECSC saves. Unlike the VT510, xterm.js saves neither origin mode nor the state of wrapping.
type savedCursor struct {
	x, y    int
	pen     pen // but for its ext, which xterm.js does not save
	charset charset
}

// clear empties the screen, but for its saved cursor. It has no lines then, but keeps them for the next time.
func (s *screen) clear(cols, rows int) {
	unused := s.unused
	if len(s.lines) > 0 {
		unused = s.lines
	}
	*s = screen{saved: s.saved, bottom: rows - 1, unused: unused, spare: s.spare}
	s.tabs.reset(cols)
}

// fill makes lines of one cell.
func (s *screen) fill(cols, rows int, c cell) {
	if len(s.unused) != rows {
		lines := make([]line, rows)
		s.unused = make([]*line, rows)
		for i := range lines {
			s.unused[i] = &lines[i]
		}
	}
	s.lines, s.unused = s.unused, nil
	for _, l := range s.lines {
		l.reset(cols, c)
	}
}

// scrollUp moves the lines from top to bottom up by n, and brings lines of c in from below.
func (s *screen) scrollUp(top, bottom, n, cols int, c cell) {
	region := s.lines[top : bottom+1]
	if n = min(n, len(region)); n == 1 {
		first := region[0]
		copy(region, region[1:])
		region[len(region)-1] = first
	} else {
		s.spare = append(s.spare[:0], region[:n]...)
		copy(region, region[n:])
		copy(region[len(region)-n:], s.spare)
	}
	for _, l := range region[len(region)-n:] {
		l.reset(cols, c)
	}
}

// scrollDown moves the lines from top to bottom down by n, and brings lines of c in from above.
func (s *screen) scrollDown(top, bottom, n, cols int, c cell) {
	region := s.lines[top : bottom+1]
	if n = min(n, len(region)); n == 1 {
		last := region[len(region)-1]
		copy(region[1:], region)
		region[0] = last
	} else {
		s.spare = append(s.spare[:0], region[len(region)-n:]...)
		copy(region[n:], region)
		copy(region, s.spare)
	}
	for _, l := range region[:n] {
		l.reset(cols, c)
	}
}

func (s *screen) bytes() int {
	n := 8 * (cap(s.lines) + cap(s.spare))
	for _, l := range append(s.lines, s.unused...) {
		n += int(unsafe.Sizeof(*l)) + cap(l.cells)*int(unsafe.Sizeof(cell{}))
	}
	return n
}

// tabStops are columns, of which there may be one more than cells: where the cursor waits to wrap.
type tabStops [maxSide/64 + 1]uint64

const tabWidth = 8

func (t *tabStops) reset(cols int) {
	*t = tabStops{}
	for x := 0; x < cols; x += tabWidth {
		t.set(x)
	}
}

func (t *tabStops) set(x int) {
	if x < 64*len(t) {
		t[x/64] |= 1 << (x % 64)
	}
}

func (t *tabStops) clear(x int) {
	if x < 64*len(t) {
		t[x/64] &^= 1 << (x % 64)
	}
}

func (t *tabStops) has(x int) bool { return x < 64*len(t) && t[x/64]>>(x%64)&1 != 0 }

// next returns the stop behind column x, or the last column.
func (t *tabStops) next(x, cols int) int {
	for x++; x < cols && !t.has(x); x++ {
	}
	return min(x, cols-1)
}

// previous returns the stop before column x, or the first column.
func (t *tabStops) previous(x, cols int) int {
	for x--; x > 0 && !t.has(x); x-- {
	}
	return min(max(x, 0), cols-1)
}
