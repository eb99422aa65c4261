package export_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

// FuzzTextKeepsEveryByte cuts a stream anywhere: what stands in quotes must be the stream, no character broken that was
// whole, and nothing must reach a terminal that could command it.
func FuzzTextKeepsEveryByte(f *testing.F) {
	f.Add([]byte("plain"), []byte{1, 2})
	f.Add([]byte("温度传感器 — é\x00\x1b[0m\n\r\n\xff\xfe\xe6\xb8"), []byte{1, 1, 1, 5})
	f.Add([]byte("\xf0\x9f\x98\x80\xf0\x9f"), []byte{1})
	f.Add([]byte("\u0085\u202e\\\"…"), []byte{3})
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		var parts []any
		rest := data
		for i := 0; len(rest) > 0; i++ {
			n := len(rest)
			if i < len(cuts) {
				n = min(n, int(cuts[i]%7)+1)
			}
			parts = append(parts, session.Received, rest[:n:n], session.Sent, "other way")
			rest = rest[n:]
		}
		parts = append(parts, session.Closed, session.End{Cause: session.Done})
		text := write(t, export.Text, export.Received, story(parts...))
		var got bytes.Buffer
		for line := range strings.Lines(text) {
			if i := strings.IndexByte(line, '"'); i >= 0 && !strings.Contains(line, "closed ") {
				quoted := strings.TrimSuffix(strings.TrimSuffix(line[i:], "\n"), " …")
				s, err := strconv.Unquote(quoted)
				if err != nil {
					t.Fatalf("%q is not quoted: %v", quoted, err)
				}
				got.WriteString(s)
			}
			for _, r := range line {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Fatalf("%q has the character %U", line, r)
				}
			}
		}
		if !bytes.Equal(got.Bytes(), data) {
			t.Fatalf("got %q; want %q from\n%s", got.Bytes(), data, text)
		}
		if whole := strings.ToValidUTF8(string(data), ""); whole == string(data) && strings.Contains(strings.ReplaceAll(text,
			`\\`, ""), `\x`) {
			for _, r := range whole { // only what UTF-8 writes in one byte may stand as \x
				if r < 0x80 && !unicode.IsPrint(r) {
					return
				}
			}
			t.Fatalf("a character of %q is broken:\n%s", data, text)
		}
	})
}

// FuzzAppendJSONIsMarshalJSON compares the fast way with the plain one.
func FuzzAppendJSONIsMarshalJSON(f *testing.F) {
	f.Add(uint64(1), int64(start), uint8(2), []byte("a\u2028<\x7f"))
	f.Add(uint64(9), int64(0), uint8(15), []byte(`{"time": 1, "cause":"idle"}`))
	f.Add(uint64(9), int64(-5), uint8(1), []byte(`{`))
	f.Add(uint64(9), int64(5), uint8(6), []byte("\xff"))
	f.Fuzz(func(t *testing.T, number uint64, at int64, kind uint8, data []byte) {
		e := session.Event{Number: number, Time: at, Kind: session.Kind(kind), Data: data}
		fast := export.AppendJSON([]byte("kept"), e)
		plain, err := json.Marshal(e)
		if err != nil {
			t.Skip() // a value that is JSON and yet not UTF-8
		}
		var a, b map[string]any
		if err := json.Unmarshal(fast[4:], &a); err != nil {
			t.Fatalf("%v in %s", err, fast[4:])
		}
		if err := json.Unmarshal(plain, &b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("got %s; want %s", fast[4:], plain)
		}
		if bytes.ContainsAny(fast, "\n\r") {
			t.Fatalf("%q is not one line", fast)
		}
	})
}

// FuzzEveryFormatTakesEveryEvent gives events of any kind with any data to every format.
func FuzzEveryFormatTakesEveryEvent(f *testing.F) {
	f.Add([]byte("\x01{}\x03abc\x0a2\x0e\x00\x00x\x0f{}"))
	f.Add([]byte("\x09{\"events\":1}\x0b[]\x0d{\"room\":\"\x1b\"}"))
	f.Fuzz(func(t *testing.T, script []byte) {
		var events []session.Event
		for i, part := range bytes.FieldsFunc(script, func(r rune) bool { return r == '|' }) {
			events = append(events, session.Event{Number: uint64(i + 1), Time: start, Kind: session.Kind(part[0] % 17),
				Data: part[1:]})
		}
		for _, format := range export.Formats {
			for _, d := range []export.Direction{export.Both, export.Received, export.Sent} {
				out := write(t, format, d, events)
				if format == export.Text || format == export.Hex {
					for _, r := range out {
						if r != '\n' && !unicode.IsPrint(r) {
							t.Fatalf("%s: %q has the character %U", format, out, r)
						}
					}
				}
			}
		}
	})
}
