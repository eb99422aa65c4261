// Package find finds bytes in what passed in a session. Each direction, stderr, and what was typed along, is one stream
// of bytes: a match may begin in one event and end in another, unless something is missing between them.
package find

import (
	"cmp"
	"errors"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/session"
)

// MaxExcerpt is the most that a hit shows of what is before and behind it, bytes.
const MaxExcerpt = 40

// Hit is one place at which the needle was found.
type Hit struct {
	Number uint64       // of the event in which it begins
	Time   int64        // of that event, Unix µs
	Kind   session.Kind // Received, Sent, SentErr or Typed
	Offset int          // of its first byte in that event, of Typed in what was typed; events that share a number count as one
	Length int          // bytes
	// What is before it, it and what is behind it in its direction, as UTF-8: what is none is replaced. Characters that
	// the limit cuts are left out.
	Before, Match, After string
}

// ErrLimit says that as many places were found as were asked for; there may be more.
var ErrLimit = errors.New("the limit is reached")

const (
	windowSize = 64 << 10 // of a direction that is searched at once, bytes
	maxEvents  = 8 << 10  // that may be in it
)

// Finder takes the events of a session in order and says what it finds. Matches do not overlap. Its memory does not
// depend on what it is given. It is for one goroutine.
type Finder struct {
	needle *Needle
	left   int // how many may still be found
	found  func(Hit) error
	window int // bytes
	sides  [4]side
	hits   []Hit
}

// New makes a finder of at most limit places, at which it calls found. Those of one direction come in order. One whose end
// comes late, or of which little follows, may come behind later ones of the other direction.
func New(n *Needle, limit int, found func(Hit) error) *Finder {
	f := &Finder{needle: n, left: limit, found: found, window: windowSize}
	for i, k := range []session.Kind{session.Received, session.Sent, session.SentErr, session.Typed} {
		f.sides[i].kind = k
	}
	return f
}

// Event takes the next event, whose data may change afterwards. The error is ErrLimit, or that of found; then nothing more
// is found.
func (f *Finder) Event(e session.Event) error {
	s := &f.sides[0]
	switch e.Kind {
	case session.Received:
	case session.Sent:
		s = &f.sides[1]
	case session.SentErr:
		s = &f.sides[2]
	case session.Typed:
		s = &f.sides[3]
		_, e.Data = session.SplitTyped(e.Data)
	case session.Gap:
		return f.End() // what is on one side of it is no continuation of the other
	default:
		return nil
	}
	for rest := e.Data; len(rest) > 0; {
		if len(s.raw) >= f.window || len(s.events) >= maxEvents {
			if err := f.round(false); err != nil {
				return err
			}
		}
		n := min(len(rest), f.window-len(s.raw))
		s.take(f.needle.fold, e, rest[:n])
		rest = rest[n:]
	}
	return nil
}

// End is called when no more events come: it finds what was held back. The error is as that of Event.
func (f *Finder) End() error {
	err := f.round(true)
	for i := range f.sides {
		f.sides[i].clear()
	}
	return err
}

// round searches what is there of both directions, and lets go of it as far as it is decided.
func (f *Finder) round(last bool) error {
	f.hits = f.hits[:0]
	for i := range f.sides {
		f.hits = f.sides[i].search(f.needle, f.hits, f.left, last)
		f.sides[i].slide()
	}
	slices.SortStableFunc(f.hits, func(a, b Hit) int { return cmp.Compare(a.Number, b.Number) })
	for _, h := range f.hits {
		if f.left == 0 {
			return ErrLimit
		}
		if err := f.found(h); err != nil {
			return err
		}
		if f.left--; f.left == 0 {
			return ErrLimit
		}
	}
	return nil
}

// side is the stream of one direction, as far as it is not decided: a window on it.
type side struct {
	kind   session.Kind
	raw    []byte
	low    []byte   // raw in lower case, if case is ignored
	base   int64    // where in the stream the window begins
	next   int      // up to here in the window all is decided
	seen   int      // so much of the window was there in the last round
	events []border // whose bytes are in the window
	scan   search
}

// border is where in the stream an event begins.
type border struct {
	at     int64
	origin int64 // where the first event of its number begins
	number uint64
	time   int64
}

// take appends data of an event to the window.
func (s *side) take(fold bool, e session.Event, data []byte) {
	at := s.base + int64(len(s.raw))
	b := border{at: at, origin: at, number: e.Number, time: e.Time}
	if n := len(s.events); n > 0 && s.events[n-1].number == e.Number {
		b.origin = s.events[n-1].origin
	}
	if n := len(s.events); n == 0 || s.events[n-1].number != e.Number || s.events[n-1].time != e.Time {
		s.events = append(s.events, b)
	}
	from := len(s.raw)
	s.raw = append(s.raw, data...)
	if fold {
		s.low = slices.Grow(s.low, len(data))[:from+len(data)]
		lower(s.low[from:], data)
	}
}

// search appends at most so many hits that are decided: whole, and with what follows. What follows is not waited for longer
// than one round, since this direction may say no more for long.
func (s *side) search(n *Needle, hits []Hit, most int, last bool) []Hit {
	data := s.raw
	if n.fold {
		data = s.low
	}
	s.scan.begin(n, data, s.next)
	for ; most > 0; most-- {
		start, end, found := s.scan.next(s.next)
		if !found {
			s.next = max(s.next, len(data)-n.longest+1)
			break
		}
		if !last && end > s.seen && end+MaxExcerpt > len(data) {
			s.next = start
			break
		}
		hits = append(hits, s.hit(start, end))
		s.next = end
	}
	return hits
}

func (s *side) hit(start, end int) Hit {
	at := s.base + int64(start)
	i := sort.Search(len(s.events), func(i int) bool { return s.events[i].at > at }) - 1
	from, to := max(0, start-MaxExcerpt), min(len(s.raw), end+MaxExcerpt)
	return Hit{Number: s.events[i].number, Time: s.events[i].time, Kind: s.kind, Offset: int(at - s.events[i].origin),
		Length: end - start, Before: ending(s.raw[from:start], from > 0), Match: valid(s.raw[start:end]),
		After: beginning(s.raw[end:to])}
}

// slide lets go of what is decided, less what a hit may show of it.
func (s *side) slide() {
	gone := max(0, s.next-MaxExcerpt-utf8.UTFMax)
	s.raw = s.raw[:copy(s.raw, s.raw[gone:])]
	if len(s.low) > 0 {
		s.low = s.low[:copy(s.low, s.low[gone:])]
	}
	s.base += int64(gone)
	s.next -= gone
	s.seen = len(s.raw)
	i := sort.Search(len(s.events), func(i int) bool { return s.events[i].at > s.base }) - 1
	if i > 0 {
		s.events = s.events[:copy(s.events, s.events[i:])]
	}
}

// clear begins a new stream.
func (s *side) clear() {
	s.raw, s.low, s.events = s.raw[:0], s.low[:0], s.events[:0]
	s.base, s.next, s.seen = 0, 0, 0
}

// ending is the end of what b says, without the character that its beginning cuts.
func ending(b []byte, cut bool) string {
	for i := 0; cut && i < utf8.UTFMax-1 && len(b) > 0 && !utf8.RuneStart(b[0]); i++ {
		b = b[1:]
	}
	text := valid(b)
	if len(text) > MaxExcerpt { // what was replaced became longer
		text = text[len(text)-MaxExcerpt:]
		for !utf8.RuneStart(text[0]) {
			text = text[1:]
		}
	}
	return text
}

// beginning is the beginning of what b says, without the character that its end cuts.
func beginning(b []byte) string {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				b = b[:len(b)-n]
			}
			break
		}
	}
	text := valid(b)
	if len(text) > MaxExcerpt {
		n := MaxExcerpt
		for !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n]
	}
	return text
}

func valid(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
