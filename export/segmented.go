package export

import (
	"fmt"

	"github.com/switchboard-relay/switchboard/session"
)

// A segment ends at the next moment once it is as long as this.
const (
	segmentText = 256 << 10  // bytes of output
	segmentSpan = 10_000_000 // µs
)

// SegmentedIndex is the name of the file that a player of the segments asks for first.
const SegmentedIndex = "index.json"

// WriteSegmented gives put the files of a recording that asciinema's player, from 3.17 on, loads piece by piece
// ({format: "segmented", url: "index.json"}): segments, each with what brings a terminal into its state at its beginning, and at
// last the index. One file at a time is held in memory.
func WriteSegmented(open func() (Reader, error), input bool, terminal func(session.Size) Screen,
	put func(name string, content []byte) error) error {
	a, err := lookThrough(open)
	if err != nil {
		return err
	}
	w := &segmented{put: put, terminal: terminal(a.size)}
	s := newScreen(w, input, &a)
	err = read(open, func(e session.Event) error {
		if e.Number <= a.last {
			s.event(e)
		}
		return w.err
	})
	if err != nil {
		return err
	}
	s.end()
	return w.err
}

// segmented is the player that makes the files. Its times are exact to the microsecond: those of one moment must be equal.
type segmented struct {
	put      func(name string, content []byte) error
	err      error
	terminal Screen
	decoders [2]Decoder
	about    *about
	size     session.Size
	index    []byte // its segments
	markers  []byte
	count    int // of segments before this one

	start  int64 // of the segment, µs
	at     int64 // of its newest event
	text   int   // bytes of output in it
	events []byte
	head   []byte // what stands before its events
}

func (w *segmented) begin(a *about) {
	w.about, w.size = a, a.size
	w.open(0, nil)
}

// open begins a segment with what brings the terminal into its state.
func (w *segmented) open(at int64, snapshot []byte) {
	w.start, w.at, w.text, w.events = at, -1, 0, w.events[:0]
	w.head = fmt.Appendf(w.head[:0], `{"snapshot":{"cols":%d,"rows":%d,"init":`, w.size.Cols, w.size.Rows)
	w.head = append(appendLossy(w.head, snapshot), `},"events":[`...)
}

// close writes the segment.
func (w *segmented) close() {
	name := fmt.Sprintf("%06d.json", w.count)
	if w.count > 0 {
		w.index = append(w.index, ',')
	}
	w.index = appendSeconds(append(w.index, "\n{\"start\":"...), w.start, 6)
	w.index = append(AppendString(append(w.index, `,"url":`...), name), '}')
	w.count++
	w.save(name, append(append(w.head, w.events...), "\n]}\n"...))
}

func (w *segmented) save(name string, content []byte) {
	if w.err == nil {
		w.err = w.put(name, content)
	}
}

// moment begins another segment if this one is long enough: before anything that happens at a time of its own.
func (w *segmented) moment(at int64) {
	long := w.text >= segmentText || w.text > 0 && at-w.start >= segmentSpan
	if !long || at <= w.at || at >= w.about.duration {
		return
	}
	if snapshot, ok := w.terminal.AppendSnapshot(nil); ok {
		w.close()
		w.open(at, snapshot)
	}
}

func (w *segmented) event(at int64, code byte, data []byte) {
	if w.at >= 0 {
		w.events = append(w.events, ',')
	}
	w.at = at
	w.events = appendSeconds(append(w.events, '\n', '['), at, 6)
	w.events = append(append(w.events, `,"`...), code)
	w.events = append(appendLossy(append(w.events, `",`...), data), ']')
}

func (w *segmented) output(at int64, data []byte) {
	if whole, _ := w.decoders[0].Take(data); len(whole) > 0 {
		w.shown(at, lossy(whole))
	}
}

func (w *segmented) shown(at int64, text []byte) {
	w.moment(at)
	w.terminal.Write(text)
	w.text += len(text)
	w.event(at, 'o', text)
}

func (w *segmented) input(at int64, data []byte) {
	if whole, _ := w.decoders[1].Take(data); len(whole) > 0 {
		w.typed(at, whole)
	}
}

func (w *segmented) typed(at int64, text []byte) {
	w.moment(at)
	w.event(at, 'i', text)
}

func (w *segmented) resize(at int64, size session.Size) {
	w.moment(at)
	w.size = size
	w.terminal.Resize(size.Cols, size.Rows)
	w.event(at, 'r', []byte(size.String()))
}

func (w *segmented) mark(at int64, text string) {
	w.moment(at)
	w.event(at, 'm', []byte(text))
	if len(w.markers) > 0 {
		w.markers = append(w.markers, ',')
	}
	w.markers = appendSeconds(append(w.markers, '['), at, 6)
	w.markers = append(appendLossy(append(w.markers, ','), []byte(text)), ']')
}

func (w *segmented) lost(at int64, text string) {
	w.release(at)
	w.mark(at, text)
}

func (w *segmented) release(at int64) {
	if rest := w.decoders[0].Release(); len(rest) > 0 {
		w.shown(at, lossy(rest))
	}
	if rest := w.decoders[1].Release(); len(rest) > 0 {
		w.typed(at, rest)
	}
}

func (w *segmented) exit(int64, int) {} // the player knows of none

// end completes the last segment, whose last event must be where the recording ends, and writes the index.
func (w *segmented) end(at int64) {
	w.release(at)
	if w.at != at {
		w.event(at, 'o', nil)
	}
	w.close()
	size := w.about.size
	b := appendSeconds([]byte(`{"version":1,"duration":`), at, 6)
	b = fmt.Appendf(b, `,"term":{"cols":%d,"rows":%d},"segments":[`, size.Cols, size.Rows)
	b = append(append(b, w.index...), "\n],\"markers\":["...)
	b = append(append(b, w.markers...), "]}\n"...)
	w.save(SegmentedIndex, b)
}
