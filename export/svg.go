package export

import (
	"strconv"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/terminal"
)

// SVGType is the media type of a picture.
const SVGType = "image/svg+xml"

// The measures of a picture, in tenths of a pixel: those of common monospaced fonts at 14 px.
const (
	svgFont   = 140
	svgCol    = 84
	svgRow    = 170
	svgBase   = 128 // of the text's baseline in its row
	svgMargin = 100
)

// The terminal's own colours, RGB.
const (
	svgForeground = 0xd3d7cf
	svgBackground = 0x16181a
)

// AppendSVG appends a still picture of a terminal's screen: a whole SVG file, without scripts, links, fonts or anything else
// from outside. What blinks does not.
func AppendSVG(dst []byte, t *terminal.Terminal) []byte {
	cols, rows := t.Size()
	d := drawing{b: dst}
	d.open(cols, rows, t.Title())
	for y := range rows {
		d.b = append(d.b, `<g transform="translate(0 `...)
		d.tenths(y * svgRow)
		d.b = append(d.b, `)">`...)
		d.row(t, y)
		d.b = append(d.b, "</g>\n"...)
	}
	d.close()
	return d.b
}

// drawing makes SVG 1.1 of rows of cells.
type drawing struct {
	b     []byte
	cells []drawnCell // of the row
}

// drawnCell is a cell with its colours as they are seen.
type drawnCell struct {
	terminal.Cell
	x      int
	fg, bg uint32
	filled bool // its background is not the terminal's own
}

// open begins the file: its size, and what all rows share.
func (d *drawing) open(cols, rows int, title string) {
	width, height := cols*svgCol+2*svgMargin, rows*svgRow+2*svgMargin
	d.b = append(d.b, `<svg xmlns="http://www.w3.org/2000/svg"`...)
	d.attribute("width", width)
	d.attribute("height", height)
	d.b = append(d.b, ` viewBox="0 0 `...)
	d.tenths(width)
	d.b = append(d.b, ' ')
	d.tenths(height)
	d.b = append(d.b, "\">\n"...)
	if title != "" {
		d.b = append(appendXML(append(d.b, "<title>"...), title), "</title>\n"...)
	}
	d.b = append(d.b, `<rect width="100%" height="100%" rx="6" fill="`...)
	d.color(svgBackground)
	d.b = append(d.b, `"/>
<g transform="translate(`...)
	d.tenths(svgMargin)
	d.b = append(d.b, ' ')
	d.tenths(svgMargin)
	d.b = append(d.b, `)" xml:space="preserve" direction="ltr" font-size="`...)
	d.tenths(svgFont)
	d.b = append(d.b, `" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace" fill="`...)
	d.color(svgForeground)
	d.b = append(d.b, "\">\n"...)
}

func (d *drawing) close() { d.b = append(d.b, "</g>\n</svg>\n"...) }

// row draws one row, its upper left corner at 0, 0.
func (d *drawing) row(t *terminal.Terminal, y int) {
	d.cells = d.cells[:0]
	cx, cy, shown := t.Cursor()
	for x, c := range t.Row(y) {
		cell := seen(c)
		cell.x = x
		if shown && y == cy && cx >= x && cx < x+c.Width {
			cell.fg, cell.bg, cell.filled = cell.bg, cell.fg, true
		}
		d.cells = append(d.cells, cell)
	}
	if n := len(d.cells); shown && y == cy && (n == 0 || cx >= d.cells[n-1].x+d.cells[n-1].Width) {
		d.cells = append(d.cells, drawnCell{Cell: terminal.Cell{Width: 1}, x: cx, bg: svgForeground, filled: true})
	}
	d.backgrounds()
	for i := 0; i < len(d.cells); {
		n := d.run(i)
		d.text(d.cells[i : i+n])
		i += n
	}
}

// seen is a cell with the colours that it is seen in.
func seen(c terminal.Cell) drawnCell {
	d := drawnCell{Cell: c, fg: svgForeground, bg: svgBackground}
	if index, ok := c.Foreground.Index(); ok && c.Foreground.IsBasic() && index < 8 && c.Style&terminal.Bold != 0 {
		d.fg = terminal.Palette(index + 8)
	} else if rgb, ok := c.Foreground.RGB(); ok {
		d.fg = rgb
	}
	if rgb, ok := c.Background.RGB(); ok {
		d.bg, d.filled = rgb, true
	}
	if c.Style&terminal.Inverse != 0 {
		d.fg, d.bg, d.filled = d.bg, d.fg, true
	}
	return d
}

// backgrounds fills what is not of the terminal's own colour.
func (d *drawing) backgrounds() {
	for i := 0; i < len(d.cells); {
		first := d.cells[i]
		end := first.x
		for ; i < len(d.cells) && d.cells[i].x == end && d.cells[i].filled == first.filled && d.cells[i].bg == first.bg; i++ {
			end = d.cells[i].x + d.cells[i].Width
		}
		if !first.filled {
			continue
		}
		d.b = append(d.b, `<rect`...)
		d.attribute("x", first.x*svgCol)
		d.attribute("width", (end-first.x)*svgCol)
		d.attribute("height", svgRow)
		d.b = append(d.b, ` fill="`...)
		d.color(first.bg)
		d.b = append(d.b, `"/>`...)
	}
}

// run is how many cells from the i-th on are drawn as one text: of one look, and each of one letter of ASCII. What is not
// ASCII may come of another font, of other widths, and is put in its own place; what is blank at the end is not drawn.
func (d *drawing) run(i int) int {
	first, end := &d.cells[i], i+1
	if first.isBlank() || !first.isPlain() {
		return 1
	}
	for j := i + 1; j < len(d.cells); j++ {
		c := &d.cells[j]
		if !c.looksLike(first) || !c.isPlain() {
			break
		}
		if !c.isBlank() {
			end = j + 1
		}
	}
	return end - i
}

func (c *drawnCell) isPlain() bool { return len(c.Text) <= 1 }

// isBlank reports whether there is nothing to be drawn but a background.
func (c *drawnCell) isBlank() bool {
	return c.Style&terminal.Hidden != 0 || c.Text == "" && c.Underline == 0 && c.Style&(terminal.Strike|terminal.Overline) == 0
}

func (c *drawnCell) looksLike(o *drawnCell) bool {
	return c.fg == o.fg && c.Style == o.Style && c.Underline == o.Underline && c.Line == o.Line && c.Width == o.Width
}

// text draws a run.
func (d *drawing) text(run []drawnCell) {
	first := &run[0]
	if first.isBlank() {
		return
	}
	cols := 0
	for i := range run {
		cols += run[i].Width
	}
	d.b = append(d.b, `<text`...)
	d.attribute("x", first.x*svgCol)
	d.attribute("y", svgBase)
	if cols > 1 || !first.isPlain() {
		d.attribute("textLength", cols*svgCol)
	}
	d.look(first)
	d.b = append(d.b, '>')
	for i := range run {
		if text := run[i].Text; text != "" {
			d.b = appendXML(d.b, text)
		} else {
			d.b = append(d.b, "\u00a0"...) // a space, but one that is underlined
		}
	}
	d.b = append(d.b, "</text>"...)
}

// look writes what a text has besides its place.
func (d *drawing) look(c *drawnCell) {
	if c.fg != svgForeground {
		d.b = append(d.b, ` fill="`...)
		d.color(c.fg)
		d.b = append(d.b, '"')
	}
	for _, s := range [...]struct {
		style terminal.Style
		as    string
	}{{terminal.Bold, ` font-weight="bold"`}, {terminal.Italic, ` font-style="italic"`}, {terminal.Dim, ` opacity="0.5"`}} {
		if c.Style&s.style != 0 {
			d.b = append(d.b, s.as...)
		}
	}
	d.lines(c)
}

var svgUnderlines = [...]string{terminal.SingleUnderline: "", terminal.DoubleUnderline: " double", terminal.CurlyUnderline: " wavy",
	terminal.DottedUnderline: " dotted", terminal.DashedUnderline: " dashed"}

// lines writes which lines go along a text. A style and a colour of its own is CSS, which is passed over where it is not known.
func (d *drawing) lines(c *drawnCell) {
	start := len(d.b)
	line := func(name string) {
		if len(d.b) == start {
			d.b = append(d.b, ` text-decoration="`...)
		} else {
			d.b = append(d.b, ' ')
		}
		d.b = append(d.b, name...)
	}
	if c.Underline != terminal.NoUnderline {
		line("underline")
	}
	if c.Style&terminal.Overline != 0 {
		line("overline")
	}
	if c.Style&terminal.Strike != 0 {
		line("line-through")
	}
	if len(d.b) == start {
		return
	}
	d.b = append(d.b, '"')
	rgb, colored := c.Line.RGB()
	if int(c.Underline) >= len(svgUnderlines) || !colored && svgUnderlines[c.Underline] == "" {
		return
	}
	d.b = append(d.b, ` style="text-decoration:underline`...)
	d.b = append(d.b, svgUnderlines[c.Underline]...)
	if colored {
		d.b = append(d.b, ' ')
		d.color(rgb)
	}
	d.b = append(d.b, '"')
}

func (d *drawing) attribute(name string, tenths int) {
	d.b = append(append(append(d.b, ' '), name...), `="`...)
	d.tenths(tenths)
	d.b = append(d.b, '"')
}

func (d *drawing) tenths(n int) { d.b = appendTenths(d.b, n) }

func appendTenths(b []byte, n int) []byte {
	b = strconv.AppendInt(b, int64(n/10), 10)
	if n%10 != 0 {
		b = append(b, '.', byte('0'+n%10))
	}
	return b
}

func (d *drawing) color(rgb uint32) {
	const digits = "0123456789abcdef"
	d.b = append(d.b, '#')
	for shift := 20; shift >= 0; shift -= 4 {
		d.b = append(d.b, digits[rgb>>shift&0xf])
	}
}

// appendXML appends text so that it is nothing but text: what XML has no characters for (XML 1.0, section 2.2) becomes U+FFFD.
func appendXML(b []byte, text string) []byte {
	for _, r := range text {
		switch {
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '"':
			b = append(b, "&quot;"...)
		case r < 0x20, r >= 0x7f && r < 0xa0, r == 0xfffe, r == 0xffff:
			b = utf8.AppendRune(b, utf8.RuneError)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
