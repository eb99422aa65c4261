package export

import (
	"bufio"
	"fmt"
	"io"
	"sort"

	"github.com/switchboard-relay/switchboard/session"
)

// Segments are a recording in parts, as asciinema's player loads it from version 3.17 on ({driver: "recording", src: {format:
// "segmented", url: …}}): an index, and of each segment what brings a terminal into its state at its beginning, and what comes then.
// Times are µs since the session's start, Unix µs. A segment has the events behind the one where it begins, up to the one where the
// next begins.
type Segments struct {
	Size     session.Size // of the terminal, at first
	Start    int64
	Duration int64
	Marks    []SegmentMark // in order

	begins []segmentBegin
}

// SegmentMark is a place with a name.
type SegmentMark struct {
	At   int64
	Text string
}

// segmentBegin is where a segment begins: behind an event.
type segmentBegin struct {
	number uint64
	at     int64
}

// Begin has a segment begin behind an event of a time, which come in order; 0 is before the first event. Where that would be too near to
// the one before, or to the end, none does.
func (s *Segments) Begin(number uint64, at int64) {
	at = at - s.Start + 1 // the event itself belongs to the segment before
	if n := len(s.begins); n == 0 {
		number, at = 0, 0
	} else if at <= s.begins[n-1].at || at >= s.Duration {
		return
	}
	s.begins = append(s.begins, segmentBegin{number, at})
}

// AppendIndex appends the index, with the addresses of the segments, named by the events behind which they begin.
func (s *Segments) AppendIndex(b []byte, url func(number uint64) string) []byte {
	b = appendSeconds(append(b, `{"version":1,"duration":`...), s.Duration, 6)
	b = fmt.Appendf(b, `,"term":{"cols":%d,"rows":%d},"segments":[`, s.Size.Cols, s.Size.Rows)
	for i, begin := range s.begins {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSeconds(append(b, "\n{\"start\":"...), begin.at, 6)
		b = append(AppendString(append(b, `,"url":`...), url(begin.number)), '}')
	}
	b = append(b, "\n],\"markers\":["...)
	for i, m := range s.Marks {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSeconds(append(b, "\n["...), min(m.At, s.Duration), 6)
		b = append(appendLossy(append(b, ','), []byte(m.Text)), ']')
	}
	return append(b, "\n]}\n"...)
}

// Has reports whether a segment begins behind an event.
func (s *Segments) Has(number uint64) bool { return s.find(number) >= 0 }

func (s *Segments) find(number uint64) int {
	i := sort.Search(len(s.begins), func(i int) bool { return s.begins[i].number >= number })
	if i == len(s.begins) || s.begins[i].number != number {
		return -1
	}
	return i
}

// Write writes the segment that begins behind an event, with the screen there. open begins with the event that follows.
func (s *Segments) Write(w io.Writer, number uint64, size session.Size, screen []byte, input bool, open func() (Reader, error)) error {
	i := s.find(number)
	if i < 0 {
		return fmt.Errorf("no segment begins behind event %d", number)
	}
	first, last, end := s.begins[i], ^uint64(0), s.Duration
	isLast := i == len(s.begins)-1
	if !isLast {
		last, end = s.begins[i+1].number, s.begins[i+1].at-1
	}
	out := bufio.NewWriterSize(w, bufferSize)
	to := &segment{out: out, from: first.at, until: end, at: -1}
	held, _ := to.decoders[0].Take(screen)
	fmt.Fprintf(out, `{"snapshot":{"cols":%d,"rows":%d,"init":`, size.Cols, size.Rows)
	out.Write(append(appendLossy(nil, held), `},"events":[`...))
	if i > 0 {
		to.event(first.at, 'o', nil) // the player wants one there
	}
	if err := each(open, last, out, newScreen(to, input, &about{start: s.Start})); err != nil {
		return err
	}
	if isLast {
		to.end(end)
	} else if to.at < 0 {
		to.event(first.at, 'o', nil)
	}
	out.WriteString("\n]}\n")
	return out.Flush()
}

// segment is the player that writes one. Its times are exact to the microsecond: those of one moment must be equal.
type segment struct {
	out      *bufio.Writer
	decoders [2]Decoder
	from     int64
	until    int64 // no event lies behind it
	at       int64 // of the newest event; -1: there is none
	line     []byte
}

func (p *segment) event(at int64, code byte, data []byte) {
	b := p.line[:0]
	if p.at >= 0 {
		b = append(b, ',')
	}
	p.at = max(p.at, min(max(at, p.from), p.until))
	b = appendSeconds(append(b, '\n', '['), p.at, 6)
	b = append(append(b, `,"`...), code)
	p.line = append(appendLossy(append(b, `",`...), data), ']')
	p.out.Write(p.line)
}

func (p *segment) output(at int64, data []byte) {
	if whole, _ := p.decoders[0].Take(data); len(whole) > 0 {
		p.event(at, 'o', whole)
	}
}

func (p *segment) input(at int64, data []byte) {
	if whole, _ := p.decoders[1].Take(data); len(whole) > 0 {
		p.event(at, 'i', whole)
	}
}

func (p *segment) resize(at int64, size session.Size) { p.event(at, 'r', []byte(size.String())) }

func (p *segment) begin(*about)       {}
func (p *segment) mark(int64, string) {} // the index has them
func (p *segment) lost(int64, string) {}
func (p *segment) exit(int64, int)    {}

// end has the last event be where the recording ends.
func (p *segment) end(at int64) {
	for i, code := range []byte{'o', 'i'} {
		if rest := p.decoders[i].Release(); len(rest) > 0 {
			p.event(at, code, rest)
		}
	}
	if p.at != at {
		p.event(at, 'o', nil)
	}
}
