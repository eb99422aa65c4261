package main

import (
	"os"

	"golang.org/x/term"
)

// asTerminal returns the terminal behind a reader or writer, or nil if it is a pipe, a file or no file at all.
func asTerminal(v any) *os.File {
	if f, ok := v.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// terminalWidth is how many columns the terminal behind v has; 0 if it is none, which means: as many as one likes.
func terminalWidth(v any) int {
	f := asTerminal(v)
	if f == nil {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}
