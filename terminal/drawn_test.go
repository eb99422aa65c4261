package terminal_test

import (
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/terminal"
)

func TestARowHasTheLookOfItsCells(t *testing.T) {
	term := terminal.New(12, 2)
	term.Write([]byte("a\x1b[1;31mb\x1b[0;2;3;5;7;8;9;53m温\x1b[0;4mc\x1b[4:3;58:2::1:2:3md\x1b[24me\x1b[0;38;5;9;48;2;1;2;3mf\x1b[0m e\u0301"))
	red := func(c terminal.Color) bool {
		index, ok := c.Index()
		return ok && index == 1 && c.IsBasic()
	}
	var text strings.Builder
	columns := 0
	for x, c := range term.Row(0) {
		text.WriteString(c.Text + "|")
		if x != columns {
			t.Errorf("column %d; want %d", x, columns)
		}
		columns += c.Width
		foreground, ownForeground := c.Foreground.RGB()
		background, ownBackground := c.Background.RGB()
		line, ownLine := c.Line.RGB()
		var ok bool
		switch x {
		case 1:
			ok = c.Style == terminal.Bold && red(c.Foreground) && foreground == 0xcc0000
		case 2:
			ok = c.Width == 2 && c.Style == 0xff&^terminal.Bold
		case 4:
			ok = c.Underline == terminal.SingleUnderline && !ownLine
		case 5:
			ok = c.Underline == terminal.CurlyUnderline && line == 0x010203 && ownLine
		case 6:
			ok = c.Underline == terminal.NoUnderline
		case 7:
			ok = foreground == 0xef2929 && !c.Foreground.IsBasic() && background == 0x010203
		default:
			ok = c.Width == 1 && c.Style == 0 && !ownForeground && !ownBackground
		}
		if !ok {
			t.Errorf("column %d is %+v", x, c)
		}
	}
	if got, want := text.String(), "a|b|温|c|d|e|f||e\u0301|||"; got != want || columns != 12 {
		t.Errorf("got %q of %d columns; want %q of 12", got, columns, want)
	}
	for range term.Row(2) {
		t.Error("there is a cell below the last row")
	}
}

func TestThePaletteIsThatOfXterm(t *testing.T) {
	for index, want := range map[int]uint32{0: 0x2e3436, 15: 0xeeeeec, 16: 0, 17: 0x00005f, 21: 0x0000ff, 110: 0x87afd7, 231: 0xffffff,
		232: 0x080808, 255: 0xeeeeee} {
		if got := terminal.Palette(index); got != want {
			t.Errorf("colour %d: got %06x; want %06x", index, got, want)
		}
	}
}
