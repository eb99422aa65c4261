package main

import (
	"strings"
	"testing"

	"github.com/rivo/uniseg"
)

var narrowing = []column{
	{title: "ID"},
	{title: "NAME", least: 6},
	{title: "REMOTE", keep: 1, least: 9},
	{title: "SENT", keep: 2, right: true},
}

var narrowed = [][]string{
	{"4tq9m2xk7bfd", "门禁设备-北京-01", "192.168.100.100:54321", "1.0 KiB"},
	{"9x0000000000", "plain", "10.0.0.1:1", "7 B"},
	{"a00000000000", "", "", ""},
}

func table(t *testing.T, width int) []string {
	t.Helper()
	var out strings.Builder
	if err := writeTable(&out, narrowing, narrowed, width); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestATableAlignsCharactersThatAreTwoColumnsWide(t *testing.T) {
	want := []string{
		"ID            NAME              REMOTE                    SENT",
		"4tq9m2xk7bfd  门禁设备-北京-01  192.168.100.100:54321  1.0 KiB",
		"9x0000000000  plain             10.0.0.1:1                 7 B",
		"a00000000000",
	}
	got := table(t, 0)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestATableFitsEveryWidthThatHoldsItsFirstColumns(t *testing.T) {
	for width := 20; width <= 120; width++ {
		for _, line := range table(t, width) {
			if got := uniseg.StringWidth(line); got > width {
				t.Errorf("width %d: a line takes %d columns: %q", width, got, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("width %d: a line ends in spaces: %q", width, line)
			}
		}
	}
}

func TestANarrowTableShortensBeforeItDropsAndDropsTheLeastImportantFirst(t *testing.T) {
	if head := table(t, 50)[0]; !strings.Contains(head, "SENT") || !strings.Contains(head, "REMOTE") {
		t.Errorf("at 50 columns all fit when shortened, got %q", head)
	}
	if row := table(t, 50)[1]; !strings.Contains(row, "…") {
		t.Errorf("at 50 columns something is shortened, got %q", row)
	}
	if head := table(t, 34)[0]; strings.Contains(head, "SENT") || !strings.Contains(head, "REMOTE") {
		t.Errorf("at 34 columns SENT goes and REMOTE stays, got %q", head)
	}
	if head := table(t, 24)[0]; head != "ID            NAME" {
		t.Errorf("at 24 columns the first two stay, got %q", head)
	}
}

func TestShorteningCutsBetweenCharactersAsPeopleSeeThem(t *testing.T) {
	cases := []struct {
		in    string
		width int
		want  string
	}{
		{"plain", 5, "plain"},
		{"plain", 4, "pla…"},
		{"中文字", 5, "中文…"},
		{"中文字", 4, "中…"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"👩‍🚀👩‍🚀", 3, "👩‍🚀…"},
		{"x", 1, "x"},
	}
	for _, c := range cases {
		if got := shorten(c.in, c.width); got != c.want {
			t.Errorf("shorten(%q, %d): got %q, want %q", c.in, c.width, got, c.want)
		}
	}
}
