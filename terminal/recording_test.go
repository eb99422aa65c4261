package terminal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var (
	checkpoints = flag.Int("checkpoints", 6, "where in each recording xterm.js is asked; 60 is a full run")
	explain     = flag.Int("explain", 0, "how many differences from xterm.js to print")
)

// readCast returns the size and events of an asciicast v2.
func readCast(t testing.TB, path string) (cols, rows int, events []piece) {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(bytes.NewReader(p))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if cols == 0 {
			var header struct{ Width, Height int }
			if err := json.Unmarshal(s.Bytes(), &header); err != nil {
				t.Fatal(err)
			}
			cols, rows = header.Width, header.Height
			continue
		}
		var e [3]any
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		switch data := e[2].(string); e[1] {
		case "o":
			events = append(events, piece{data: []byte(data)})
		case "r":
			var p piece
			if _, err := fmt.Sscanf(data, "%dx%d", &p.cols, &p.rows); err != nil {
				t.Fatal(err)
			}
			events = append(events, p)
		}
	}
	return cols, rows, events
}

// share is how many of a number of comparisons were equal.
type share struct{ equal, all int }

func (s *share) add(equal bool) {
	s.all++
	if equal {
		s.equal++
	}
}

func (s share) percent() float64 {
	if s.all == 0 {
		return 100
	}
	return 100 * float64(s.equal) / float64(s.all)
}

// match is how ours compares with xterm.js; what is compared are whole screens.
type match struct {
	text, attributes, cursor, everything share // ours; everything includes what is not seen
	now, end                             share // xterm.js with our snapshot, at once and after the rest, with what is not seen
	broken                               int   // times that xterm.js itself was beside itself after a resize
	bytes                                int   // of all snapshots
	shown                                *int
}

func (m *match) add(n match) {
	for _, s := range []struct{ to, from *share }{{&m.text, &n.text}, {&m.attributes, &n.attributes}, {&m.cursor, &n.cursor},
		{&m.everything, &n.everything}, {&m.now, &n.now}, {&m.end, &n.end}} {
		s.to.equal += s.from.equal
		s.to.all += s.from.all
	}
	m.broken += n.broken
	m.bytes += n.bytes
}

func (m match) String() string {
	return fmt.Sprintf("screens %3d: text %6.2f %% attributes %6.2f %% cursor %6.2f %% hidden state %6.2f %% | snapshots %3d, %4d bytes: "+
		"now %6.2f %% at the end %6.2f %% | broken xterm.js %d", m.text.all, m.text.percent(), m.attributes.percent(), m.cursor.percent(),
		m.everything.percent(), m.now.all, m.bytes/max(m.now.all, 1), m.now.percent(), m.end.percent(), m.broken)
}

// screens compares ours with xterm.js.
func (m *match) screens(t testing.TB, where string, xterm, ours *view) {
	text, attributes := true, true
	for y := range xterm.Active.Lines {
		a, b := xterm.Active.Lines[y], ours.Active.Lines[y]
		text = text && a.Text == b.Text
		attributes = attributes && a.Attributes == b.Attributes
	}
	m.text.add(text)
	m.attributes.add(attributes)
	m.cursor.add(xterm.Active.X == ours.Active.X && xterm.Active.Y == ours.Active.Y && xterm.Hidden == ours.Hidden)
	d := xterm.difference(ours)
	m.everything.add(len(d) == 0)
	m.explain(t, where+": xterm.js != ours:", d)
}

func (m *match) explain(t testing.TB, where string, differences []string) {
	if len(differences) == 0 || *m.shown >= *explain {
		return
	}
	*m.shown++
	t.Log(where)
	for _, d := range differences[:min(len(differences), 4)] {
		t.Logf("  %.600s", d)
	}
}

// A checkpoint is in an event, behind that many of its bytes.
type checkpoint struct{ event, bytes int }

// chooseCheckpoints returns n of them, in order: at the ends of events, or anywhere, inside of sequences and characters too.
func chooseCheckpoints(r *rand.Rand, events []piece, n int, anywhere bool) []checkpoint {
	var list []checkpoint
	for range n {
		i := r.IntN(len(events))
		c := checkpoint{i, len(events[i].data)}
		if anywhere && c.bytes > 0 {
			c.bytes = r.IntN(c.bytes)
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b checkpoint) int {
		if a.event != b.event {
			return a.event - b.event
		}
		return a.bytes - b.bytes
	})
	return list
}

// compare plays events to ours and to xterm.js, and at each checkpoint gives our snapshot to another xterm.js, which then
// gets the rest as well.
func compare(t testing.TB, o *oracle, name string, cols, rows int, events []piece, at []checkpoint, shown *int) match {
	m := match{shown: shown}
	ours, xterm := New(cols, rows), o.open(cols, rows)
	var live []int
	write := func(p []byte) {
		if len(p) > 0 {
			ours.Write(p)
			o.write(p, xterm)
			o.write(p, live...)
		}
	}
	for i, e := range events {
		if e.cols > 0 {
			ours.Resize(e.cols, e.rows)
			o.resize(e.cols, e.rows, append(live, xterm)...)
		}
		done := 0
		for ; len(at) > 0 && at[0].event == i; at = at[1:] {
			write(e.data[done:at[0].bytes])
			done = at[0].bytes
			want := o.state(xterm)
			if want.Broken {
				m.broken++
				continue
			}
			where := fmt.Sprintf("%s, event %d+%d", name, i, done)
			m.screens(t, where, want, viewOf(ours))
			snapshot := ours.AppendSnapshot(nil)
			m.bytes += len(snapshot)
			id := o.open(ours.Size())
			o.write(snapshot, id)
			d := want.visible().difference(o.state(id).visible())
			m.now.add(len(d) == 0)
			m.explain(t, where+": xterm.js != xterm.js with our snapshot:", d)
			live = append(live, id)
		}
		write(e.data[done:])
	}
	want := o.state(xterm)
	for _, id := range live {
		got := o.state(id)
		if want.Broken || got.Broken {
			m.broken++
			continue
		}
		d := want.visible().difference(got.visible())
		m.end.add(len(d) == 0)
		m.explain(t, name+": xterm.js != xterm.js with a snapshot of ours, in the end:", d)
	}
	o.close(append(live, xterm)...)
	return m
}

func TestRecordingsLookAsInXterm(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.cast")
	if err != nil || len(paths) < 10 {
		t.Fatalf("testdata has %d recordings (%v); want at least 10", len(paths), err)
	}
	var mu sync.Mutex
	var before, after, anywhere match // event boundaries before the first resize, those behind it, and any bytes
	t.Run("recording", func(t *testing.T) {
		for _, path := range paths {
			t.Run(strings.TrimSuffix(filepath.Base(path), ".cast"), func(t *testing.T) {
				t.Parallel()
				o := startOracle(t)
				shown := 0
				cols, rows, events := readCast(t, path)
				fixed := slices.IndexFunc(events, func(p piece) bool { return p.cols > 0 })
				if fixed < 0 {
					fixed = len(events)
				}
				r := rand.New(rand.NewPCG(1, 1))
				a := compare(t, o, t.Name(), cols, rows, events[:fixed], chooseCheckpoints(r, events[:fixed], *checkpoints, false), &shown)
				b := match{}
				if fixed < len(events) {
					at := chooseCheckpoints(r, events[fixed:], *checkpoints, false)
					for i := range at {
						at[i].event += fixed
					}
					b = compare(t, o, t.Name(), cols, rows, events, at, &shown)
				}
				c := compare(t, o, t.Name(), cols, rows, events, chooseCheckpoints(r, events, *checkpoints, true), &shown)
				mu.Lock()
				defer mu.Unlock()
				before.add(a)
				after.add(b)
				anywhere.add(c)
			})
		}
	})
	t.Logf("%d recordings against xterm.js, whole screens that are equal:", len(paths))
	t.Logf("before resizes: %v", before)
	t.Logf("behind resizes: %v", after)
	t.Logf("cut anywhere:   %v", anywhere)
	want := func(what string, s share, least float64) {
		t.Helper()
		if s.all == 0 || s.percent() < least {
			t.Errorf("%s: %d of %d are equal; want at least %g %%", what, s.equal, s.all, least)
		}
	}
	want("text before resizes", before.text, 100)
	want("attributes before resizes", before.attributes, 100)
	want("cursor before resizes", before.cursor, 100)
	want("snapshots before resizes", before.now, 100)
	want("text behind resizes", after.text, 99.5)
	want("attributes behind resizes", after.attributes, 99.5)
	want("cursor behind resizes", after.cursor, 99.5)
	want("snapshots cut anywhere", anywhere.now, 99.5)
	all := before
	all.add(after)
	all.add(anywhere)
	want("the end after a snapshot", all.end, 99.9)
}

func TestRandomTrafficLooksAsInXterm(t *testing.T) {
	for _, c := range []struct {
		name                   string
		set                    func(g *traffic)
		text, cursor, now, end float64 // percent, at least
	}{
		{"legal", func(*traffic) {}, 99.5, 100, 97, 97},
		{"half malformed", func(g *traffic) { g.malformed = true }, 99.5, 100, 95, 97},
		{"with resizes", func(g *traffic) { g.resizes = true }, 99, 99, 90, 90},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := startOracle(t)
			var all match
			shown := 0
			for seed := range uint64(20) {
				g := newTraffic(seed)
				c.set(g)
				cols, rows := g.cols, g.rows
				var events []piece
				for range 400 {
					events = append(events, g.next())
				}
				at := chooseCheckpoints(g.Rand, events, *checkpoints, false)
				all.add(compare(t, o, fmt.Sprint("seed ", seed), cols, rows, events, at, &shown))
			}
			t.Logf("20 seeds: %v", all)
			for _, w := range []struct {
				what  string
				share share
				least float64
			}{{"text", all.text, c.text}, {"cursor", all.cursor, c.cursor}, {"snapshots", all.now, c.now}, {"the end", all.end, c.end}} {
				if w.share.percent() < w.least {
					t.Errorf("%s: %d of %d are equal; want at least %g %%", w.what, w.share.equal, w.share.all, w.least)
				}
			}
		})
	}
}
