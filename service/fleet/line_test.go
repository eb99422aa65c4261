package fleet

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// FuzzLinesOfTheWebServer holds the reader to what splitting the whole would give, however the bytes come.
func FuzzLinesOfTheWebServer(f *testing.F) {
	f.Add([]byte("a\r\n\nbc\nrest"), uint8(1))
	f.Add([]byte("\n\r\n\x00\xff\n"), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		var got, want []string
		var r lineReader
		for rest := data; len(rest) > 0; {
			n := min(len(rest), int(step)+1)
			r.feed(rest[:n], func(line []byte, whole bool) error {
				if !whole {
					t.Fatalf("a line of %d bytes is too long", len(data))
				}
				got = append(got, string(line))
				return nil
			})
			rest = rest[n:]
		}
		lines := bytes.Split(data, []byte("\n"))
		for _, line := range lines[:len(lines)-1] {
			if line = bytes.TrimSuffix(line, []byte("\r")); len(line) > 0 {
				want = append(want, string(line))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q by %d: got %q; want %q", data, int(step)+1, got, want)
		}
	})
}

// FuzzPatternsOfNames holds Matches to a regular expression.
func FuzzPatternsOfNames(f *testing.F) {
	for _, p := range []string{"", "*", "a*b", "**", "a*b*a", "86*"} {
		f.Add(p, "aba")
		f.Add(p, "8601")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		re, err := regexp.Compile("^(?s:" + strings.Join(parts, ".*") + ")$")
		if err != nil {
			return // no UTF-8
		}
		if got, want := Matches(pattern, name), re.MatchString(name); got != want {
			t.Errorf("%q of %q: got %v; want %v", pattern, name, got, want)
		}
	})
}
