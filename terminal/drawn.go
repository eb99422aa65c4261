package terminal

import "iter"

// Cell is one place of a terminal's screen, as it is drawn.
type Cell struct {
	Text       string // what is drawn there; empty if nothing is, or blank
	Width      int    // columns: 1, or 2, and then the column behind it has no cell
	Foreground Color
	Background Color
	Line       Color // of the underline; the default one is the text's
	Underline  Underline
	Style      Style
}

// Style is how a cell's text is drawn: any of these together (ctlseqs, SGR).
type Style uint8

const (
	Bold Style = 1 << iota
	Dim
	Italic
	Blink
	Inverse // foreground and background are exchanged
	Hidden
	Strike
	Overline
)

// Underline is how a cell is underlined (ctlseqs, SGR 4:n).
type Underline uint8

const (
	NoUnderline Underline = iota
	SingleUnderline
	DoubleUnderline
	CurlyUnderline
	DottedUnderline
	DashedUnderline
)

// Color is one that was asked for. The zero value is the terminal's own.
type Color struct{ c color }

// Index returns the colour's place among the 256 (ctlseqs, SGR 38;5), not ok if it is the terminal's own or an RGB.
func (c Color) Index() (index int, ok bool) {
	kind := c.c & colorKind
	return int(c.c & colorValue), kind == colorBasic || kind == colorPalette
}

// IsBasic reports whether it is one of the 16 that SGR 30 to 37 and 90 to 97 choose. Bold text has the bright one of it.
func (c Color) IsBasic() bool { return c.c&colorKind == colorBasic }

// RGB returns red, green and blue, 8 bits each, as xterm.js has them; not ok if it is the terminal's own.
func (c Color) RGB() (rgb uint32, ok bool) {
	if index, ok := c.Index(); ok {
		return Palette(index), true
	}
	return uint32(c.c & colorValue), c.c&colorKind == colorRGB
}

// basicColors are the first 16 of xterm.js, which are those of Tango.
var basicColors = [16]uint32{0x2e3436, 0xcc0000, 0x4e9a06, 0xc4a000, 0x3465a4, 0x75507b, 0x06989a, 0xd3d7cf,
	0x555753, 0xef2929, 0x8ae234, 0xfce94f, 0x729fcf, 0xad7fa8, 0x34e2e2, 0xeeeeec}

// Palette returns a colour of the 256 as RGB: 16, a cube of 6×6×6, and 24 greys. Other numbers are taken modulo 256.
func Palette(index int) uint32 {
	n := uint32(uint8(index))
	switch {
	case n < 16:
		return basicColors[n]
	case n >= 232:
		return (8 + 10*(n-232)) * 0x010101
	}
	level := func(v uint32) uint32 {
		if v == 0 {
			return 0
		}
		return 55 + 40*v
	}
	n -= 16
	return level(n/36)<<16 | level(n/6%6)<<8 | level(n%6)
}

var drawnStyles = [...]struct {
	style style
	drawn Style
}{{styleBold, Bold}, {styleDim, Dim}, {styleItalic, Italic}, {styleBlink, Blink}, {styleInverse, Inverse}, {styleHidden, Hidden},
	{styleStrike, Strike}, {styleOverline, Overline}}

// Row gives the cells of row y, from 0, with their columns. There is none for a column that a wide character covers, nor for
// those at the end where nothing ever was.
func (t *Terminal) Row(y int) iter.Seq2[int, Cell] {
	return func(yield func(x int, c Cell) bool) {
		if y < 0 || y >= t.rows {
			return
		}
		l, end := t.screen.lines[y], t.cols
		if l.fill == (cell{}) {
			end = min(end, l.end)
		}
		for x := 0; x < end; {
			c := t.drawn(l.at(x))
			if !yield(x, c) {
				return
			}
			x += c.Width
		}
	}
}

func (t *Terminal) drawn(c cell) Cell {
	d := Cell{Width: max(c.content.width(), 1), Foreground: Color{c.pen.fg}, Background: Color{c.pen.bg}}
	if !c.isBlank() {
		var room [8]byte
		d.Text = string(t.appendText(room[:0], c))
	}
	if c.pen.style == 0 {
		return d
	}
	for _, s := range drawnStyles {
		if c.pen.style&s.style != 0 {
			d.Style |= s.drawn
		}
	}
	if c.pen.style&styleUnderline != 0 {
		d.Underline = SingleUnderline
	}
	if c.pen.style&styleExtended != 0 {
		e := t.extended.list[c.pen.ext]
		if d.Underline != NoUnderline {
			d.Underline = max(Underline(e.underline), SingleUnderline)
		}
		d.Line = Color{e.color}
	}
	return d
}
