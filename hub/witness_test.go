package hub_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/switchboard-relay/switchboard/screen"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// act is what a program does: it writes, or its terminal gets another size.
type act struct {
	data []byte
	size session.Size
}

// readActs reads the recordings of real programs, each of which begins with its size, so often one after the other, and cuts
// what they write anywhere.
func readActs(t testing.TB, rounds int, random *rand.Rand) (acts []act) {
	t.Helper()
	paths, err := filepath.Glob("../terminal/testdata/*.cast")
	if err != nil || len(paths) < 5 {
		t.Fatalf("recordings: %v, %v", paths, err)
	}
	for range rounds {
		random.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
		for _, path := range paths {
			acts = append(acts, readCast(t, path)...)
		}
	}
	var cut []act
	for _, a := range acts {
		for len(a.data) > 1 && random.IntN(3) > 0 {
			n := 1 + random.IntN(len(a.data)-1)
			cut = append(cut, act{data: a.data[:n]})
			a.data = a.data[n:]
		}
		cut = append(cut, a)
		if random.IntN(500) == 0 {
			cut = append(cut, act{size: session.Size{Cols: 20 + random.IntN(200), Rows: 5 + random.IntN(60)}})
		}
	}
	return cut
}

func readCast(t testing.TB, path string) (acts []act) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var header struct{ Width, Height int }
		var event [3]any
		switch {
		case len(acts) == 0:
			if err := json.Unmarshal(lines.Bytes(), &header); err != nil {
				t.Fatal(err)
			}
			acts = append(acts, act{size: session.Size{Cols: header.Width, Rows: header.Height}})
		case json.Unmarshal(lines.Bytes(), &event) != nil:
			t.Fatalf("%s: %s", path, lines.Text())
		case event[1] == "o":
			acts = append(acts, act{data: []byte(event[2].(string))})
		case event[1] == "r":
			size, _ := session.ParseSize(event[2].(string))
			acts = append(acts, act{size: size})
		}
	}
	return acts
}

// witness is one who was there from the start, and knows what was seen behind some events.
type witness map[uint64]view

// view is all that a terminal shows, and all that it will do with what comes.
type view struct {
	size  session.Size
	rows  string
	x, y  int
	shown bool
	state string
}

func look(t *terminal.Terminal) view {
	cols, rows := t.Size()
	v := view{size: session.Size{Cols: cols, Rows: rows}}
	state := t.AppendSnapshot(nil)
	again := terminal.New(cols, rows) // the same may be said in two ways, but not by one that was told it
	again.Write(state)
	if !t.IsWhole() {
		t = again // half of a wide character cannot be told to anybody
	}
	for y := range rows {
		v.rows += string(t.AppendRow(nil, y)) + "\n"
	}
	v.x, v.y, v.shown = t.Cursor()
	state = again.AppendSnapshot(nil)
	v.state = string(state)
	return v
}

// attend has a witness see all events, and remember what was behind those of some numbers.
func attend(events []session.Event, numbers []uint64) witness {
	w, t := witness{}, terminal.New(80, 24)
	for _, e := range events {
		switch e.Kind {
		case session.Sent:
			t.Write(e.Data)
		case session.Resized:
			size, _ := session.ParseSize(string(e.Data))
			t.Resize(size.Cols, size.Rows)
		}
		if slices.Contains(numbers, e.Number) {
			w[e.Number] = look(t)
		}
	}
	return w
}

// draw is what a terminal shows that was used for something else.
func draw(s screen.Screen) view {
	t := terminal.New(33, 7)
	t.Write([]byte("\x1b[?1049h\x1b[31;4mwhat was here before\x1b[3;5r\x1b(0\x1b[?6h\x1b]2;x"))
	t.Resize(s.Size.Cols, s.Size.Rows)
	t.Write(s.Data)
	return look(t)
}

// compare joins at each of the numbers.
func (n *node) compare(what string, id session.ID, numbers []uint64, w witness) {
	n.t.Helper()
	wrong := 0
	for _, number := range numbers {
		s, err := n.Screen(context.Background(), id, number)
		if err != nil {
			n.t.Fatalf("%s: behind %d: %v", what, number, err)
		}
		if got, want := draw(s), w[number]; s.Number != number || got != want {
			if wrong++; wrong < 3 {
				n.t.Errorf("%s: behind event %d: got %d: %s", what, number, s.Number, difference(got, want))
			}
		}
	}
	if wrong > 0 {
		n.t.Errorf("%s: %d of %d screens are not what was seen from the start", what, wrong, len(numbers))
	}
}

// difference tells where two views begin to differ.
func difference(got, want view) string {
	if got.state == want.state || got.rows != want.rows {
		return fmt.Sprintf("%v\nwant %v", got, want)
	}
	i := 0
	for i < min(len(got.state), len(want.state)) && got.state[i] == want.state[i] {
		i++
	}
	part := func(s string) string { return s[max(i-60, 0):min(i+60, len(s))] }
	return fmt.Sprintf("at byte %d of %d: %q; want, of %d: %q", i, len(got.state), part(got.state), len(want.state), part(want.state))
}
