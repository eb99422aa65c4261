package terminal

import (
	"fmt"
	"strings"
	"testing"
)

func rowText(t *Terminal, y int) string { return string(t.AppendRow(nil, y)) }

func TestRowsAreTextWithoutTheBlanksBehindIt(t *testing.T) {
	tm := New(10, 4)
	fmt.Fprint(tm, "a\x1b[3Cb  \x1b[41m\x1b[K\r\n漢字e\u0301\r\n\x1b[2Cx")
	for y, want := range []string{"a   b", "漢字e\u0301", "  x", "", ""} {
		if got := rowText(tm, y); got != want {
			t.Errorf("row %d is %q; want %q", y, got, want)
		}
	}
	if x, y, shown := tm.Cursor(); x != 3 || y != 2 || !shown {
		t.Errorf("the cursor is at %d, %d, shown %v; want 3, 2, true", x, y, shown)
	}
}

func TestALineTooLongForARowGoesOnInTheNext(t *testing.T) {
	tm := New(5, 3)
	fmt.Fprint(tm, "abcd fg\r\nh")
	if rowText(tm, 0) != "abcd " || rowText(tm, 1) != "fg" || tm.IsWrapped(0) || !tm.IsWrapped(1) || tm.IsWrapped(2) {
		t.Errorf("rows are %q and %q, wrapped %v, %v, %v", rowText(tm, 0), rowText(tm, 1), tm.IsWrapped(0), tm.IsWrapped(1), tm.IsWrapped(2))
	}
	tm.Resize(8, 3)
	if rowText(tm, 0) != "abcd fg" || rowText(tm, 1) != "h" {
		t.Errorf("in wider rows it is %q and %q; want one line", rowText(tm, 0), rowText(tm, 1))
	}
}

func TestSizesHaveLimits(t *testing.T) {
	for _, c := range [][4]int{{80, 24, 80, 24}, {0, 0, 2, 1}, {-5, 1 << 40, 2, 500}, {1000, 1000, 500, 131}, {500, 500, 500, 131}} {
		if cols, rows := New(c[0], c[1]).Size(); cols != c[2] || rows != c[3] {
			t.Errorf("%d×%d is made %d×%d; want %d×%d", c[0], c[1], cols, rows, c[2], c[3])
		}
	}
}

func TestATitleIsCutAtACharacter(t *testing.T) {
	tm := New(10, 2)
	fmt.Fprint(tm, "\x1b]0;", strings.Repeat("漢", 3000), "\x1b\\")
	if want := strings.Repeat("漢", maxTitle/3); tm.Title() != want {
		t.Errorf("the title has %d bytes; want %d", len(tm.Title()), len(want))
	}
}

// What a snapshot must bring back though it cannot be seen: each was lost once by somebody's.
func TestASnapshotRestoresWhatIsNotSeen(t *testing.T) {
	for name, s := range map[string]string{
		"a pending wrap":                 "\x1b[1;9Hab",
		"a pending wrap and a new pen":   "\x1b[1;9Hab\x1b[31m",
		"what REP repeats":               "ab",
		"what marks combine with":        "e",
		"inserting at the end of text":   "abc\r\x1b[4hx",
		"half a sequence":                "a\x1b[1;3",
		"half a sequence, with colons":   "a\x1b[4:3;38:2::1",
		"half a private sequence":        "\x1b[?104",
		"half a title":                   "\x1b]2;abc",
		"half a title and a rune":        "\x1b]2;ab\xe6\xbc",
		"half a rune":                    "a\xf0\x9f\x98",
		"half of what is no sequence":    "\x1b[1<",
		"half a query":                   "\x1bP$qm",
		"half a charset":                 "\x1b(",
		"margins and origin mode":        "\x1b[2;4r\x1b[?6h\x1b[2;2Hx",
		"tab stops":                      "\x1b[3g\x1b[4G\x1bH",
		"the saved cursor":               "\x1b[31;4m\x1b[3;4H\x1b(0\x1b7\x1b(B\x1b[m\x1b[H",
		"line drawing in use":            "\x1b(0q",
		"the second set in use":          "\x1b)0\x0eq",
		"DECRC brought a set back":       "\x1b(0\x1b7\x1b(B\x1b8",
		"both screens":                   "main\x1b[2;3r\x1b7\x1b[?1049h\x1b[3;3Halt\x1b7",
		"no wrapping":                    "\x1b[?7labc",
		"modes":                          "\x1b[?1;25;45;66;1003;1004;1006;2004;2026h\x1b[20h\x1b[?25l",
		"the shape of the cursor":        "\x1b[5 q",
		"null cells and spaces":          "\x1b[3Ca b",
		"erased cells with a colour":     "\x1b[44m\x1b[2J\x1b[3;3Hx\x1b[1K",
		"protected cells":                "\x1b[1\"qab\x1b[0\"qcd",
		"links":                          "\x1b]8;id=n;http://a/\x1b\\ab\x1b]8;;http://b/\x1b\\c\x1b[1md",
		"underlines":                     "\x1b[4:3;58;5;9mab\x1b[4:2mc\x1b[24md",
		"wrapped lines":                  "abcdefghijklmnopqrstuvw",
		"a wrapped line, erased since":   "abcdefghijklm\x1b[1;3H\x1b[K",
		"wrapped lines of wide ones":     "漢字漢字a漢字漢字",
		"a first line that is wrapped":   "abcdefghijklmnop\n\n\n\n\nx",
		"a mark that combines with none": "a\x1b[m\u0301b",
		"a title":                        "\x1b]2;the title\x07",
	} {
		tm, restored := New(10, 5), New(10, 5)
		fmt.Fprint(restored, "something else\x1b[?1049h\x1b[5;5r\x1b[?6;7l\x1b(0\x1b]2;other")
		fmt.Fprint(tm, s)
		snapshot := tm.AppendSnapshot(nil)
		restored.Write(snapshot)
		if d := viewOf(tm).visible().difference(viewOf(restored).visible()); len(d) > 0 {
			t.Errorf("%s: after %q, restored by %q:\n%s", name, s, snapshot, strings.Join(d, "\n"))
		}
		for _, more := range []string{"\x1b[3b", "\u0301", "x", "m", "\x9fyz\x1b\\", "字字字\x1b8q\x1b[Kx", "\x1b[?1049lxyz\x1b8q\t|"} {
			a, b := New(10, 5), New(10, 5)
			fmt.Fprint(a, s, more)
			b.Write(snapshot)
			fmt.Fprint(b, more)
			if d := viewOf(a).visible().difference(viewOf(b).visible()); len(d) > 0 {
				t.Errorf("%s: after %q, restored by %q, then %q:\n%s", name, s, snapshot, more, strings.Join(d, "\n"))
			}
		}
	}
}

func TestASnapshotInALongCommandHoldsEnoughOfIt(t *testing.T) {
	for _, command := range []string{"2;title", "8;id=a", "8;;http://a/", "8;" + strings.Repeat("b", maxPending-20) + ";http://a/", "52;c;", ""} {
		for _, more := range []int{maxPending - 40, maxPending, 1 << 17} {
			for _, end := range []string{"\a", "x\a", ";http://b/\a", "漢;\x1b\\", "\x18", "y"} {
				tm, restored := New(80, 24), New(80, 24)
				fmt.Fprint(tm, "\x1b]8;;http://before/\aa\x1b]", command, strings.Repeat("x", more))
				restored.Write(tm.AppendSnapshot(nil))
				for _, tm := range []*Terminal{tm, restored} {
					fmt.Fprint(tm, end, "linked?")
				}
				if d := viewOf(tm).difference(viewOf(restored)); len(d) > 0 {
					t.Errorf("%.20q and %d more, ended by %q:\n%s", command, more, end, strings.Join(d, "\n"))
				}
			}
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(140, 40)
	}
}
