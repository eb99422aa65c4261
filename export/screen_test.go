package export_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

var three = 3

// shell is a session of a terminal, with all that can happen in one.
func shell() []session.Event {
	of := info
	of.Terminal = "100x30"
	events := story(session.Opened, of, session.Sent, "$ \xe6\xb8", session.Received, "l", session.Sent, "\xa9\xff\"",
		session.Named, "温度", session.Resized, "120x40", session.Noted, "sent by ada",
		session.Gap, session.Missing{Events: 3, Bytes: 7, Reason: "damaged"}, session.Sent, "never\xe6", session.Unsent, "6",
		session.Sent, "\x1b[0m\r\n\xf0\x9f", session.ReceivedEnd, nil,
		session.Closed, session.End{Cause: session.Done, Exit: &three})
	for i := range events {
		events[i].Time = start + int64(i)*1_000_400
	}
	return events
}

func TestAsciicast3IsWhatTheTerminalShowed(t *testing.T) {
	want := `{"version":3,"term":{"cols":100,"rows":30},"timestamp":1700000000,"title":"温度"}
[1.000, "o", "$ "]
[2.001, "o", "温�\""]
[2.001, "r", "120x40"]
[1.000, "m", "sent by ada"]
[1.001, "m", "3 events with 7 bytes are missing: damaged"]
[3.001, "o", "\u001b[0m\r\n"]
[2.001, "o", "��"]
[0.000, "x", "3"]
`
	if got := write(t, export.Asciicast, export.Sent, shell()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	got := write(t, export.Asciicast, export.Both, shell())
	if !strings.Contains(got, "\n[1.001, \"i\", \"l\"]\n[1.000, \"o\",") {
		t.Errorf("with input:\n%s", got)
	}
}

func TestAsciicast2HasTimesSinceTheStart(t *testing.T) {
	want := `{"version":2,"width":100,"height":30,"timestamp":1700000000,"duration":12.004800,"title":"温度"}
[1.000400, "o", "$ "]
[3.001200, "o", "温�\""]
[5.002000, "r", "120x40"]
[6.002400, "m", "sent by ada"]
[7.002800, "m", "3 events with 7 bytes are missing: damaged"]
[10.004000, "o", "\u001b[0m\r\n"]
[12.004800, "o", "��"]
`
	if got := write(t, export.Asciicast2, export.Sent, shell()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestATerminalOfUnknownSizeIs80By24AndAPlaybackLastsAsLongAsTheSession(t *testing.T) {
	events := story(session.Opened, info, session.Sent, "x", session.Resized, "0x0", session.Closed, session.End{})
	events[3].Time += 2_000_000
	want := `{"version":3,"term":{"cols":80,"rows":24},"timestamp":1700000000}
[0.001, "o", "x"]
[2.002, "o", ""]
`
	if got := write(t, export.Asciicast, export.Sent, events); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// A version 3 file has intervals of whole milliseconds: what each lacks must not add up.
func TestTheTimesOfALongAsciicast3DoNotDrift(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	events := []session.Event{{Number: 1, Time: start, Kind: session.Opened, Data: session.JSON(info)}}
	at := int64(start)
	for n := range uint64(20_000) {
		at += random.Int64N(2000)
		events = append(events, session.Event{Number: n + 2, Time: at, Kind: session.Sent, Data: []byte("x")})
	}
	sum := int64(0)
	lines := strings.Split(strings.TrimSpace(write(t, export.Asciicast, export.Sent, events)), "\n")[1:]
	for i, line := range lines {
		var e [3]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		sum += int64(e[0].(float64)*1000 + 0.5)
		if off := events[i+1].Time - start - sum*1000; off < -500 || off > 500 {
			t.Fatalf("event %d is %d µs from its place", i, off)
		}
	}
}

func TestTtyrecHasTheExactBytesAndTheTimesOfTheClock(t *testing.T) {
	var got []string
	for rest := []byte(write(t, export.Ttyrec, export.Both, shell())); len(rest) > 0; {
		le := binary.LittleEndian
		n := le.Uint32(rest[8:])
		at := int64(le.Uint32(rest))*1e6 + int64(le.Uint32(rest[4:])) - start
		got = append(got, strconv.FormatInt(at, 10)+" "+string(rest[12:12+n]))
		rest = rest[12+n:]
	}
	want := []string{"0 \x1b[8;30;100t", "1000400 $ \xe6\xb8", "3001200 \xa9\xff\"", "5002000 \x1b[8;40;120t",
		"10004000 \x1b[0m\r\n\xf0\x9f"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// unzip gives the files of a script.
func unzip(t *testing.T, file string) (typescript, timing string) {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		f, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return read("typescript"), read("timing")
}

func TestScriptHasTheBytesInOneFileAndTheirTimesInAnother(t *testing.T) {
	typescript, timing := unzip(t, write(t, export.Script, export.Both, shell()))
	if want := "Script started on 2023-11-14 22:13:20+00:00 [COLUMNS=\"100\" LINES=\"30\"]\n" +
		"$ \xe6\xb8l\xa9\xff\"\x1b[0m\r\n\xf0\x9f"; typescript != want {
		t.Errorf("typescript: got %q; want %q", typescript, want)
	}
	if want := `H 0.000000 START_TIME 2023-11-14 22:13:20+00:00
H 0.000000 COLUMNS 100
H 0.000000 LINES 30
H 0.000000 TIMING_LOG timing
H 0.000000 OUTPUT_LOG typescript
O 1.000400 4
I 1.000400 1
O 1.000400 3
S 2.000800 SIGWINCH ROWS=40 COLS=120
O 5.002000 8
H 0.000000 EXIT_CODE 3
H 0.000000 DURATION 12.004800
`; timing != want {
		t.Errorf("timing: got\n%s\nwant\n%s", timing, want)
	}
}

func TestScriptreplayPlaysAScript(t *testing.T) {
	program, err := exec.LookPath("scriptreplay")
	if err != nil {
		t.Fatal("there is no scriptreplay: make deps installs it")
	}
	typescript, timing := unzip(t, write(t, export.Script, export.Sent, shell()))
	dir := t.TempDir()
	for name, text := range map[string]string{"typescript": typescript, "timing": timing} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, log := range []string{"-B", "-O"} {
		cmd := exec.Command(program, "--divisor", "1000000", "-T", "timing", log, "typescript")
		cmd.Dir = dir
		got, err := cmd.Output()
		if want := "$ \xe6\xb8\xa9\xff\"\x1b[0m\r\n\xf0\x9f"; err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("%s: got %q, %v; want %q", log, got, err, want)
		}
	}
}

// long gives events of which there are too many for the memory.
type long struct{ left, number int }

var longText = []byte(strings.Repeat("\x1b[31mred 温度\x1b[0m\r\n", 2000))

func (l *long) TryNext() ([]session.Event, error) {
	if l.left == 0 {
		return nil, io.EOF
	}
	l.left--
	l.number++
	return []session.Event{{Number: uint64(l.number), Time: start + int64(l.number)*10_000, Kind: session.Sent, Data: longText}}, nil
}

func (l *long) Close() {}

func TestALongRecordingIsWrittenInLittleMemory(t *testing.T) {
	const events = 400 // 18 MB
	for _, f := range []export.Format{export.Asciicast, export.Asciicast2, export.Ttyrec, export.Script} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		open := func() (export.Reader, error) { return &long{left: events}, nil }
		if err := export.Write(io.Discard, f, export.Both, open); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if grew := int64(after.HeapSys) - int64(before.HeapSys); grew > 12<<20 {
			t.Errorf("%s: the heap grew by %d bytes for %d", f, grew, events*len(longText))
		}
	}
}

// FuzzAnAsciicastShowsWhatWasSent cuts bytes anywhere: the lines must be JSON in UTF-8, and their text what was sent.
func FuzzAnAsciicastShowsWhatWasSent(f *testing.F) {
	f.Add([]byte("温度\xff\xe6\xb8\x00\x1b[0m"), []byte{1, 2, 1})
	f.Add([]byte("\xf0\x9f\x98\x80\xf0\x9f\u009b\u2028"), []byte{1})
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		var parts []any
		for rest, i := data, 0; len(rest) > 0; i++ {
			n := len(rest)
			if i < len(cuts) {
				n = min(n, int(cuts[i]%7)+1)
			}
			parts = append(parts, session.Sent, rest[:n:n], session.Received, "k")
			rest = rest[n:]
		}
		for _, format := range []export.Format{export.Asciicast, export.Asciicast2} {
			var shown, typed bytes.Buffer
			for i, line := range strings.Split(strings.TrimSpace(write(t, format, export.Both, story(parts...))), "\n") {
				if i == 0 {
					continue
				}
				var e [3]any
				if err := json.Unmarshal([]byte(line), &e); err != nil || !utf8.ValidString(line) {
					t.Fatalf("%q: %v", line, err)
				}
				if e[1] == "o" {
					shown.WriteString(e[2].(string))
				} else {
					typed.WriteString(e[2].(string))
				}
			}
			if want := string([]rune(string(data))); shown.String() != want {
				t.Fatalf("got %q; want %q", shown.String(), want)
			}
			if want := strings.Repeat("k", len(parts)/4); typed.String() != want {
				t.Fatalf("typed %q; want %q", typed.String(), want)
			}
		}
	})
}
