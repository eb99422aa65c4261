package terminal

// Resize gives the terminal another size, within the limits of New.
func (t *Terminal) Resize(cols, rows int) {
	cols, rows = clampSize(cols, rows)
	t.cols, t.rows = cols, rows
}
