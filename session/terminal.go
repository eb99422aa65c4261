package session

import (
	"strconv"
	"strings"
)

// MaxTerminal is the most columns, and rows, that a terminal may have.
const MaxTerminal = 1000

// Size is that of a terminal. The zero value means that it is not known.
type Size struct{ Cols, Rows int }

// DefaultSize is that of a terminal whose size is not known.
var DefaultSize = Size{80, 24}

// ParseSize reads COLSxROWS, each from 1 to MaxTerminal.
func ParseSize(text string) (s Size, ok bool) {
	cols, rows, found := strings.Cut(text, "x")
	s = Size{side(cols), side(rows)}
	return s, found && s.Valid()
}

// side is a number from 1 to MaxTerminal, written as numbers are; 0 if it is none.
func side(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text {
		return 0
	}
	return n
}

// Valid reports whether a terminal may have the size.
func (s Size) Valid() bool {
	return s.Cols >= 1 && s.Cols <= MaxTerminal && s.Rows >= 1 && s.Rows <= MaxTerminal
}

// String is what ParseSize reads.
func (s Size) String() string { return strconv.Itoa(s.Cols) + "x" + strconv.Itoa(s.Rows) }
