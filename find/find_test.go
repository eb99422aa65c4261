package find_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/find"
	"github.com/switchboard-relay/switchboard/session"
)

// needle makes one of a text, or of bytes.
func needle(t testing.TB, what string, fold bool) *find.Needle {
	t.Helper()
	n, err := find.Bytes([]byte(what))
	if fold {
		n, err = find.Text(what)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// story numbers events: each is a kind, then data.
func story(parts ...any) (events []session.Event) {
	for i := 0; i < len(parts); i += 2 {
		n := len(events) + 1
		events = append(events, session.Event{Number: uint64(n), Time: int64(n * 10), Kind: parts[i].(session.Kind),
			Data: []byte(parts[i+1].(string))})
	}
	return events
}

// all finds every place, with a window that is as small as can be if it is 0.
func all(t testing.TB, n *find.Needle, window int, events []session.Event) (hits []find.Hit) {
	t.Helper()
	f := find.New(n, 1<<30, func(h find.Hit) error { hits = append(hits, h); return nil })
	f.SetWindow(window)
	for _, e := range events {
		e.Data = bytes.Clone(e.Data)
		if err := f.Event(e); err != nil {
			t.Fatal(err)
		}
		for i := range e.Data {
			e.Data[i] = 'x' // it is the caller's again
		}
	}
	if err := f.End(); err != nil {
		t.Fatal(err)
	}
	return hits
}

func TestAMatchIsFoundWhereverItsEventsAreCut(t *testing.T) {
	const text = "the Größe of a KELVIN is \u212Aelvin, GRÖSSE is größe"
	for _, c := range []struct {
		what string
		fold bool
		want []string
	}{
		{"größe", true, []string{"Größe", "größe"}},
		{"kelvin", true, []string{"KELVIN", "\u212Aelvin"}},
		{"KELVIN", false, []string{"KELVIN"}},
		{"s", true, []string{"s", "S", "S", "s"}},
		{"the ", true, []string{"the "}},
		{"größe of a kelvin is kelvin, grösse is größe", true, []string{text[4:]}},
	} {
		for cut := range len(text) + 1 {
			for second := cut; second <= len(text); second++ {
				hits := all(t, needle(t, c.what, c.fold), 0, story(session.Received, text[:cut], session.Sent, "kelvi",
					session.Received, text[cut:second], session.Sent, "größ", session.Received, text[second:]))
				var got []string
				for _, h := range hits {
					got = append(got, h.Match)
					begins := map[uint64]int{1: 0, 3: cut, 5: second}[h.Number]
					if at := begins + h.Offset; h.Kind != session.Received || text[at:at+h.Length] != h.Match ||
						h.Time != int64(h.Number)*10 {
						t.Fatalf("cut at %d and %d: %+v is not there", cut, second, h)
					}
				}
				if strings.Join(got, "|") != strings.Join(c.want, "|") {
					t.Fatalf("%q cut at %d and %d: got %q; want %q", c.what, cut, second, got, c.want)
				}
			}
		}
	}
}

func TestADirectionIsByItself(t *testing.T) {
	events := story(session.Received, "pass", session.Sent, "word: pass", session.Received, "word",
		session.SentErr, "my pass", session.Sent, "word", session.SentErr, "word", session.Typed, "ada\x00a pass",
		session.Typed, "grace\x00word")
	var got []string
	for _, h := range all(t, needle(t, "PASSWORD", true), 0, events) {
		got = append(got, fmt.Sprintf("%s %d+%d %s[%s]%s", h.Kind, h.Number, h.Offset, h.Before, h.Match, h.After))
	}
	want := "received 1+0 [password] sent 2+6 word: [password] sent on stderr 4+3 my [password] typed 7+2 a [password]"
	if strings.Join(got, " ") != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestNoMatchSpansWhatIsMissing(t *testing.T) {
	events := story(session.Received, "pass", session.Gap, "{}", session.Received, "word, password, pass",
		session.Resized, "80x24", session.Received, "word")
	hits := all(t, needle(t, "password", true), 0, events)
	if len(hits) != 2 || hits[0].Number != 3 || hits[0].Offset != 6 || hits[1].Offset != 16 {
		t.Errorf("got %+v; want the two behind the gap", hits)
	}
}

func TestEventsOfOneNumberCountAsOne(t *testing.T) {
	events := story(session.Sent, "one", session.Sent, "two", session.Sent, "three")
	events[1].Number, events[2].Number = 1, 1
	hits := all(t, needle(t, "three", false), 0, events)
	if len(hits) != 1 || hits[0].Number != 1 || hits[0].Offset != 6 || hits[0].Time != 30 {
		t.Errorf("got %+v; want it at byte 6 of event 1, at its own time", hits)
	}
}

func TestAnExcerptIsTextAndShort(t *testing.T) {
	for _, c := range []struct{ before, after, wantBefore, wantAfter string }{
		{"", "", "", ""},
		{"a\x00\x1b[0m\r\n", "\t…", "a\x00\x1b[0m\r\n", "\t…"},
		{strings.Repeat("温", 20), strings.Repeat("度", 20), strings.Repeat("温", 13), strings.Repeat("度", 13)},
		{"x" + strings.Repeat("é", 20), strings.Repeat("é", 20) + "x", strings.Repeat("é", 20), strings.Repeat("é", 20)},
		{strings.Repeat("\xff", 50), strings.Repeat("\xff", 50), "\uFFFD", "\uFFFD"},
		{strings.Repeat("a\xff", 30), strings.Repeat("\xffa", 30), strings.Repeat("a\uFFFD", 10),
			strings.Repeat("\uFFFDa", 10)},
		{"\xb8\xad", "\xe6\xb8", "\uFFFD", ""},
	} {
		hits := all(t, needle(t, "needle", true), 0, story(session.Sent, c.before+"NEEDLE"+c.after))
		if len(hits) != 1 || hits[0].Before != c.wantBefore || hits[0].Match != "NEEDLE" || hits[0].After != c.wantAfter {
			t.Errorf("%q, %q: got %+v", c.before, c.after, hits)
		}
	}
	hits := all(t, needle(t, "\xb8", false), 0, story(session.Sent, "\xe6\xb8\xad"))
	if len(hits) != 1 || hits[0].Before+hits[0].Match+hits[0].After != "\uFFFD\uFFFD\uFFFD" {
		t.Errorf("within a character: got %+v", hits)
	}
}

func TestTheLimitEndsIt(t *testing.T) {
	var hits []find.Hit
	f := find.New(needle(t, "a", true), 3, func(h find.Hit) error { hits = append(hits, h); return nil })
	err := f.Event(story(session.Received, "aAbaa")[0])
	if err == nil {
		err = f.End()
	}
	if !errors.Is(err, find.ErrLimit) || len(hits) != 3 || hits[2].Offset != 3 {
		t.Errorf("got %+v, %v; want three and ErrLimit", hits, err)
	}
	away := errors.New("away")
	f = find.New(needle(t, "a", true), 3, func(find.Hit) error { return away })
	f.Event(story(session.Received, "a")[0])
	if err := f.End(); !errors.Is(err, away) {
		t.Errorf("got %v; want what found returned", err)
	}
}

func TestWhatADirectionSaidLastIsNotWithheldWhileTheOtherGoesOn(t *testing.T) {
	found := 0
	f := find.New(needle(t, "login", true), 10, func(find.Hit) error { found++; return nil })
	if err := f.Event(session.Event{Number: 1, Kind: session.Received, Data: []byte("login")}); err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 32<<10)
	for i := range 8 {
		if err := f.Event(session.Event{Number: uint64(i + 2), Kind: session.Sent, Data: noise}); err != nil {
			t.Fatal(err)
		}
	}
	if found != 1 {
		t.Errorf("found %d times behind 256 KiB of the other direction; want it told", found)
	}
}

func TestWhatCannotBeLookedForIsRefused(t *testing.T) {
	if _, err := find.Text("\xff"); err == nil {
		t.Error("text that is no UTF-8 was taken")
	}
	for _, s := range []string{"", strings.Repeat("x", find.MaxNeedle+1)} {
		if _, err := find.Text(s); err == nil {
			t.Errorf("a text of %d bytes was taken", len(s))
		}
		if _, err := find.Bytes([]byte(s)); err == nil {
			t.Errorf("%d bytes were taken", len(s))
		}
	}
}

func TestEverythingIsFoundOfWhatOneEventOrManyHold(t *testing.T) {
	var text strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&text, "line %d Größe %x\r\n", i, i*i)
	}
	whole := text.String()
	events := []session.Event{{Number: 1, Kind: session.Sent, Data: []byte(whole)}}
	var single []session.Event
	for i := range len(whole) / 8 {
		single = append(single, session.Event{Number: uint64(i + 1), Kind: session.Sent, Data: []byte(whole[i*8 : i*8+8])})
	}
	single = append(single, session.Event{Number: uint64(len(single) + 1), Kind: session.Sent,
		Data: []byte(whole[len(single)*8:])})
	for _, what := range []string{"größe", "line 3", "ß", "\r\n", "e 123 gr"} {
		want := naive([]byte(whole), what, true)
		for _, parts := range [][]session.Event{events, single} {
			hits := all(t, needle(t, what, true), 64<<10, parts)
			if len(hits) != len(want) {
				t.Fatalf("%q in %d events: %d hits; want %d", what, len(parts), len(hits), len(want))
			}
			for i, h := range hits {
				if at := int(h.Number-1)*8 + h.Offset; at != want[i].at || h.Length != want[i].n {
					t.Fatalf("%q in %d events: hit %d is at byte %d; want %d", what, len(parts), i, at, want[i].at)
				}
			}
		}
	}
}

func TestLowerChangesTheCapitalsOfASCIIAlone(t *testing.T) {
	var every []byte
	for c := range 256 {
		every = append(every, byte(c))
	}
	for shift := range 9 {
		src := append(bytes.Repeat([]byte{'@'}, shift), every...)
		got := make([]byte, len(src))
		find.Lower(got, src)
		for i, c := range src {
			want := c
			if 'A' <= c && c <= 'Z' {
				want += 32
			}
			if got[i] != want {
				t.Fatalf("byte %#x behind %d others becomes %#x; want %#x", c, shift, got[i], want)
			}
		}
	}
}

func TestNothingIsAllocatedPerEvent(t *testing.T) {
	f := find.New(needle(t, "nowhere", true), 1, func(find.Hit) error { return nil })
	data := bytes.Repeat([]byte("Some words of a session "), 40)
	number := uint64(0)
	step := func() {
		number++
		f.Event(session.Event{Number: number, Kind: session.Received + session.Kind(number&1), Data: data})
	}
	for range 20_000 { // until the windows are as large as they become
		step()
	}
	if n := testing.AllocsPerRun(10_000, step); n > 0.01 {
		t.Errorf("%v allocations an event", n)
	}
}

var words = strings.Fields("temperature pressure OK Error sensor login Password 21.5 x=0x3f connection reset by peer " +
	"GET /index.html HTTP/1.1 Host: example.org the of and a to in is 温度 größe")

func corpus(size int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < size {
		b.WriteString(words[rnd.IntN(len(words))])
		b.WriteByte(" \n"[rnd.IntN(8)/7])
	}
	return b.Bytes()[:size]
}

func BenchmarkFind(b *testing.B) {
	text := corpus(4 << 20)
	for _, c := range []struct {
		name, what string
		fold       bool
		data       []byte
		event      int
	}{
		{"exact", "Password: hunter2", false, text, 32 << 10},
		{"exact, small events", "Password: hunter2", false, text, 64},
		{"exact, one byte", "\x00", false, text, 32 << 10},
		{"text", "Password: hunter2", true, text, 32 << 10},
		{"text, small events", "Password: hunter2", true, text, 64},
		{"text, a common beginning", "temperature 22", true, text, 32 << 10},
		{"text, Chinese", "湿度", true, text, 32 << 10},
		{"text, no solid character", "ßk", true, text, 32 << 10},
		{"text, all but the last fits", "aaaaaaab", true, bytes.Repeat([]byte("a"), 4<<20), 32 << 10},
		{"text, k alone in its like", "kks", true, bytes.Repeat([]byte("k"), 4<<20), 32 << 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.data)))
			n := needle(b, c.what, c.fold)
			for b.Loop() {
				f := find.New(n, 1<<30, func(find.Hit) error { return nil })
				for at := 0; at < len(c.data); at += c.event {
					f.Event(session.Event{Number: uint64(at + 1), Kind: session.Received, Data: c.data[at : at+c.event]})
				}
				f.End()
			}
		})
	}
}

// place is where a naive search finds something.
type place struct{ at, n int }

// naive looks at every place, character by character.
func naive(data []byte, what string, fold bool) (places []place) {
	for at := 0; at < len(data); {
		n, fits := fitsAt(data[at:], what, fold)
		if !fits {
			at++
			continue
		}
		places = append(places, place{at, n})
		at += n
	}
	return places
}

func fitsAt(data []byte, what string, fold bool) (n int, fits bool) {
	if !fold {
		return len(what), bytes.HasPrefix(data, []byte(what))
	}
	for _, want := range what {
		r, size := utf8.DecodeRune(data[n:])
		if r == utf8.RuneError && size <= 1 || !strings.EqualFold(string(r), string(want)) {
			return 0, false
		}
		n += size
	}
	return n, true
}
