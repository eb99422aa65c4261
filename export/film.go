package export

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// Limits of an animated picture, and how it moves.
const (
	maxFilmFrames = 5000
	maxFilmBytes  = 16 << 20
	maxFilmCells  = 32 << 20  // of all frames: what drawing them costs
	filmFrame     = 66_000    // µs: what is shown for less is not seen, and goes with what follows it
	filmPause     = 2_000_000 // µs, at the end, before it begins anew
)

// ErrFilm says that a session does not fit into an animated picture.
var ErrFilm = errors.New("too long for an animated picture: export asciicast instead, which players show")

// writeFilm writes an animated SVG: CSS moves it, without scripts.
func writeFilm(w io.Writer, a *about, open func() (Reader, error)) error {
	f := &film{}
	s := newScreen(f, false, a)
	err := read(open, func(e session.Event) error {
		if e.Number <= a.last {
			s.event(e)
		}
		return f.err
	})
	if err != nil {
		return err
	}
	if s.end(); f.err != nil {
		return f.err
	}
	_, err = w.Write(f.picture())
	return err
}

// film is the player that makes it. Each row is a strip of all that was seen in it, one below the other, of which one is shown.
type film struct {
	err      error
	about    *about
	terminal *terminal.Terminal
	cols     int // the most that there were
	strips   []strip
	draw     drawing
	frames   int
	cells    int
	bytes    int

	waits bool  // what was written is on no frame yet
	since int64 // since when, µs
	over  int64 // when the film ends, µs
}

// strip is a row's.
type strip struct {
	views []byte         // drawn, as groups
	index map[string]int // of each view, by how it is drawn
	cuts  []cut
}

// cut says which view is shown from a time on.
type cut struct {
	at   int64 // µs
	view int
}

func (f *film) begin(a *about) {
	f.about, f.terminal = a, terminal.New(a.size.Cols, a.size.Rows)
	f.waits = true // the blank screen
}

func (f *film) output(at int64, data []byte) {
	f.change(at)
	f.terminal.Write(data)
}

func (f *film) resize(at int64, size session.Size) {
	f.change(at)
	f.terminal.Resize(size.Cols, size.Rows)
}

func (f *film) input(int64, []byte) {}
func (f *film) mark(int64, string)  {}
func (f *film) lost(int64, string)  {}
func (f *film) exit(int64, int)     {}

func (f *film) end(at int64) {
	f.take()
	f.over = at + filmPause
}

// change is called before the screen changes. What was there for long enough gets a frame.
func (f *film) change(at int64) {
	if f.waits && at < f.since+filmFrame {
		return
	}
	f.take()
	f.waits, f.since = true, at
}

// take puts the screen on the strips, unless it has not changed.
func (f *film) take() {
	if !f.waits || f.err != nil {
		return
	}
	f.waits = false
	cols, rows := f.terminal.Size()
	f.cols = max(f.cols, cols)
	for len(f.strips) < rows {
		f.strips = append(f.strips, strip{index: map[string]int{"": 0}, cuts: []cut{{}}})
	}
	for y := range f.strips {
		f.draw.b = f.draw.b[:0]
		f.draw.row(f.terminal, y)
		f.bytes += f.strips[y].show(f.since, f.draw.b)
	}
	f.cells += cols * rows
	if f.frames++; f.frames > maxFilmFrames || f.bytes > maxFilmBytes || f.cells > maxFilmCells {
		f.err = fmt.Errorf("%w (at most %d frames and %d MiB; they end at %v)", ErrFilm, maxFilmFrames, maxFilmBytes>>20,
			time.Duration(f.since)*time.Microsecond)
	}
}

// show has a view be shown from a time on, and returns how many bytes that takes, about.
func (s *strip) show(at int64, view []byte) (bytes int) {
	n, known := s.index[string(view)]
	if !known {
		n = len(s.index)
		s.index[string(view)] = n
		before := len(s.views)
		s.views = append(s.views, `<g transform="translate(0 `...)
		s.views = append(appendTenths(s.views, n*svgRow), `)">`...)
		s.views = append(append(s.views, view...), "</g>\n"...)
		bytes = 2 * (len(s.views) - before) // as a key as well
	}
	last := &s.cuts[len(s.cuts)-1]
	switch {
	case last.view == n:
	case last.at == at:
		last.view = n
	default:
		s.cuts = append(s.cuts, cut{at, n})
		bytes += cutBytes
	}
	return bytes
}

const cutBytes = 48 // of a keyframe, about

// picture is the whole file.
func (f *film) picture() []byte {
	d := drawing{b: make([]byte, 0, f.bytes+4096)}
	d.open(f.cols, len(f.strips), f.about.title)
	d.b = append(d.b, "<style>\n"...)
	for y := range f.strips {
		d.motion(y, f.strips[y].cuts, f.over)
	}
	d.b = append(d.b, "</style>\n"...)
	for y := range f.strips {
		d.b = append(d.b, `<svg`...)
		d.attribute("y", y*svgRow)
		d.attribute("width", f.cols*svgCol)
		d.attribute("height", svgRow)
		d.b = append(append(d.b, `><g class="r`...), strconv.Itoa(y)...)
		d.b = append(d.b, "\">\n"...)
		d.b = append(append(d.b, f.strips[y].views...), "</g></svg>\n"...)
	}
	d.close()
	return d.b
}

// motion has a row's strip show what it shows when. A keyframe holds until the next one.
func (d *drawing) motion(y int, cuts []cut, over int64) {
	place := func(view int) {
		d.b = append(d.b, "{transform:translateY(-"...)
		d.tenths(view * svgRow)
		d.b = append(d.b, "px)}"...)
	}
	name := "r" + strconv.Itoa(y)
	if len(cuts) == 1 {
		d.b = append(append(d.b, '.'), name...)
		place(cuts[0].view)
		d.b = append(d.b, '\n')
		return
	}
	d.b = append(append(append(d.b, '.'), name...), "{animation:"...)
	d.b = appendSeconds(append(append(d.b, name...), ' '), over, 3)
	d.b = append(append(append(d.b, "s step-end infinite}@keyframes "...), name...), '{')
	for _, c := range cuts {
		d.b = strconv.AppendFloat(d.b, float64(c.at)*100/float64(over), 'f', 5, 64)
		d.b = append(d.b, '%')
		place(c.view)
	}
	d.b = append(d.b, "}\n"...)
}
