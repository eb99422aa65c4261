package foreign_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/session"
)

// told is a recording as lines: its header, its events, its end.
func told(t testing.TB, text string, f foreign.Format) (string, error) {
	t.Helper()
	var in io.Reader = strings.NewReader(text)
	if len(text) < 4096 {
		in = iotest.OneByteReader(in)
	}
	tape, err := foreign.Open(in, f)
	if err != nil {
		return "", err
	}
	h := tape.Header()
	out := fmt.Sprintf("%s %q %s %d\n", h.Format, h.Title, h.Size, h.Start)
	for {
		e, err := tape.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return out, err
		}
		out += fmt.Sprintf("%d %s %q\n", e.Time, e.Kind, e.Data)
	}
	end := tape.End()
	out += fmt.Sprint(end.Time)
	if end.Exit != nil {
		out += fmt.Sprintf(" exit %d", *end.Exit)
	}
	return out, nil
}

func frame(us int64, data string) string {
	b := binary.LittleEndian.AppendUint32(nil, uint32(us/1e6))
	b = binary.LittleEndian.AppendUint32(b, uint32(us%1e6))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return string(b) + data
}

func TestRecordingsOfOtherProgramsAreRead(t *testing.T) {
	const day = 1_700_000_000_000_000
	for name, c := range map[string]struct{ text, want string }{
		"asciicast 3": {`{"version":3,"term":{"cols":100,"rows":30,"type":"xterm","theme":{"fg":"#fff"}},"timestamp":1700000000,"title":"a \"demo\"","tags":["x"],"idle_time_limit":2.5,"env":{"SHELL":null}}
# a comment
[0.5, "o", "hi\u001b[0m\r\n"]

[0.001, "i", "l"]
[1, "r", "120x40"]
[0.25, "q", {"of": "somebody else"}]
[0.25, "m", ""]
  [0, "m", "here"]
[0, "o", ""]
[1.5, "x", "3"]
`, `asciicast "a \"demo\"" 100x30 1700000000000000
500000 sent "hi\x1b[0m\r\n"
501000 received "l"
1501000 resized "120x40"
2001000 noted ""
2001000 noted "here"
3501000 exit 3`},
		"asciicast 2": {`{"version": 2, "width": 80, "height": 24, "timestamp": 1700000000.5, "duration": 4.5, "command": "/bin/sh", "title": null}` +
			"\r\n[0.248848, \"o\", \"温\"]\r\n[1.001376, \"o\", \"\\ud83d\\ude00\"]\r\n[1.001376, \"m\", \"x\"]",
			`asciicast "/bin/sh" 80x24 1700000000500000
248848 sent "温"
1001376 sent "😀"
1001376 noted "x"
4500000`},
		"asciicast 1 in one line": {`{"version":1,"width":80,"height":24,"duration":1.5,"command":"","title":"old","env":{},"stdout":[[0.25,"a"],[1.0,"b\n"]]}`,
			`asciicast "old" 80x24 0
250000 sent "a"
1250000 sent "b\n"
1500000`},
		"asciicast 1 over many lines, what it is last": {"{\n  \"stdout\": [\n    [0.1, \"a\"],\n    [0, \"\"],\n    [0.2, \"b\"]\n  ],\n  \"width\": 80,\n  \"height\": 24,\n  \"version\": 1\n}\n",
			`asciicast "" 80x24 0
100000 sent "a"
300000 sent "b"
300000`},
		"a terminal of no size": {`{"version":2,"width":0,"height":0}`, "asciicast \"\" 0x0 0\n0"},
		"ttyrec": {frame(day, "\x1b[8;30;100t") + frame(day+5, "\xe6\xb8") + frame(day+5, "") + frame(day+2_000_000, "\x1b[8;40;120t") +
			frame(day+2_000_001, "see \x1b[8;1;1t"),
			`ttyrec "" 100x30 1700000000000000
5 sent "\xe6\xb8"
2000000 resized "120x40"
2000001 sent "see \x1b[8;1;1t"
2000001`},
		"ttyrec of termrec, its times from zero": {frame(0, "\x1b%G\x1b[8;25;81tx") + frame(7_000_000, "y"),
			"ttyrec \"\" 81x25 0\n0 sent \"\\x1b%G\\x1b[8;25;81tx\"\n7000000 sent \"y\"\n7000000"},
		"ttyrec that begins with a brace": {frame('{'+1_700_000_000/256*256*1_000_000, "{}"), "ttyrec \"\" 0x0 %d\n0 sent \"{}\"\n0"},
	} {
		want := c.want
		if strings.Contains(want, "%d") {
			want = fmt.Sprintf(want, int64('{'+1_700_000_000/256*256*1_000_000))
		}
		if got, err := told(t, c.text, foreign.Unknown); err != nil || got != want {
			t.Errorf("%s: %v; got\n%s\nwant\n%s", name, err, got, want)
		}
	}
}

func TestWhatIsWrongWithARecordingIsSaidWithItsPlace(t *testing.T) {
	const v3, v2 = `{"version":3,"term":{"cols":80,"rows":24}}` + "\n", `{"version":2,"width":80,"height":24}` + "\n"
	for text, want := range map[string]string{
		"":                               "the beginning: there is nothing in it",
		"\x1f\x8b\x08 packed as it came": "the beginning: it is neither an asciicast nor a ttyrec",
		"just text":                      "the beginning: it is neither",
		"{}":                             "line 1: it is of version 0",
		"{\"version\":4}":                "line 1: it is of version 4: versions 1, 2 and 3",
		"{\"version\":\"2\"}":            "line 1: it must be a header such as {\"version\": 3, …}: version cannot be a JSON string",
		"{\"version\":2,\"width\":5000,\"height\":2}":                         "line 1: \"5000x2\" is no size",
		"{\"version\":2,\"width\":-1,\"height\":2}":                           "line 1: \"-1x2\" is no size",
		"{\"version\":2,\"timestamp\":-1}":                                    "line 1: timestamp -1: must be seconds since 1970",
		"{\"version\":2,\"timestamp\":1e300}":                                 "line 1: timestamp 1e+300",
		"{\"version\":2,\"duration\":1e300}":                                  "line 1: duration 1e+300",
		"{\n\"version\":1,\n\"width\":80,\n\"stdout\":[[0,\"a\"]":             "line 4: it is not JSON as asciinema writes it",
		"{\n\"version\":2\n}":                                                 "the whole: it is of version 2, but not written line by line",
		`{"version":1}`:                                                       "the whole: its stdout must be a list",
		`{"version":1,"stdout":{}}`:                                           "the whole: its stdout must be a list",
		`{"version":1,"stdout":[[0,"a"],[-1,"b"]]}`:                           "event 2: its time lies before",
		`{"version":1,"stdout":[[0,"a"],7]}`:                                  "event 2: it must be as [1.5, \"text\"]",
		`{"version":1,"stdout":[[0,7]]}`:                                      "event 1: the second of its parts is \"7\": it must be a text",
		v3 + `[1, "o", "a"]` + "\n" + `[-0.001, "o", "b"]`:                    "line 3: its time lies before that of the event before",
		v2 + `[1, "o", "a"]` + "\n\n" + `[0.9, "o", "b"]`:                     "line 4: its time lies before that of the event before",
		v2 + `[1e9, "o", "a"]`:                                                "line 2: it would be more than ten years after the beginning",
		v2 + `[1e999, "o", "a"]`:                                              "line 2: it would be more than ten years",
		v3 + `[3e8, "o", "a"]` + "\n" + `[3e8, "o", "b"]`:                     "line 3: it would be more than ten years",
		v2 + `[NaN, "o", "a"]`:                                                "line 2: it must be an event such as [1.5, \"o\", \"text\"]: invalid character 'N'",
		v2 + `["1", "o", "a"]`:                                                "line 2: its time is \"\\\"1\\\"\": it must be a number",
		v2 + `[]`:                                                             "line 2: its time is \"\": it must be a number",
		v2 + `[1]`:                                                            "line 2: the second of its parts is \"\": it must be a text",
		v2 + `[1, "o"]`:                                                       "line 2: the third of its parts is \"\": it must be a text",
		v2 + `[1, "o", ["a"]]`:                                                "line 2: the third of its parts is \"[\\\"a\\\"]\"",
		v2 + `[1, "o", "a`:                                                    "line 2: it must be an event such as",
		v2 + `{"version":2}`:                                                  "line 2: it must be an event such as [1.5, \"o\", \"text\"]: it cannot be a JSON object",
		v2 + `[1, "r", "0x24"]`:                                               "line 2: \"0x24\" is no size of a terminal",
		v2 + `[1, "m", "` + strings.Repeat("m", 5000) + `"]`:                  "line 2: a marker of 5000 bytes: at most 4096",
		v3 + `[1, "x", "bad"]`:                                                "line 2: the exit status is \"bad\"",
		v3 + `[1, "x", "99999999999"]`:                                        "line 2: the exit status is",
		v2 + `[1, "o", "` + strings.Repeat("x", 17<<20):                       "line 2: it is longer than 16777216 bytes",
		`{"version":1,` + strings.Repeat("\n"+strings.Repeat(" ", 1<<20), 20): "a recording of version 1 can have 16777216 bytes",
		frame(5e6, "a") + frame(4e6, "b"):                                     "frame 2, at byte 13: its time lies before",
		frame(5e6, "a") + frame(5e6, "bcdef")[:14]:                            "frame 2, at byte 13: it has 5 bytes, and the file ends after 2 of them",
		frame(5e6, "a") + frame(5e6, "b")[:9]:                                 "frame 2, at byte 13: the file ends within its header",
		frame(5e6, "a") + "\x06\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00":  "frame 2, at byte 13: 4294967295 microseconds",
		frame(5e6, "a") + frame(5e14, "b"):                                    "frame 2, at byte 13: it would be more than ten years",
		frame(5e6, "abc")[:13]:                                                "frame 1, at byte 0: it has 3 bytes, and the file ends after 1",
	} {
		out, err := told(t, text, foreign.Unknown)
		var wrong *foreign.Error
		if err == nil || !strings.HasPrefix(err.Error(), want) && !strings.HasSuffix(err.Error(), want) || !errors.As(err, &wrong) {
			t.Errorf("%.60q: got %v after %s; want %s", text, err, out, want)
		}
	}
}

func TestAFormatThatIsSaidIsNotGuessed(t *testing.T) {
	for text, f := range map[string]foreign.Format{frame(5e6, "a"): foreign.Asciicast, "{\"version\":2}\n": foreign.Ttyrec} {
		if out, err := told(t, text, f); err == nil {
			t.Errorf("%q is taken as %s: %s", text, f, out)
		}
	}
	for in, want := range map[string]foreign.Format{"": foreign.Unknown, "asciicast": foreign.Asciicast,
		"asciicast2": foreign.Asciicast, "ttyrec": foreign.Ttyrec} {
		if got, err := foreign.ParseFormat(in); got != want || err != nil {
			t.Errorf("ParseFormat(%q) = %q, %v", in, got, err)
		}
	}
	if _, err := foreign.ParseFormat("script"); err == nil || !strings.Contains(err.Error(), "ttyrec") {
		t.Errorf("ParseFormat(script): %v", err)
	}
}

func TestErrorsOfTheReaderComeBack(t *testing.T) {
	broken := errors.New("broken")
	for _, text := range []string{"", `{"version":2,"wi`, `{"version":2}` + "\n" + `[1,"o","a"]` + "\n" + `[2,"`,
		"{\n\"version\":1", frame(5e6, "abc")[:5], frame(5e6, "abc")[:13], frame(5e6, "abc")} {
		tape, err := foreign.Open(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), foreign.Unknown)
		for err == nil {
			_, err = tape.Next()
		}
		if !errors.Is(err, broken) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// endless repeats a text.
type endless struct {
	text string
	left int
	rest string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	if e.rest == "" {
		e.rest = e.text
	}
	n := copy(p, e.rest)
	e.rest, e.left = e.rest[n:], e.left-n
	return n, nil
}

func TestALongRecordingIsReadInLittleMemory(t *testing.T) {
	line := `[0.001, "o", "` + strings.Repeat("x", 5000) + `"]` + "\n"
	for name, in := range map[string]io.Reader{
		"asciicast": io.MultiReader(strings.NewReader(`{"version":3,"term":{"cols":80,"rows":24}}`+"\n"),
			&endless{text: line, left: len(line) * 4000}),
		"ttyrec": &endless{text: frame(5e6, strings.Repeat("x", 5_000_000)), left: 20_000_048},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		tape, err := foreign.Open(in, foreign.Unknown)
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for {
			var e session.Event
			if e, err = tape.Next(); err != nil {
				break
			}
			total += len(e.Data)
		}
		runtime.ReadMemStats(&after)
		if grew := int64(after.HeapSys) - int64(before.HeapSys); !errors.Is(err, io.EOF) || total != 20_000_000 || grew > 12<<20 {
			t.Errorf("%s: %v after %d bytes; the heap grew by %d", name, err, total, grew)
		}
	}
}

// FuzzARecordingIsReadOrRefused reads anything: times never fall, every event is one that can be kept, and only an *Error
// ends it early.
func FuzzARecordingIsReadOrRefused(f *testing.F) {
	f.Add([]byte(`{"version":3,"term":{"cols":80,"rows":24}}` + "\n" + `[0.1,"o","a"]` + "\n" + `[1,"r","9x9"]` + "\n" + `[1,"x","0"]`))
	f.Add([]byte(`{"version":2,"width":80,"height":24,"timestamp":1}` + "\n" + `[0.1,"i","a"]` + "\n" + `[1e3,"m","x"]`))
	f.Add([]byte(`{"version":1,"stdout":[[0.1,"a"],[2,"b"]]}`))
	f.Add([]byte(frame(5e6, "\x1b[8;24;80t") + frame(6e6, "x")))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, format := range []foreign.Format{foreign.Unknown, foreign.Asciicast, foreign.Ttyrec} {
			tape, err := foreign.Open(strings.NewReader(string(data)), format)
			at := int64(0)
			for err == nil {
				var e session.Event
				if e, err = tape.Next(); err != nil {
					break
				}
				if e.Time < at || e.Time > 400*24*3600*1e6*10 {
					t.Fatalf("an event at %d behind one at %d", e.Time, at)
				}
				at = e.Time
				if _, ok := session.ParseSize(string(e.Data)); e.Kind == session.Resized && !ok {
					t.Fatalf("resized to %q", e.Data)
				}
			}
			var wrong *foreign.Error
			if !errors.Is(err, io.EOF) && !errors.As(err, &wrong) {
				t.Fatalf("it ends with %v", err)
			}
			if tape != nil {
				if d := tape.End().Time; d < at && errors.Is(err, io.EOF) {
					t.Fatalf("it lasts %d, and has an event at %d", d, at)
				}
			}
		}
	})
}
