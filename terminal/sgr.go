package terminal

// styles are the parameters of SGR that only set or clear parts of the style.
var styles = [...]struct{ set, clear style }{
	1: {set: styleBold}, 2: {set: styleDim}, 3: {set: styleItalic}, 5: {set: styleBlink}, 7: {set: styleInverse},
	8: {set: styleHidden}, 9: {set: styleStrike}, 22: {clear: styleBold | styleDim}, 23: {clear: styleItalic},
	25: {clear: styleBlink}, 27: {clear: styleInverse}, 28: {clear: styleHidden}, 29: {clear: styleStrike},
	53: {set: styleOverline}, 55: {clear: styleOverline},
}

// selectGraphics is SGR (ctlseqs, "CSI Pm m"; ECMA-48, 8.3.117).
func (t *Terminal) selectGraphics() {
	a := &t.parser.params
	for i := 0; i < a.n; i++ {
		p := &t.pen
		switch n := int(a.list[i]); {
		case n == 0:
			t.resetGraphics()
		case n >= 30 && n <= 37:
			p.fg = colorBasic | color(n-30)
		case n >= 40 && n <= 47:
			p.bg = colorBasic | color(n-40)
		case n >= 90 && n <= 97:
			p.fg = colorBasic | color(n-90+8)
		case n >= 100 && n <= 107:
			p.bg = colorBasic | color(n-100+8)
		case n == 4:
			style := uint8(1)
			if subs := a.subsOf(i); len(subs) > 0 && subs[0] >= 0 && subs[0] <= 5 {
				style = uint8(subs[0])
			}
			t.underline(style)
		case n == 21:
			t.underline(2)
		case n == 24:
			t.underline(0)
		case n == 38 || n == 48 || n == 58:
			i += t.selectColor(i)
		case n == 39:
			p.fg = 0
		case n == 49:
			p.bg = 0
		case n == 59:
			v := t.extended.list[p.ext]
			v.color = colorRGB | colorValue // meant is the text's colour, but in xterm.js it is white
			t.setExtended(v)
		case n < len(styles):
			p.style = p.style&^styles[n].clear | styles[n].set
		}
	}
}

// resetGraphics is SGR 0, which does not end a link.
func (t *Terminal) resetGraphics() {
	ext := t.pen.ext
	t.pen = pen{ext: ext}
	if ext != 0 {
		t.setExtended(extended{link: t.extended.list[ext].link})
	}
}

// underline is SGR 4 with a style (ctlseqs, SGR 4:n).
func (t *Terminal) underline(style uint8) {
	t.pen.style |= styleUnderline
	if style == 0 {
		t.pen.style &^= styleUnderline
	}
	v := t.extended.list[t.pen.ext]
	v.underline = style
	t.setExtended(v)
}

// selectColor is SGR 38, 48 or 58 at parameter i: of the palette (5), or red, green and blue (2). What follows is set off by
// colons or by semicolons (ISO 8613-6; ctlseqs), or by both. It returns the number of further parameters that it took.
func (t *Terminal) selectColor(i int) int {
	a := &t.parser.params
	// The parts are 38, 5, -, index, or 38, 2, colour space, red, green, blue. With semicolons there is no colour space.
	var part [6]int32
	part[2] = absent
	space, took := 0, 0
	for {
		part[took+space] = a.list[i+took]
		if subs := a.subsOf(i + took); len(subs) > 0 {
			for k, v := range subs {
				if part[1] == 5 {
					space = 1
				}
				if at := took + k + 1 + space; at < len(part) {
					part[at] = v
				}
			}
			break
		}
		if part[1] == 5 && took+space >= 2 || part[1] == 2 && took+space >= 5 {
			break
		}
		if part[1] != 0 {
			space = 1
		}
		took++
		if i+took >= a.n || took+space >= len(part) {
			break
		}
	}
	for k := 2; k < len(part); k++ {
		part[k] = max(part[k], 0)
	}
	set := func(c color) color {
		switch part[1] {
		case 2:
			return colorRGB | color(part[3]&0xff)<<16 | color(part[4]&0xff)<<8 | color(part[5]&0xff)
		case 5:
			return colorPalette | color(part[3]&0xff)
		}
		return c
	}
	switch part[0] {
	case 38:
		t.pen.fg = set(t.pen.fg)
	case 48:
		t.pen.bg = set(t.pen.bg)
	case 58:
		// xterm.js does not look here whether there is an underline: after DECRC there may be none.
		v := t.extended.list[t.pen.ext]
		v.color = set(v.color)
		t.pen.ext = t.extend(v)
	}
	return took
}
