package terminal

// sgrCodes are what SGR sets each style with. An underline may have a style of its own instead.
var sgrCodes = [...]struct {
	style style
	code  string
}{
	{styleBold, "1"}, {styleDim, "2"}, {styleItalic, "3"}, {styleBlink, "5"}, {styleInverse, "7"}, {styleHidden, "8"},
	{styleStrike, "9"}, {styleOverline, "53"},
}

// drawWith makes p the pen.
func (w *snapshot) drawWith(p pen) {
	if link := w.linkOf(p); link != w.link {
		l := w.t.extended.links[link]
		w.text("\x1b]8;")
		if l.name != "" {
			w.text("id=")
			w.text(l.name)
		}
		w.text(";")
		w.text(l.address)
		w.text("\x1b\\")
		w.link = link
	}
	old := w.pen
	if p == old {
		return
	}
	w.pen = p
	first := true
	code := func(s string) {
		if first {
			w.text("\x1b[")
		} else {
			w.text(";")
		}
		first = false
		w.text(s)
	}
	const drawn = ^(styleProtected | styleExtended)
	if (old.style&^p.style)&drawn != 0 || p.style&drawn == 0 && p.fg == 0 && p.bg == 0 ||
		p.style&old.style&styleUnderline != 0 && w.underlineOf(p) != w.underlineOf(old) {
		if old.style&drawn != 0 || old.fg != 0 || old.bg != 0 {
			code("")
			old = pen{}
		}
	}
	for _, c := range sgrCodes {
		if p.style&^old.style&c.style != 0 {
			code(c.code)
		}
	}
	if p.style&^old.style&styleUnderline != 0 {
		u := w.underlineOf(p)
		code("4")
		if u.underline > 1 {
			w.text(":")
			w.number(int(u.underline))
		}
		if u.color != 0 {
			code("")
			w.color(u.color, "58", "")
		}
	}
	if p.fg != old.fg {
		code("")
		w.color(p.fg, "3", "9")
	}
	if p.bg != old.bg {
		code("")
		w.color(p.bg, "4", "10")
	}
	if !first {
		w.text("m")
	}
	if (p.style^old.style)&styleProtected != 0 {
		w.text("\x1b[")
		w.number(index(p.style&styleProtected != 0))
		w.text("\"q")
	}
}

func (w *snapshot) linkOf(p pen) uint16 {
	if p.style&styleExtended == 0 {
		return 0
	}
	return w.t.extended.list[p.ext].link
}

// underlineOf is the extended of a pen without its link, which SGR says nothing of.
func (w *snapshot) underlineOf(p pen) extended {
	if p.style&styleExtended == 0 {
		return extended{}
	}
	v := w.t.extended.list[p.ext]
	v.link = 0
	return v
}

// penColor is the colour of underlines that the terminal's pen has though it draws none now.
func (w *snapshot) penColor() {
	v := w.t.extended.list[w.t.pen.ext]
	if v.color == 0 || w.t.pen.style&styleUnderline != 0 && w.underlineOf(w.t.pen).color == v.color {
		return
	}
	w.text("\x1b[")
	w.color(v.color, "58", "")
	w.text("m")
}

// color is the SGR code of a colour: basic ones begin with basic, or bright if they are, others with what is 38, 48 or 58.
func (w *snapshot) color(c color, basic, bright string) {
	v := int(c & colorValue)
	switch c & colorKind {
	case 0:
		w.text(basic)
		w.text("9")
	case colorBasic:
		if v < 8 {
			w.text(basic)
		} else {
			w.text(bright)
		}
		w.number(v & 7)
	case colorPalette:
		w.colorStart(basic)
		w.text("5")
		w.colorPart(basic, v)
	case colorRGB:
		w.colorStart(basic)
		w.text("2")
		if basic == "58" {
			w.text(":")
		}
		w.colorPart(basic, v>>16)
		w.colorPart(basic, v>>8&0xff)
		w.colorPart(basic, v&0xff)
	}
}

func (w *snapshot) colorStart(basic string) {
	w.text(basic)
	if basic == "58" {
		w.text(":")
	} else {
		w.text("8;")
	}
}

func (w *snapshot) colorPart(basic string, v int) {
	if basic == "58" {
		w.text(":")
	} else {
		w.text(";")
	}
	w.number(v)
}
