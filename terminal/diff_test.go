package terminal

import (
	"flag"
	"testing"
	"fmt"
)

var diffSeed = flag.Int("diffseed", 0, "")
var diffN = flag.Int("diffn", 20, "")
var diffLen = flag.Int("difflen", 60, "")
var diffResize = flag.Bool("diffresize", false, "")

type piece2 = piece

func TestDiff(t *testing.T) {
	o := startOracle(t)
	shown := 0
	broken := 0; defer func() { fmt.Println("broken", broken) }()
	run := func(cols, rows int, ps []piece) []string {
		id := o.open(cols, rows)
		tm := New(cols, rows)
		for _, p := range joined(ps) {
			if p.cols > 0 { o.resize(p.cols, p.rows, id); tm.Resize(p.cols, p.rows) } else { o.write(p.data, id); tm.Write(p.data) }
		}
		v := o.state(id)
		o.close(id)
		if v.Broken { broken++; return nil }
		return v.difference(viewOf(tm))
	}
	for seed := *diffSeed; seed < *diffSeed+*diffN; seed++ {
		g := newTraffic(uint64(seed))
		g.resizes = *diffResize
		cols, rows := g.cols, g.rows
		var ps []piece
		bad := false
		for range *diffLen/10 {
			for range 10 {
			if g.resizes && g.IntN(20) == 0 {
				g.cols, g.rows = 10+g.IntN(100), 4+g.IntN(40)
				ps = append(ps, piece{cols: g.cols, rows: g.rows})
			} else { ps = append(ps, piece{data: []byte(g.one())}) }
			}
			if len(run(cols, rows, ps)) > 0 { bad = true; break }
		}
		if !bad { continue }
		// shrink
		for n := len(ps) / 2; n > 0; {
			cut := false
			for i := 0; i+n <= len(ps); {
				q := append(append([]piece{}, ps[:i]...), ps[i+n:]...)
				if len(run(cols, rows, q)) > 0 { ps = q; cut = true } else { i += n }
			}
			if !cut || n > 1 { n /= 2 }
		}
		d := run(cols, rows, ps)
		fmt.Printf("seed %d %dx%d %v\n", seed, cols, rows, ps)
		for i, s := range d { if i < 4 { if len(s) > 400 { s = s[:400] }; fmt.Println("   ", s) } }
		t.Fail()
		if shown++; shown > 8 { return }
	}
}

func joined(ps []piece) []piece {
	var out []piece
	for _, p := range ps {
		if n := len(out); p.cols == 0 && n > 0 && out[n-1].cols == 0 {
			out[n-1].data = append(append([]byte{}, out[n-1].data...), p.data...)
		} else { out = append(out, p) }
	}
	return out
}
