package terminal

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// view is a terminal's whole state as the oracle says it, and as ours is said to be compared.
type view struct {
	Cols, Rows    int
	Alt           bool
	Broken        bool
	Title         string
	Active, Other viewScreen
	Pen           string
	Join, Parser  int
	Charset       string
	Charsets      string
	Glevel        int
	Hidden        bool
	Modes         string
}

type viewScreen struct {
	Lines          []viewLine
	X, Y           int
	Top, Bottom    int
	Tabs           string
	SavedX, SavedY int
	SavedPen       string
	SavedCharset   string
}

type viewLine struct {
	Wrapped          bool
	Text, Attributes string
}

// viewModes are in the order of their fields in the oracle.
type viewModes struct {
	ApplicationCursorKeys bool   `json:"applicationCursorKeys"`
	ApplicationKeypad     bool   `json:"applicationKeypad"`
	BracketedPasteMode    bool   `json:"bracketedPasteMode"`
	CursorBlink           *bool  `json:"cursorBlink,omitempty"`
	CursorStyle           string `json:"cursorStyle,omitempty"`
	Origin                bool   `json:"origin"`
	ReverseWraparound     bool   `json:"reverseWraparound"`
	SendFocus             bool   `json:"sendFocus"`
	SynchronizedOutput    bool   `json:"synchronizedOutput"`
	Wraparound            bool   `json:"wraparound"`
	Insert                bool   `json:"insert"`
	Newline               bool   `json:"newline"`
	Blink                 bool   `json:"blink"`
	Mouse                 string `json:"mouse"`
	Encoding              string `json:"encoding"`
}

func viewOf(t *Terminal) *view {
	other := &t.alt
	if t.IsAlternate() {
		other = &t.main
	}
	v := &view{
		Cols: t.cols, Rows: t.rows, Alt: t.IsAlternate(), Title: t.title,
		Active: viewScreenOf(t, t.screen), Other: viewScreenOf(t, other),
		Pen: t.viewPen(t.pen), Join: t.join, Charset: viewCharset(t.charset), Glevel: t.level, Hidden: t.modes.hideCursor,
	}
	sets := make([]string, 4)
	for g := range sets {
		sets[g] = viewCharset(t.charsets[g])
	}
	v.Charsets = strings.Join(sets, " ")
	m := t.modes
	modes := viewModes{
		ApplicationCursorKeys: m.cursorKeys, ApplicationKeypad: m.keypad, BracketedPasteMode: m.bracketedPaste,
		Origin: m.origin, ReverseWraparound: m.reverseWraparound, SendFocus: m.focus, SynchronizedOutput: m.synchronized,
		Wraparound: m.wraparound, Insert: m.insert, Newline: m.newline, Blink: m.blink,
		Mouse:    map[uint16]string{0: "NONE", 9: "X10", 1000: "VT200", 1002: "DRAG", 1003: "ANY"}[m.mouse],
		Encoding: map[uint16]string{0: "DEFAULT", 1006: "SGR", 1016: "SGR_PIXELS"}[m.encoding],
	}
	if m.cursorStyle > 0 {
		blink := m.cursorStyle%2 == 1
		modes.CursorBlink = &blink
		modes.CursorStyle = []string{"block", "underline", "bar"}[(m.cursorStyle-1)/2]
	}
	p, _ := json.Marshal(modes)
	v.Modes = string(p)
	return v
}

func viewScreenOf(t *Terminal, s *screen) viewScreen {
	v := viewScreen{X: s.x, Y: s.y, Top: s.top, Bottom: s.bottom, SavedX: s.saved.x, SavedY: s.saved.y,
		SavedPen: viewSaved(t, s.saved.pen), SavedCharset: viewCharset(s.saved.charset)}
	for _, l := range s.lines {
		v.Lines = append(v.Lines, viewLineOf(t, l))
	}
	var tabs []string
	for x := range 64 * len(s.tabs) {
		if s.tabs.has(x) {
			tabs = append(tabs, fmt.Sprint(x))
		}
	}
	v.Tabs = strings.Join(tabs, " ")
	return v
}

func viewSaved(t *Terminal, p pen) string {
	v := t.viewPen(p)
	v = v[:strings.LastIndex(v, "/")+1]
	if p.style&styleExtended != 0 {
		v += "+"
	}
	return v
}

func viewLineOf(t *Terminal, l *line) viewLine {
	v := viewLine{Wrapped: l.wrapped}
	var texts, runs []string
	count, last := 0, ""
	flush := func() {
		if count > 0 {
			runs = append(runs, fmt.Sprintf("%d %s", count, last))
		}
	}
	for x := range l.width {
		c := l.at(x)
		text := string(t.appendText(nil, c))
		if w := c.content.width(); w != 1 {
			text = fmt.Sprintf("\x7f%d%s", w, text)
		}
		texts = append(texts, text)
		attributes := t.viewPen(c.pen)
		if attributes != last {
			flush()
			count, last = 0, attributes
		}
		count++
	}
	flush()
	v.Text, v.Attributes = strings.Join(texts, "\n"), strings.Join(runs, "\n")
	return v
}

func (t *Terminal) viewPen(p pen) string {
	if p == (pen{}) {
		return "///"
	}
	var flags strings.Builder
	for _, f := range []struct {
		style style
		name  byte
	}{{styleBold, 'b'}, {styleDim, 'd'}, {styleItalic, 'i'}, {styleUnderline, 'u'}, {styleBlink, 'k'}, {styleInverse, 'v'},
		{styleHidden, 'h'}, {styleStrike, 's'}, {styleOverline, 'o'}, {styleProtected, 'p'}} {
		if p.style&f.style != 0 {
			flags.WriteByte(f.name)
		}
	}
	ext := ""
	if p.style&styleExtended != 0 {
		e := t.extended.list[p.ext]
		ext = fmt.Sprintf("%d:%s:%s", e.underline, viewColor(e.color), t.extended.links[e.link].address)
	}
	return viewColor(p.fg) + "/" + viewColor(p.bg) + "/" + flags.String() + "/" + ext
}

func viewColor(c color) string {
	switch v := c & colorValue; c & colorKind {
	case colorBasic:
		return fmt.Sprintf("a%d", v)
	case colorPalette:
		return fmt.Sprintf("p%d", v)
	case colorRGB:
		return fmt.Sprintf("r%06x", v)
	}
	return ""
}

func viewCharset(c charset) string { return charsetPairs[c] }

// difference says how two views differ, or nothing.
func (v *view) difference(w *view) []string {
	var d []string
	add := func(name string, a, b any) {
		if a != b {
			d = append(d, fmt.Sprintf("%s %v != %v", name, a, b))
		}
	}
	add("size", [2]int{v.Cols, v.Rows}, [2]int{w.Cols, w.Rows})
	add("alt", v.Alt, w.Alt)
	add("title", v.Title, w.Title)
	add("pen", v.Pen, w.Pen)
	add("join", v.Join, w.Join)
	add("charset", v.Charset, w.Charset)
	add("charsets", v.Charsets, w.Charsets)
	add("level", v.Glevel, w.Glevel)
	add("hidden", v.Hidden, w.Hidden)
	add("modes", v.Modes, w.Modes)
	d = append(d, v.Active.difference("active", w.Active)...)
	return append(d, v.Other.difference("other", w.Other)...)
}

func (v viewScreen) difference(name string, w viewScreen) []string {
	var d []string
	add := func(what string, a, b any) {
		if a != b {
			d = append(d, fmt.Sprintf("%s %s %q != %q", name, what, fmt.Sprint(a), fmt.Sprint(b)))
		}
	}
	add("cursor", [2]int{v.X, v.Y}, [2]int{w.X, w.Y})
	add("margins", [2]int{v.Top, v.Bottom}, [2]int{w.Top, w.Bottom})
	add("tabs", v.Tabs, w.Tabs)
	add("saved", [2]int{v.SavedX, v.SavedY}, [2]int{w.SavedX, w.SavedY})
	add("saved pen", v.SavedPen, w.SavedPen)
	add("saved charset", v.SavedCharset, w.SavedCharset)
	add("lines", len(v.Lines), len(w.Lines))
	if !slices.Equal(v.Lines, w.Lines) {
		for y := range min(len(v.Lines), len(w.Lines)) {
			a, b := v.Lines[y], w.Lines[y]
			add(fmt.Sprintf("line %d wrapped", y), a.Wrapped, b.Wrapped)
			add(fmt.Sprintf("line %d text", y), a.Text, b.Text)
			add(fmt.Sprintf("line %d attributes", y), a.Attributes, b.Attributes)
		}
	}
	return d
}
