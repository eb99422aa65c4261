package terminal

import "unicode/utf8"

// A cell is one place of the grid. The zero cell is blank and was never written.
type cell struct {
	content content
	pen     pen
}

// content is a rune, or the index of a cluster of runes, and how many columns it takes. No rune at all, 0, is not the same
// as a space: it is what erasing leaves, and is not part of the line's text.
type content uint32

const (
	contentRune    content = 1<<21 - 1
	contentWide    content = 1 << 29 // two columns; the cell behind it is a spacer
	contentZero    content = 1 << 30 // no column: the spacer, or a combining rune with nothing to combine with
	contentCluster content = 1 << 31
)

func contentOf(r rune, width int) content {
	switch width {
	case 0:
		return content(r) | contentZero
	case 2:
		return content(r) | contentWide
	}
	return content(r)
}

func (c content) width() int {
	switch {
	case c&contentWide != 0:
		return 2
	case c&contentZero != 0:
		return 0
	}
	return 1
}

// hasText reports whether there is a rune in it.
func (c content) hasText() bool { return c&(contentRune|contentCluster) != 0 }

// isSpacer reports whether it is the right half of a wide character.
func (c cell) isSpacer() bool { return c.content == contentZero }

// isBlank reports whether nothing is seen of its text.
func (c cell) isBlank() bool { return c.content&^contentWide == 0 || c.content == ' ' }

// pen is how characters are drawn.
type pen struct {
	fg, bg color
	style  style
	ext    uint16 // index in the terminal's extendedTable; counts only where style has styleExtended
}

type style uint16

const (
	styleBold style = 1 << iota
	styleDim
	styleItalic
	styleUnderline
	styleBlink
	styleInverse
	styleHidden
	styleStrike
	styleOverline
	styleProtected // DECSCA: DECSED and DECSEL leave it (VT510, DECSCA)
	styleExtended
)

// color is a kind and a value; 0 is the default one.
type color uint32

const (
	colorBasic   color = 1 << 24 // SGR 30 to 37 and 90 to 97: 0 to 15
	colorPalette color = 2 << 24 // SGR 38;5: 0 to 255
	colorRGB     color = 3 << 24
	colorKind    color = 3 << 24
	colorValue   color = 1<<24 - 1
)

// stamp returns what of the pen goes into a cell.
func (p pen) stamp() pen {
	if p.style&styleExtended == 0 {
		p.ext = 0
	}
	return p
}

// erased returns what erasing with the pen leaves: the background ("back color erase").
func (p pen) erased() cell { return cell{pen: pen{bg: p.bg}} }

// appendText appends the runes of a cell.
func (t *Terminal) appendText(dst []byte, c cell) []byte {
	switch {
	case c.content&contentCluster != 0:
		return append(dst, t.clusters.get(c.content)...)
	case c.content&contentRune != 0:
		return utf8.AppendRune(dst, rune(c.content&contentRune))
	}
	return dst
}
