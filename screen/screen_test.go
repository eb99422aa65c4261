package screen_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/switchboard-relay/switchboard/screen"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// story is the events of a session, of which each call adds one.
type story struct {
	events []session.Event
	at     int64 // µs
}

func (s *story) add(k session.Kind, data string) *story {
	s.events = append(s.events, session.Event{Number: uint64(len(s.events) + 1), Time: 1_800_000_000_000_000 + s.at, Kind: k, Data: []byte(data)})
	return s
}

func (s *story) sent(data string) *story      { return s.add(session.Sent, data) }
func (s *story) resized(size string) *story   { return s.add(session.Resized, size) }
func (s *story) after(seconds float64) *story { s.at += int64(seconds * 1e6); return s }

func begin(terminal string) *story {
	info := session.Info{ID: "4tq9m2xk7bfd-n1", Terminal: terminal}
	return (&story{}).add(session.Opened, string(info.AppendJSON(nil)))
}

// kept are the numbers behind which screens are kept, with trackers that begin anew at each that says so.
func (s *story) kept(anew func(n int) bool) (numbers []uint64) {
	t := screen.New()
	for _, e := range s.events {
		if t.Due(e) {
			shown := t.Screen()
			t.Kept(&shown)
			numbers = append(numbers, t.Number())
			if anew(len(numbers)) {
				t = screen.Resume(shown)
			}
		}
		t.Take(e)
	}
	return numbers
}

func never(int) bool { return false }

func expectKept(t *testing.T, what string, s *story, want ...uint64) {
	t.Helper()
	if got := s.kept(never); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: kept behind %v; want %v", what, got, want)
	}
	if got := s.kept(func(int) bool { return true }); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s, beginning anew at each: kept behind %v; want %v", what, got, want)
	}
}

func TestAScreenIsKeptBehindResizesMuchOutputAndSomeTime(t *testing.T) {
	expectKept(t, "little", begin("80x24").sent("a").after(9).sent("b").after(0.5).sent("c"))
	expectKept(t, "10 s", begin("80x24").sent("a").after(9).sent("b").after(2).sent("c").after(1).sent("d").after(100).sent("e"), 3, 5)
	expectKept(t, "silence", begin("80x24").after(100).add(session.Noted, "x").after(100).add(session.Received, "x"))
	expectKept(t, "resizes", begin("80x24").resized("90x30").after(1).sent("a").resized("100x30").sent("b").resized("80x24").after(1).sent("c"), 2, 4, 6)
	much := begin("80x24")
	for range 9 {
		much.sent(string(bytes.Repeat([]byte("x"), 100_000)))
	}
	expectKept(t, "much", much, 4, 7)
}

func TestAScreenIsNotKeptAmongEventsOfOneNumber(t *testing.T) {
	s := begin("80x24").resized("90x30")
	s.events = append(s.events, session.Event{Number: 3, Time: s.events[1].Time, Kind: session.Sent, Data: []byte("a")},
		session.Event{Number: 3, Time: s.events[1].Time + 60e6, Kind: session.Sent, Data: []byte("b")},
		session.Event{Number: 4, Time: s.events[1].Time + 60e6, Kind: session.Sent, Data: []byte("c")})
	expectKept(t, "two of one number", s, 2, 3)
}

func TestScreensThatCostMuchAreKeptLess(t *testing.T) {
	s := begin("80x24")
	for i := range 20_000 {
		s.resized(fmt.Sprintf("%dx24", 80+i%2)).after(0.001)
	}
	if n := len(s.kept(never)); n < 300 || n > 600 {
		t.Errorf("of 20,000 resizes in 20 s %d are kept; want 300 at once, then 10 a second", n)
	}
	long := begin("80x24").sent("\x1b]2;")
	for range 40 {
		long.sent(string(bytes.Repeat([]byte("x"), 64<<10)))
	}
	long.sent("\x1b\\").sent("shown").sent("more")
	expectKept(t, "within a long title", long, 6, 11, 16, 21, 26, 31, 36, 41)
}

func TestATrackerShowsWhatItsSessionDoes(t *testing.T) {
	s := begin("30x5").sent("one").add(session.SentErr, " two").add(session.Received, "typed").resized("20x4").resized("0x7").sent("\r\nthree")
	tr := screen.New()
	for _, e := range s.events {
		tr.Take(e)
	}
	want := terminal.New(30, 5)
	want.Write([]byte("one two"))
	want.Resize(20, 4)
	want.Write([]byte("\r\nthree"))
	shown := tr.Screen()
	state := want.AppendSnapshot(nil)
	if shown.Number != 7 || shown.Size != (session.Size{Cols: 20, Rows: 4}) || string(shown.Data) != string(state) {
		t.Errorf("got %+v, %q; want %q", shown, shown.Data, state)
	}
	if p := tr.Place(); p.Number != 7 || p.Time != shown.Time || p.Size != shown.Size {
		t.Errorf("place: %+v", p)
	}
}

func TestASizeThatNoTerminalHasIsMadeSmaller(t *testing.T) {
	tr := screen.New()
	for _, e := range begin("1000x1000").events {
		tr.Take(e)
	}
	if size := tr.Size(); size.Cols != 500 || size.Rows != 131 {
		t.Errorf("got %v", size)
	}
}

func TestManyResizesHaveFewLargeScreensKept(t *testing.T) {
	s := begin("500x131")
	random := rand.New(rand.NewPCG(1, 1))
	var colors []byte
	for range 500 * 131 {
		colors = fmt.Appendf(colors, "\x1b[38;2;%d;%d;%dmx", random.IntN(256), random.IntN(256), random.IntN(256))
	}
	s.sent(string(colors)).after(1)
	const resizes = 10_000
	for i := range resizes {
		s.resized(fmt.Sprintf("%dx131", 499+i%2)).after(0.001)
	}
	if n := len(s.kept(never)); n == 0 || n > 12 {
		t.Errorf("of %d resizes of a screen of %d bytes in 10 s, %d are kept; want few", resizes, len(colors), n)
	}
}
