package terminal

import (
	"strconv"
	"strings"
)

// visible is the view without what nothing can show, now or later, or what no sequence can bring back: attributes of blank
// cells that are not drawn, whether such a cell was erased or is a space, and what another screen's cursor is.
func (v *view) visible() *view {
	w := *v
	w.Pen = visiblePen(v.Pen, false)
	w.Active = v.Active.visible(v.Cols)
	w.Other = v.Other.visible(v.Cols)
	w.Other.X, w.Other.Y = 0, 0
	return &w
}

func (v viewScreen) visible(cols int) viewScreen {
	v.SavedX = min(v.SavedX, cols-1)
	v.SavedPen = visiblePen(v.SavedPen, false)
	var tabs []string
	for _, x := range strings.Fields(v.Tabs) {
		if n, _ := strconv.Atoi(x); n < cols {
			tabs = append(tabs, x)
		}
	}
	v.Tabs = strings.Join(tabs, " ")
	lines := make([]viewLine, len(v.Lines))
	for y, l := range v.Lines {
		lines[y] = l.visible(cols)
	}
	v.Lines = lines
	return v
}

// cells returns the texts and attributes of each cell.
func (l viewLine) cells() (texts, attributes []string) {
	texts = strings.Split(l.Text, "\n")
	for run := range strings.SplitSeq(l.Attributes, "\n") {
		count, what, _ := strings.Cut(run, " ")
		n, _ := strconv.Atoi(count)
		for range n {
			attributes = append(attributes, what)
		}
	}
	return texts, attributes
}

func (l viewLine) visible(cols int) viewLine {
	texts, attributes := l.cells()
	texts, attributes = texts[:min(cols, len(texts))], attributes[:min(cols, len(attributes))]
	for x, a := range attributes {
		if texts[x] == "\x7f0" && (x == 0 || !strings.HasPrefix(texts[x-1], "\x7f2")) {
			texts[x] = "" // only half of a wide character
		}
		switch texts[x] {
		case "\x7f0":
			attributes[x] = ""
		case "", " ":
			attributes[x] = visiblePen(a, true)
			if flags := strings.Split(attributes[x], "/"); len(flags) > 2 && flags[2] != "" {
				texts[x] = " "
			}
		default:
			attributes[x] = visiblePen(a, false)
		}
	}
	return viewLine{l.Wrapped, strings.Join(texts, "\n"), strings.Join(attributes, "\n")}
}

// visiblePen is an attribute as it is drawn; blank says that it is that of a blank cell.
func visiblePen(a string, blank bool) string {
	if a == "///" {
		return a
	}
	parts := strings.SplitN(a, "/", 4)
	fg, bg, flags, ext := parts[0], parts[1], parts[2], parts[3]
	if strings.Contains(flags, "u") && (ext == "" || ext[0] == '0') {
		ext = "1" + strings.TrimPrefix(ext, "0")
		if ext == "1" {
			ext = "1::"
		}
	}
	if !strings.Contains(flags, "u") && ext != "" && ext != "+" {
		link := strings.SplitN(ext, ":", 3)[2]
		if ext = ""; link != "" {
			ext = "0::" + link
		}
	}
	if blank {
		flags = strings.Map(func(r rune) rune {
			if strings.ContainsRune("uvso", r) {
				return r
			}
			return -1
		}, flags)
		if flags == "" {
			fg, ext = "", ""
		}
	}
	return fg + "/" + bg + "/" + flags + "/" + ext
}
