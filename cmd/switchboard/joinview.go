package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// joinView draws what a session's terminal shows on another one, of whatever size. Nothing that the session sends gets to that
// other one but what is seen: a program cannot command it.
type joinView struct {
	out        io.Writer
	cols, rows int // of the person's terminal
	status     string
	term       *terminal.Terminal

	left, top int      // of the part that is seen
	drawn     []string // rows, as they are on the person's terminal
	cursor    string
	keys      string
}

// enter takes the person's terminal over; leave gives it back.
const (
	viewEnter = "\x1b[?1049h\x1b[?7l\x1b[2J"
	viewLeave = "\x1b[0m\x1b[?1l\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// begin takes what the session's terminal shows.
func (v *joinView) begin(size session.Size, data []byte) {
	v.term = terminal.New(size.Cols, size.Rows)
	v.term.Write(data)
}

// resize is told of the size of the person's terminal.
func (v *joinView) resize(cols, rows int) {
	v.cols, v.rows = cols, rows
	v.drawn = nil
}

// draw brings the person's terminal up to date.
func (v *joinView) draw() error {
	var b strings.Builder
	if v.drawn == nil {
		b.WriteString("\x1b[0m\x1b[2J")
		v.drawn, v.cursor = make([]string, v.rows), ""
	}
	cols, rows := v.term.Size()
	x, y, shown := v.term.Cursor()
	seen := min(rows, v.rows)
	v.left, v.top = follow(v.left, x, min(cols, v.cols), cols), follow(v.top, y, seen, rows)
	for i := range v.rows {
		row := ""
		switch {
		case i < seen:
			row = v.row(v.top + i)
		case i == v.rows-1: // there is room below
			row = "\x1b[7m" + shorten(v.status, v.cols)
		}
		if row != v.drawn[i] {
			fmt.Fprintf(&b, "\x1b[%d;1H\x1b[0m%s\x1b[0m\x1b[K", i+1, row)
			v.drawn[i] = row
		}
	}
	if keys := v.keyModes(); keys != v.keys {
		b.WriteString(keys)
		v.keys = keys
	}
	cursor := "\x1b[?25l"
	if shown {
		cursor = fmt.Sprintf("\x1b[%d;%dH\x1b[?25h", y-v.top+1, x-v.left+1)
	}
	if b.Len() > 0 || cursor != v.cursor {
		b.WriteString(cursor)
		v.cursor = cursor
	}
	_, err := io.WriteString(v.out, b.String())
	return err
}

// keyModes has the person's keys say what the program expects.
func (v *joinView) keyModes() string {
	set := func(mode int, on bool) string {
		if on {
			return fmt.Sprintf("\x1b[?%dh", mode)
		}
		return fmt.Sprintf("\x1b[?%dl", mode)
	}
	arrows, paste := v.term.Keys()
	return set(1, arrows) + set(2004, paste)
}

// follow moves the first of n that are seen, of all there are, so that at is among them.
func follow(first, at, n, all int) int {
	first = min(max(first, at-n+1), at)
	return max(0, min(first, all-n))
}

// row is what is seen of a row, as text with its colours.
func (v *joinView) row(y int) string {
	var b strings.Builder
	pen, end := "", 0
	for x, c := range v.term.Row(y) {
		if x < v.left || x+c.Width > v.left+v.cols {
			continue
		}
		p := penOf(c)
		if c.Text == "" && p == "0" {
			continue
		}
		if gap := x - v.left - end; gap > 0 {
			if pen != "0" && pen != "" {
				b.WriteString("\x1b[0m")
			}
			b.WriteString(strings.Repeat(" ", gap))
			pen = "0"
		}
		if p != pen {
			b.WriteString("\x1b[" + p + "m")
			pen = p
		}
		text := c.Text
		if text == "" {
			text = strings.Repeat(" ", c.Width)
		}
		b.WriteString(text)
		end = x - v.left + c.Width
	}
	return b.String()
}

var penStyles = []struct {
	style terminal.Style
	code  string
}{{terminal.Bold, ";1"}, {terminal.Dim, ";2"}, {terminal.Italic, ";3"}, {terminal.Blink, ";5"}, {terminal.Inverse, ";7"},
	{terminal.Hidden, ";8"}, {terminal.Strike, ";9"}, {terminal.Overline, ";53"}}

// penOf is the parameters of SGR that draw as a cell is drawn (ctlseqs, SGR).
func penOf(c terminal.Cell) string {
	p := "0"
	for _, s := range penStyles {
		if c.Style&s.style != 0 {
			p += s.code
		}
	}
	if c.Underline != terminal.NoUnderline {
		p += ";4"
	}
	return p + colorOf(c.Foreground, 30) + colorOf(c.Background, 40)
}

func colorOf(c terminal.Color, base int) string {
	if i, ok := c.Index(); ok {
		switch {
		case i < 8 && c.IsBasic():
			return ";" + strconv.Itoa(base+i)
		case i < 16 && c.IsBasic():
			return ";" + strconv.Itoa(base+60+i-8)
		}
		return fmt.Sprintf(";%d;5;%d", base+8, i)
	}
	if rgb, ok := c.RGB(); ok {
		return fmt.Sprintf(";%d;2;%d;%d;%d", base+8, rgb>>16, rgb>>8&255, rgb&255)
	}
	return ""
}
