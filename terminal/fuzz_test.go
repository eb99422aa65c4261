package terminal

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzWrite holds a terminal to what is true whatever is written to it: it comes to an end, and holds no more than it may;
// where the writes are cut makes no difference; and its snapshot makes another terminal show the same.
func FuzzWrite(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.cast")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		cols, rows, p := castBytes(f, path)
		for i := 0; i < len(p); i += len(p)/4 + 1 {
			f.Add(uint8(cols), uint8(rows), uint8(rows), uint16(i), p[i:min(i+500, len(p))])
		}
	}
	for name, s := range hostile {
		f.Add(uint8(len(name)), uint8(7), uint8(9), uint16(3), []byte(s[:min(len(s), 300)]))
	}
	for seed := range uint64(20) {
		g := newTraffic(seed)
		f.Add(uint8(g.cols), uint8(g.rows), uint8(40), uint16(seed), g.next().data)
	}
	f.Fuzz(func(t *testing.T, cols, rows, narrower uint8, cut uint16, p []byte) {
		start := time.Now()
		whole, parts := New(int(cols), int(rows)), New(int(cols), int(rows))
		at := 0
		if len(p) > 0 {
			at = int(cut) % len(p)
		}
		whole.Write(p[:at])
		whole.Resize(int(narrower), int(rows))
		whole.Write(p[at:])
		for i := range at {
			parts.Write(p[i : i+1])
		}
		parts.Resize(int(narrower), int(rows))
		for _, b := range p[at:] {
			parts.Write([]byte{b})
		}
		if d := viewOf(whole).difference(viewOf(parts)); len(d) > 0 {
			t.Fatalf("written byte by byte it is different:\n%s", strings.Join(d, "\n"))
		}
		if n := whole.Bytes(); n > 4<<20 {
			t.Fatalf("it holds %d bytes; want at most 4 MiB", n)
		}
		if !utf8.ValidString(whole.Title()) || len(whole.Title()) > maxTitle {
			t.Fatalf("the title is %q", whole.Title())
		}
		snapshot := whole.AppendSnapshot(nil)
		restored := New(whole.Size())
		restored.Write(snapshot)
		want, got := viewOf(whole), viewOf(restored)
		if a, b := shownText(want), shownText(got); a != b || want.Title != got.Title || want.Alt != got.Alt {
			t.Fatalf("a snapshot shows %q, %v, title %q:\n%s\nwant %v, title %q:\n%s", snapshot, got.Alt, got.Title, b, want.Alt, want.Title, a)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Fatalf("it took %v", d)
		}
	})
}

// shownText is what both screens show. Halves of wide characters are blank, and so are characters that a mark gave another
// width after a resize: no snapshot brings them back everywhere.
func shownText(v *view) string {
	var b strings.Builder
	for _, s := range []viewScreen{v.Active, v.Other} {
		for _, l := range s.Lines {
			texts, _ := l.cells()
			texts = texts[:min(v.Cols, len(texts))]
			var row strings.Builder
			for x, text := range texts {
				wide, isWide := strings.CutPrefix(text, "\x7f2")
				r, _ := utf8.DecodeRuneInString(wide)
				single, _ := utf8.DecodeRuneInString(text)
				switch {
				case isWide && x+1 < len(texts) && texts[x+1] == "\x7f0" && runeWidth(r) == 2:
					row.WriteString(wide)
				case isWide, text == "", text != "\x7f0" && runeWidth(single) != 1:
					row.WriteByte(' ')
				case text == "\x7f0":
					if x == 0 || !strings.HasPrefix(texts[x-1], "\x7f2") {
						row.WriteByte(' ')
					}
				default:
					row.WriteString(text)
				}
			}
			b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
		}
	}
	return b.String()
}
