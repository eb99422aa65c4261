package terminal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// traffic makes random but legal terminal traffic: what programs write, in no sensible order.
type traffic struct {
	*rand.Rand
	cols, rows int
	resizes    bool
	malformed  bool // half of it
}

func newTraffic(seed uint64) *traffic {
	g := &traffic{Rand: rand.New(rand.NewPCG(seed, 7))}
	g.cols, g.rows = 20+g.IntN(80), 6+g.IntN(30)
	return g
}

func pick[T any](g *traffic, list ...T) T { return list[g.IntN(len(list))] }

// piece is one thing that is written, or a resize if cols is not 0.
type piece struct {
	data       []byte
	cols, rows int
}

func (p piece) String() string {
	if p.cols > 0 {
		return fmt.Sprintf("resize %d×%d", p.cols, p.rows)
	}
	return fmt.Sprintf("%q", p.data)
}

func (g *traffic) number() string {
	switch g.IntN(8) {
	case 0, 1:
		return ""
	case 2:
		return "1"
	case 3:
		return "2"
	case 4:
		return "3"
	case 5:
		return fmt.Sprint(g.IntN(12))
	case 6:
		return fmt.Sprint(g.IntN(g.rows + 4))
	}
	return fmt.Sprint(g.IntN(g.cols + 4))
}

var trafficWords = []string{"hello", "a", "the quick brown fox ", "漢字", "한국어", "é", "e\u0301", "ｱ", "😀", "x\u0302\u0303",
	"─│┌", " ", "    ", strings.Repeat("W", 30), strings.Repeat("字", 20), "#~`lqkx", "\u200b", "ก็", "👩\u200d👩\u200d👧"}

func (g *traffic) graphics() string {
	var a []string
	for range 1 + g.IntN(3) {
		n := g.IntN(256)
		a = append(a, pick(g, "0", "", "1", "2", "3", "4", "5", "7", "8", "9", "21", "22", "23", "24", "25", "27", "28", "29", "39",
			"49", "53", "55", "4:3", "4:0", "58;5;9", "59", "58;2;1;2;3", fmt.Sprint(30+n%8), fmt.Sprint(40+n%8),
			fmt.Sprint(90+n%8), fmt.Sprint(100+n%8), fmt.Sprint("38;5;", n), fmt.Sprint("48;5;", n), fmt.Sprint("38;2;", n, ";2;3"),
			fmt.Sprint("48;2;9;", n, ";200"), fmt.Sprint("38:2::", n, ":1:2"), fmt.Sprint("48:5:", n), "38;5", "48;2;1", "58:2:1:2:3",
			"4:7", "38;9;1"))
	}
	return "\x1b[" + strings.Join(a, ";") + "m"
}

// one returns the next sequence or text.
func (g *traffic) one() string {
	csi := func(final ...string) string { return "\x1b[" + g.number() + pick(g, final...) }
	switch g.IntN(36) {
	case 0, 1, 2, 3:
		return pick(g, trafficWords...)
	case 4, 5:
		return g.graphics()
	case 6:
		return "\x1b[" + g.number() + ";" + g.number() + "H"
	case 7, 8:
		return csi("A", "B", "C", "D", "E", "F", "G", "a", "d", "e", "`")
	case 9:
		return "\x1b[" + pick(g, "", "?") + pick(g, "", "0", "1", "2") + pick(g, "J", "K")
	case 10:
		return "\x1b[" + pick(g, "", "?") + pick(g, "", "0", "1", "2") + "K"
	case 11, 12:
		return csi("L", "M", "P", "X", "@", "S", "T", "I", "Z", "b")
	case 13:
		return "\r\n"
	case 14:
		return pick(g, "\n", "\r", "\b", "\t")
	case 15:
		return pick(g, "\b\b", "\t", "\v", "\f")
	case 16:
		return "\x1b[" + g.number() + ";" + g.number() + "r"
	case 17:
		return pick(g, "\x1b[r", "\x1b7", "\x1b8", "\x1b[s", "\x1b[u")
	case 18:
		return pick(g, "\x1bM", "\x1bD", "\x1bE", "\u0084", "\u0085")
	case 19:
		return fmt.Sprint("\x1b[?", pick(g, 1, 6, 7, 12, 25, 45, 66, 1000, 1002, 1003, 1004, 1006, 2004, 2026, 9, 1016), pick(g, "h", "l"))
	case 20:
		return fmt.Sprint("\x1b[?", pick(g, 47, 1047, 1048, 1049, 7, 45), pick(g, "h", "l"))
	case 21:
		return "\x1b[4" + pick(g, "h", "l")
	case 22:
		return pick(g, "\x1b(0", "\x1b(B", "\x1b)0", "\x1b)B", "\x0e", "\x0f", "\x1b*0", "\x1bn", "\x1b(A", "\x1bo", "\x1b}", "\x1b-K", "\x1b%@")
	case 23:
		return pick(g, "\x1bH", "\x1b[g", "\x1b[3g", "\t\t")
	case 24:
		if g.IntN(5) == 0 {
			return pick(g, "\x1b[!p", "\x1bc", "\x1b#8")
		}
	case 25:
		return fmt.Sprint("\x1b]", pick(g, 0, 2), ";t", g.IntN(99), pick(g, "\x07", "\x1b\\"))
	case 26:
		return pick(g, fmt.Sprint("\x1b]8;;http://h/", g.IntN(5), "\x1b\\"), "\x1b]8;;\x1b\\", "\x1b]8;id=a;http://h/a\x07")
	case 27:
		return fmt.Sprint("\x1b[", g.IntN(7), " q")
	case 28:
		return pick(g, "\x1b[1\"q", "\x1b[0\"q")
	case 29:
		return csi(" @", " A")
	case 30:
		return csi("'}", "'~")
	case 31:
		return pick(g, "\x1b=", "\x1b>")
	case 32:
		return "\x1b[20" + pick(g, "h", "l")
	case 33:
		return pick(g, "\x1bPq#0abc\x1b\\", "\x1b_apc\x1b\\", "\x1b[>c", "\x1b[6n", "\x1b^pm\x1b\\", "\x1b[1;2;3;4 t")
	}
	return pick(g, trafficWords...)
}

// next returns some of them in one piece, or a resize.
func (g *traffic) next() piece {
	if g.resizes && g.IntN(50) == 0 {
		g.cols, g.rows = 10+g.IntN(100), 4+g.IntN(40)
		return piece{cols: g.cols, rows: g.rows}
	}
	var b bytes.Buffer
	for range 1 + g.IntN(12) {
		if g.malformed && g.IntN(2) == 0 {
			b.WriteString(g.soup())
		} else {
			b.WriteString(g.one())
		}
	}
	return piece{data: b.Bytes()}
}

// soup is parts of sequences, in no order.
func (g *traffic) soup() string {
	var b strings.Builder
	for range 1 + g.IntN(6) {
		b.WriteString(pick(g, "\x1b", "[", "]", "P", "X", "\\", "\x07", "\x18", "\x1a", "\u0090", "\u009b", "\u009c", "\u009d", "\u0098", "\u0085",
			"\u0080", ";", ":", "1", "2", "0", "?", "<", ">", "$", " ", "!", "\"", "m", "H", "C", "q", "é", "漢", "\n", "\x7f", "\x00", "ab", "#8", "(0",
			"38", "4", "\xff", "\xe0\x80", "\xc2", "\u0301", "2;t", "99999999999", "3", "~", "\x0e", "u", "%G", "/B", "=", "_"))
	}
	return b.String()
}
