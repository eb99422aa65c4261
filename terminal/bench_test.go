package terminal

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// castBytes is all output of a recording.
func castBytes(t testing.TB, path string) (cols, rows int, p []byte) {
	cols, rows, events := readCast(t, path)
	for _, e := range events {
		p = append(p, e.data...)
	}
	return cols, rows, p
}

func BenchmarkWrite(b *testing.B) {
	paths, err := filepath.Glob("testdata/*.cast")
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, cols, rows int, p []byte) {
		b.Run(name, func(b *testing.B) {
			t := New(cols, rows)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				for q := p; len(q) > 0; q = q[min(4096, len(q)):] {
					t.Write(q[:min(4096, len(q))])
				}
			}
		})
	}
	for _, path := range paths {
		cols, rows, p := castBytes(b, path)
		run(strings.TrimSuffix(filepath.Base(path), ".cast"), cols, rows, p)
	}
	run("log", 140, 40, []byte(strings.Repeat("2024-01-01T12:00:00Z INFO request served method=GET path=/api/v1/sessions status=200\r\n", 700)))
	run("cjk", 140, 40, []byte(strings.Repeat("漢字かな交じり文は横に広い。中文字符佔兩列。한국어 문장도 그렇다.\r\n", 700)))
	run("feeds", 140, 40, bytes.Repeat([]byte("\n"), 64<<10))
}

func BenchmarkSnapshot(b *testing.B) {
	for _, name := range []string{"vim", "tmux", "resize"} {
		b.Run(name, func(b *testing.B) {
			cols, rows, p := castBytes(b, "testdata/"+name+".cast")
			t := New(max(cols, 140), max(rows, 40))
			t.Write(p[:len(p)*2/3])
			var out []byte
			for b.Loop() {
				out = t.AppendSnapshot(out[:0])
			}
			b.ReportMetric(float64(len(out)), "bytes")
		})
	}
	b.Run("full", func(b *testing.B) {
		t := New(140, 40)
		for i := range 140 * 40 {
			fmt.Fprintf(t, "\x1b[38;2;%d;%d;9m%c", i%256, i/256, 'a'+i%26)
		}
		var out []byte
		for b.Loop() {
			out = t.AppendSnapshot(out[:0])
		}
		b.ReportMetric(float64(len(out)), "bytes")
	})
}
