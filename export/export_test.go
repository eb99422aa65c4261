package export_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

// tape gives events in batches, as a recording does.
type tape struct {
	events []session.Event
	batch  int
	ends   bool // with io.EOF, as the tape of an ended session
	err    error
	closed *int
}

func (t *tape) TryNext() ([]session.Event, error) {
	if len(t.events) == 0 {
		if t.err == nil && t.ends {
			return nil, io.EOF
		}
		return nil, t.err
	}
	n := min(max(t.batch, 1), len(t.events))
	batch := t.events[:n]
	t.events = t.events[n:]
	return batch, nil
}

func (t *tape) Close() { *t.closed++ }

const start = 1_700_000_000_000_000

// story makes events of kinds and data, a millisecond apart.
func story(parts ...any) []session.Event {
	var events []session.Event
	for i := 0; i < len(parts); i += 2 {
		e := session.Event{Number: uint64(i/2 + 1), Time: start + int64(i/2)*1000, Kind: parts[i].(session.Kind)}
		switch v := parts[i+1].(type) {
		case nil:
		case string:
			e.Data = []byte(v)
		case []byte:
			e.Data = v
		default:
			e.Data = session.JSON(v)
		}
		events = append(events, e)
	}
	return events
}

func write(t testing.TB, f export.Format, d export.Direction, events []session.Event) string {
	t.Helper()
	var out bytes.Buffer
	opened, closed := 0, 0
	err := export.Write(&out, f, d, func() (export.Reader, error) {
		opened++
		return &tape{events: events, batch: 3, ends: true, closed: &closed}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if opened != closed {
		t.Errorf("%d readers were opened, %d closed", opened, closed)
	}
	return out.String()
}

var info = session.Info{ID: "4tq9m2xk7bfd-n1", Listener: "echo", Transport: "tcp", Remote: "10.0.0.7:5000",
	Start: start}

func TestRawIsTheBytesInTheOrderOfTime(t *testing.T) {
	events := story(session.Opened, info, session.Sent, "Hello\n", session.Received, "\x00\xff", session.Named, "n",
		session.Sent, "ok",
		session.Closed, session.End{Cause: session.HungUp})
	for d, want := range map[export.Direction]string{export.Both: "Hello\n\x00\xffok", export.Received: "\x00\xff",
		export.Sent: "Hello\nok"} {
		if got := write(t, export.Raw, d, events); got != want {
			t.Errorf("%q: got %q; want %q", d, got, want)
		}
	}
}

func TestStderrStandsApartAndCountsAsSent(t *testing.T) {
	events := story(session.Opened, info, session.Sent, "out \xe4\xb8", session.SentErr, "err \xe4", session.Sent, "\xad",
		session.SentErr, "\xb8\xad", session.Unsent, "1")
	if got, want := write(t, export.Raw, export.Sent, events), "out \xe4\xb8err \xe4\xad\xb8"; got != want {
		t.Errorf("raw: got %q; want %q", got, want)
	}
	if got := write(t, export.Raw, export.Received, events); got != "" {
		t.Errorf("raw, received: got %q", got)
	}
	got := write(t, export.Text, export.Sent, events)
	for _, want := range []string{`→ sent      "out " …`, `→ sent on stderr "err " …`, `→ sent      "中"`, `→ sent on stderr "中"`} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("text: got\n%s; want %s in it", got, want)
		}
	}
	if got := write(t, export.JSONL, export.Both, events[2:3]); !strings.Contains(got, `"kind":"sent on stderr","base64":"ZXJyIOQ="`) {
		t.Errorf("json: got %s", got)
	}
}

func TestWhatWasTypedAlongIsInputAndNothingReceived(t *testing.T) {
	events := story(session.Opened, info, session.Received, "l", session.Watched, session.Watch{By: "ada", Types: true},
		session.Typed, "ada\x00s -l\r", session.Watched, session.Watch{By: "ada", Types: true, Left: true},
		session.Watched, session.Watch{By: "\x1b[1m"})
	if got := write(t, export.Raw, export.Received, events); got != "l" {
		t.Errorf("raw: got %q", got)
	}
	got := write(t, export.Text, export.Both, events)
	for _, want := range []string{`· watched   ada types along`, `← typed     "ada" "s -l\r"`, `· watched   ada has left`, `· watched   \x1b[1m looks on`} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("text: got\n%s; want %s in it", got, want)
		}
	}
	if got := write(t, export.Text, export.Sent, events); strings.Contains(got, "s -l") {
		t.Errorf("text of what was sent: got\n%s", got)
	}
	if got := write(t, export.JSONL, export.Both, events[3:4]); !strings.Contains(got, `"kind":"typed","by":"ada","text":"s -l\r"`) {
		t.Errorf("json: got %s", got)
	}
	if got := write(t, export.Asciicast, export.Both, events); !strings.Contains(got, `"i", "s -l\r"]`) {
		t.Errorf("asciicast: got\n%s", got)
	}
	if got := write(t, export.Asciicast, export.Sent, events); strings.Contains(got, "s -l") {
		t.Errorf("asciicast without input: got\n%s", got)
	}
}

func TestBytesThatWereNeverSentAreLeftOutOfRaw(t *testing.T) {
	S, U, R := session.Sent, session.Unsent, session.Received
	for _, c := range []struct {
		events []session.Event
		want   string
	}{
		{story(S, "abcdef", U, "2"), "abcd"},
		{story(S, "abc", S, "def", U, "4"), "ab"},
		{story(S, "abc", R, "x", S, "def", R, "y", U, "5", R, "z"), "axyz"},
		{story(S, "abc", U, "1", S, "def", U, "2"), "abd"},
		{story(S, "abcdef", U, "2", U, "1"), "abc"},
		{story(S, "abc", U, "3", S, "def"), "def"},
		{story(S, "abc", U, "1", S, "de", U, "3"), "a"},
		{story(S, "abc", U, "99", R, "r"), "r"},
		{story(S, "abc", U, "0"), "abc"},
		{story(S, "abc", U, "much"), "abc"},
		{story(S, "abc", U, "1", U, "1", U, "1", S, "z"), "z"},
	} {
		if got := write(t, export.Raw, export.Both, c.events); got != c.want {
			t.Errorf("%v: got %q; want %q", c.events, got, c.want)
		}
	}
}

// What is cut must be what a list of the bytes, of which the last are taken away, is without them.
func TestUnsentBytesAreCutAsFromAStack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var events []session.Event
		var stack []byte
		next := byte('a')
		for n := range uint64(12) {
			e := session.Event{Number: n + 1, Kind: session.Sent}
			if random.IntN(3) == 0 {
				k := random.IntN(8)
				e.Kind, e.Data = session.Unsent, strconv.AppendInt(nil, int64(k), 10)
				stack = stack[:len(stack)-min(k, len(stack))]
			} else {
				for range random.IntN(5) {
					e.Data = append(e.Data, next)
					next = 'a' + (next-'a'+1)%26
				}
				stack = append(stack, e.Data...)
			}
			events = append(events, e)
		}
		if got := write(t, export.Raw, export.Sent, events); got != string(stack) {
			t.Fatalf("%v: got %q; want %q", events, got, stack)
		}
	}
}

// A live session grows between the two readings of a raw export; the export ends where the first reading did.
func TestARawExportOfALiveSessionEndsWhereItsFirstReadingDid(t *testing.T) {
	events := story(session.Sent, "abc", session.Received, "1", session.Sent, "def", session.Unsent, "3")
	var out bytes.Buffer
	closed, opened := 0, 0
	err := export.Write(&out, export.Raw, export.Both, func() (export.Reader, error) {
		opened++
		return &tape{events: events[:1+opened], closed: &closed}, nil
	})
	if err != nil || out.String() != "abc1" {
		t.Errorf("got %q, %v; want what the first reading saw", out.String(), err)
	}
}

func TestTextIsAConversationThatPeopleRead(t *testing.T) {
	events := story(session.Opened, info, session.Sent, "Hello \"you\"\n", session.Received, "温度 \xe6\xb8",
		session.Received, "\xa9\x1b[31m\r\n",
		session.Named, "dev\x07ice", session.Received, "two\nlines", session.Gap, session.Missing{Events: 3, Bytes: 7,
			Reason: "damaged"},
		session.Received, "\xe6", session.ReceivedEnd, nil, session.Sent, "x", session.Unsent, "1",
		session.Closed, session.End{Cause: session.Kicked, By: "ada", Reason: "tired"})
	want := `0:00:00.000 · opened    4tq9m2xk7bfd-n1, tcp 10.0.0.7:5000 on echo, 2023-11-14 22:13:20.000 UTC
0:00:00.001 → sent      "Hello \"you\"\n"
0:00:00.002 ← received  "温度 " …
0:00:00.003 ← received  "温\x1b[31m\r\n"
0:00:00.004 · named     dev\aice
0:00:00.005 ← received  "two\n"
                        "lines"
0:00:00.006 · gap       3 events with 7 bytes are missing: damaged
0:00:00.007 ← received  "" …
0:00:00.007 ← received  "\xe6"
0:00:00.008 ← received end the far end sends no more
0:00:00.009 → sent      "x"
0:00:00.010 → unsent    the far end never took the last 1 bytes
0:00:00.011 · closed    kicked by ada: tired
`
	if got := write(t, export.Text, export.Both, events); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	sent := write(t, export.Text, export.Sent, events)
	if strings.Contains(sent, "received") || !strings.Contains(sent, "opened") || !strings.Contains(sent, "never took") {
		t.Errorf("the sent direction alone:\n%s", sent)
	}
}

func TestDatagramsAreNeverJoined(t *testing.T) {
	udp := info
	udp.Transport = "udp"
	got := write(t, export.Text, export.Both, story(session.Opened, udp, session.Received, "\xe6\xb8", session.Received,
		"\xa9"))
	if !strings.Contains(got, `"\xe6\xb8"`) || !strings.Contains(got, `"\xa9"`) || strings.Contains(got, "温") {
		t.Errorf("got:\n%s", got)
	}
}

func TestARoomsOwnRecordShowsWhoSaidWhat(t *testing.T) {
	m := session.RoomMessage{Offset: 7, From: "4tq9m2xk7bfd-n1", Bytes: []byte("hi\x00")}
	events := story(session.Message, m.Append(nil), session.Message, session.RoomMessage{Bytes: []byte("all")}.Append(nil))
	if got := write(t, export.Text, export.Both, events); !strings.Contains(got, `message   4tq9m2xk7bfd "hi\x00"`) ||
		!strings.Contains(got, `nobody "all"`) {
		t.Errorf("text: %s", got)
	}
	if got := write(t, export.Raw, export.Both, events); got != "hi\x00all" {
		t.Errorf("raw: %q", got)
	}
	if got := write(t, export.Hex, export.Both, events); !strings.Contains(got, "68 69 00 ") {
		t.Errorf("hex: %s", got)
	}
}

func TestTheHexDumpIsThatOfHexdump(t *testing.T) {
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	all = append(all, "the rest"...)
	got := write(t, export.Hex, export.Both, story(session.Received, all, session.Sent, "x", session.Received, "y"))
	head, rows, _ := strings.Cut(got, "\n")
	if head != "0:00:00.000 ← received  264 bytes" {
		t.Errorf("the heading is %q", head)
	}
	if want := hex.Dump(all); !strings.HasPrefix(rows, want) {
		t.Errorf("got:\n%s\nwant:\n%s", rows, want)
	}
	for _, want := range []string{"\n00000000  78    ", "\n00000108  79    "} { // each direction counts for itself
		if !strings.Contains(rows, want) {
			t.Errorf("%q is not in:\n%s", want, rows)
		}
	}
}

func TestEachLineOfJSONIsTheEvent(t *testing.T) {
	events := story(session.Opened, info, session.Received, "a\nb\u2028\u009b\x7f<", session.Sent, "\xff",
		session.ReceivedEnd, nil,
		session.Closed, session.End{Cause: session.Idle})
	lines := strings.Split(strings.TrimSuffix(write(t, export.JSONL, export.Both, events), "\n"), "\n")
	if len(lines) != len(events) {
		t.Fatalf("%d lines for %d events", len(lines), len(events))
	}
	for i, line := range lines {
		var e session.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Number != events[i].Number || e.Time != events[i].Time || e.Kind != events[i].Kind || !bytes.Equal(e.Data,
			events[i].Data) {
			t.Errorf("%s: got %v; want %v", line, e, events[i])
		}
		for _, r := range line {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' {
				t.Errorf("%q has the control character %U", line, r)
			}
		}
	}
}

func TestErrorsOfTheReaderAndTheWriterComeBack(t *testing.T) {
	broken := errors.New("broken")
	for _, f := range export.Formats {
		closed := 0
		open := func() (export.Reader, error) {
			return &tape{events: story(session.Received, "x"), err: broken, closed: &closed}, nil
		}
		if err := export.Write(io.Discard, f, export.Both, open); !errors.Is(err, broken) || closed == 0 {
			t.Errorf("%s: a reader that breaks: %v, closed %d times", f, err, closed)
		}
		if err := export.Write(io.Discard, f, export.Both, func() (export.Reader, error) {
			return nil,
				broken
		}); !errors.Is(err, broken) {
			t.Errorf("%s: a reader that cannot be opened: %v", f, err)
		}
		many := story(session.Received, strings.Repeat("x", 100_000), session.Received, "y")
		open = func() (export.Reader, error) { return &tape{events: many, closed: &closed}, nil }
		if err := export.Write(brokenWriter{broken}, f, export.Both, open); !errors.Is(err, broken) {
			t.Errorf("%s: a writer that breaks: %v", f, err)
		}
	}
	if err := export.Write(io.Discard, "pdf", export.Both, nil); err == nil {
		t.Error("a format that there is not is taken")
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestFormatsAndDirectionsSayWhatIsAllowed(t *testing.T) {
	for in, want := range map[string]export.Format{"": export.Raw, "raw": export.Raw, "text": export.Text,
		"jsonl": export.JSONL, "hex": export.Hex} {
		if got, err := export.ParseFormat(in); got != want || err != nil {
			t.Errorf("ParseFormat(%q) = %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]export.Direction{"": export.Both, "both": export.Both, "sent": export.Sent,
		"received": export.Received} {
		if got, err := export.ParseDirection(in); got != want || err != nil {
			t.Errorf("ParseDirection(%q) = %q, %v", in, got, err)
		}
	}
	if _, err := export.ParseFormat("json"); err == nil || !strings.Contains(err.Error(), "jsonl") {
		t.Errorf("ParseFormat(json): %v", err)
	}
	if _, err := export.ParseDirection("up"); err == nil || !strings.Contains(err.Error(), "received") {
		t.Errorf("ParseDirection(up): %v", err)
	}
}

func BenchmarkWrite(b *testing.B) {
	data, err := os.ReadFile("export_test.go")
	if err != nil {
		b.Fatal(err)
	}
	var events []session.Event
	var size int64
	for i := 0; len(events) < 2000; i++ {
		part := data[i*97%(len(data)-600):][:500]
		events = append(events, session.Event{Number: uint64(i + 1), Time: start + int64(i), Kind: session.Received +
			session.Kind(i%2), Data: part})
		size += int64(len(part))
	}
	closed := 0
	for _, f := range export.Formats {
		b.Run(fmt.Sprint(f), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				open := func() (export.Reader, error) { return &tape{events: events, batch: 100, closed: &closed}, nil }
				if err := export.Write(io.Discard, f, export.Both, open); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
