package main

import (
	"bufio"
	"io"
	"strings"

	"github.com/rivo/uniseg"
)

// column is one column of a table.
type column struct {
	title string
	right bool // aligned to the right
	// keep says how long the column stays when the terminal is narrow: 0 for ever, else the highest goes first.
	keep int
	// least is how narrow the column may become; 0 means that it is never shortened.
	least int
}

const columnGap = 2

// writeTable writes rows under their titles, aligned by what a terminal shows (CJK characters take two columns). With
// width > 0 columns are shortened, then dropped, until a row fits. No line ends in spaces.
func writeTable(w io.Writer, columns []column, rows [][]string, width int) error {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = uniseg.StringWidth(c.title)
		for _, row := range rows {
			widths[i] = max(widths[i], uniseg.StringWidth(row[i]))
		}
	}
	if width > 0 {
		fitTable(columns, widths, width)
	}
	out := bufio.NewWriter(w)
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.title
	}
	writeRow(out, columns, titles, widths)
	for _, row := range rows {
		writeRow(out, columns, row, widths)
	}
	return out.Flush()
}

// fitTable makes widths fit: a dropped column gets width 0.
func fitTable(columns []column, widths []int, width int) {
	shortest := func(i int) int {
		if least := columns[i].least; least > 0 && widths[i] > 0 {
			return min(widths[i], max(least, uniseg.StringWidth(columns[i].title)))
		}
		return widths[i]
	}
	for total(widths, shortest) > width {
		last := -1
		for i, c := range columns {
			if widths[i] > 0 && c.keep > 0 && (last < 0 || c.keep > columns[last].keep) {
				last = i
			}
		}
		if last < 0 {
			break
		}
		widths[last] = 0
	}
	current := func(i int) int { return widths[i] }
	for excess := total(widths, current) - width; excess > 0; excess-- {
		widest := -1
		for i := range columns {
			if widths[i] > shortest(i) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

func total(widths []int, of func(i int) int) int {
	sum := -columnGap
	for i := range widths {
		if w := of(i); w > 0 {
			sum += w + columnGap
		}
	}
	return sum
}

func writeRow(w *bufio.Writer, columns []column, row []string, widths []int) {
	pending := 0
	for i, cell := range row {
		if widths[i] == 0 {
			continue
		}
		cell = shorten(cell, widths[i])
		free := widths[i] - uniseg.StringWidth(cell)
		if columns[i].right {
			pending, free = pending+free, 0
		}
		if cell != "" {
			w.WriteString(strings.Repeat(" ", pending))
			w.WriteString(cell)
			pending = 0
		} else {
			free = widths[i]
		}
		pending += free + columnGap
	}
	w.WriteByte('\n')
}

// shorten cuts s to at most width columns between characters as people see them, and marks the cut.
func shorten(s string, width int) string {
	if uniseg.StringWidth(s) <= width {
		return s
	}
	used, end, state := 0, 0, -1
	for rest := s; rest != ""; {
		var cluster string
		var w int
		cluster, rest, w, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used+w > width-1 {
			break
		}
		used += w
		end += len(cluster)
	}
	return s[:end] + "…"
}
