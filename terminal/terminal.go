// Package terminal is a terminal's screen without a terminal: it takes what a program writes and keeps what would be seen,
// and says all of it again as one short string.
//
// It means what xterm.js 6 means, with the widths of its Unicode 11 addon and without scrollback, because that is what
// shows recordings in the console. Where the documents leave a choice, or xterm.js strays from them, xterm.js is right;
// the package's tests hold it to that. The documents are ECMA-48 ("Control Functions for Coded Character Sets"), XTerm
// Control Sequences ("ctlseqs", by Moy, Gildea and Dickey), and the VT510 manual ("VT510").
//
// A Terminal never answers queries, does no I/O and has no goroutines; it is for one goroutine at a time.
package terminal

// What a terminal may hold. Whatever is written to it, it stays below 4 MiB.
const (
	maxSide     = 500     // columns, and rows
	maxCells    = 65_536  // of one screen: 500×131, 256×256
	minCols     = 2       // xterm.js has no fewer, so that a wide character fits
	maxExtended = 1024    // different underlines and links at a time; cells with more are drawn without
	maxClusters = 4096    // different characters of several runes at a time; what is more than that is not combined
	maxRunes    = 32      // of one cell; what is more than that is not combined
	maxTitle    = 4 << 10 // bytes; what is more than that is cut off
	maxLink     = 2 << 10 // bytes of a link's address and name; longer ones are no links
	maxPending  = 64 << 10
)

// A Terminal is the state of a terminal. It is made by New.
type Terminal struct {
	cols, rows int
	main, alt  screen
	screen     *screen // main or alt

	pen      pen
	charsets [4]charset // G0 to G3
	level    int        // which of them is in use
	charset  charset    // what characters are translated by: charsets[level], or what DECRC brought back
	modes    modes
	join     int  // width of the character just printed, which combining runes join and REP repeats; 0 after anything else
	resized  bool // since the last character
	title    string

	parser   parser
	extended extendedTable
	clusters clusterTable
}

// New returns a terminal as it is after being switched on. Sizes have limits: Size tells which one it has.
func New(cols, rows int) *Terminal {
	t := &Terminal{}
	t.cols, t.rows = clampSize(cols, rows)
	t.extended.init()
	t.clusters.init()
	t.reset()
	return t
}

// clampSize returns the size nearest to the wanted one that a terminal may have: 2 to 500 columns, 1 to 500 rows, and no
// more than 65,536 cells, for which rows give way.
func clampSize(cols, rows int) (int, int) {
	cols = min(max(cols, minCols), maxSide)
	rows = min(max(rows, 1), maxSide, maxCells/cols)
	return cols, rows
}

// reset is RIS (ctlseqs, "ESC c"), which leaves the title, new line mode and a hidden cursor as they are, as xterm.js does.
func (t *Terminal) reset() {
	t.main.saved, t.alt.saved = savedCursor{}, savedCursor{}
	t.main.clear(t.cols, t.rows)
	t.main.fill(t.cols, t.rows, cell{})
	t.alt.clear(t.cols, t.rows)
	t.screen = &t.main
	t.pen = pen{}
	t.resetCharsets()
	t.modes = modes{wraparound: true, newline: t.modes.newline, blink: t.modes.blink, hideCursor: t.modes.hideCursor}
}

// Size returns the number of columns and rows.
func (t *Terminal) Size() (cols, rows int) { return t.cols, t.rows }

// Title returns the window's title (ctlseqs, OSC 0 and 2), of at most 4 KiB.
func (t *Terminal) Title() string { return t.title }

// Cursor returns the column and row of the cell that the cursor is on, from 0, and whether it is shown.
func (t *Terminal) Cursor() (x, y int, shown bool) {
	return min(t.screen.x, t.cols-1), t.screen.y, !t.modes.hideCursor
}

// Keys reports what the program expects of keys: that arrows are those of an application (DECCKM), and that what is pasted
// stands in brackets (ctlseqs, ?2004).
func (t *Terminal) Keys() (application, bracketed bool) {
	return t.modes.cursorKeys, t.modes.bracketedPaste
}

// IsAlternate reports whether the alternate screen is shown, which full-screen programs use.
func (t *Terminal) IsAlternate() bool { return t.screen == &t.alt }

// AppendRow appends the text of row y, from 0, without the blanks at its end; but spaces stay where the next row goes on.
func (t *Terminal) AppendRow(dst []byte, y int) []byte {
	if y < 0 || y >= t.rows {
		return dst
	}
	start, end := len(dst), len(dst)
	l := t.screen.lines[y]
	goesOn := t.IsWrapped(y + 1)
	for x := range min(t.cols, l.end) {
		c := l.cells[x]
		if c.isSpacer() {
			continue
		}
		if c.isBlank() {
			if dst = append(dst, ' '); goesOn && c.content == ' ' {
				end = len(dst)
			}
			continue
		}
		dst = t.appendText(dst, c)
		end = len(dst)
	}
	if c := l.fill; !c.isBlank() {
		for range t.cols - l.end {
			dst = t.appendText(dst, c)
		}
		end = len(dst)
	}
	return dst[:max(start, end)]
}

// IsWrapped reports whether row y goes on where the row above it ended, because a line was too long for one row.
func (t *Terminal) IsWrapped(y int) bool {
	return y >= 0 && y < t.rows && t.screen.lines[y].wrapped
}

// Bytes returns the memory that the terminal holds, in bytes, about.
func (t *Terminal) Bytes() int {
	return t.main.bytes() + t.alt.bytes() + t.extended.bytes() + t.clusters.bytes() +
		len(t.title) + cap(t.parser.text)
}
