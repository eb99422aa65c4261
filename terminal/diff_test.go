package terminal

import (
	"flag"
	"fmt"
	"testing"
	"strings"
)

var diffSeed = flag.Int("diffseed", 0, "")
var diffSnap = flag.Bool("diffsnap", false, "")
var diffN = flag.Int("diffn", 20, "")
var diffLen = flag.Int("difflen", 60, "")
var diffResize = flag.Bool("diffresize", false, "")

type piece2 = piece

func TestDiff(t *testing.T) {
	o := startOracle(t)
	shown := 0
	broken := 0
	defer func() { fmt.Println("broken", broken) }()
	run := func(cols, rows int, ps []piece) []string {
		id := o.open(cols, rows)
		tm := New(cols, rows)
		for _, p := range joined(ps) {
			if p.cols > 0 {
				o.resize(p.cols, p.rows, id)
				tm.Resize(p.cols, p.rows)
			} else {
				o.write(p.data, id)
				tm.Write(p.data)
			}
		}
		v := o.state(id)
		var sd []string
		if *diffSnap {
			snap, _ := tm.AppendSnapshot(nil)
			id2 := o.open(tm.cols, tm.rows)
			o.write(snap, id2)
			v2 := o.state(id2)
			o.close(id2)
			sd = v.visible().difference(v2.visible())
			for i := range sd { sd[i] = "snap " + sd[i] }
			if len(sd) > 0 { sd = append([]string{fmt.Sprintf("%q", snap)}, sd...) }
			own := New(tm.cols, tm.rows)
			own.Write(snap)
			for _, s := range viewOf(tm).visible().difference(viewOf(own).visible()) { sd = append(sd, "own " + s) }
		}
		o.close(id)
		if v.Broken {
			broken++
			return nil
		}
		if len(sd) > 0 { return sd }
		return v.difference(viewOf(tm))
	}
	for seed := *diffSeed; seed < *diffSeed+*diffN; seed++ {
		g := newTraffic(uint64(seed))
		g.resizes = *diffResize
		cols, rows := g.cols, g.rows
		var ps []piece
		bad := false
		for range *diffLen / 10 {
			for range 10 {
				if g.resizes && g.IntN(20) == 0 {
					g.cols, g.rows = 10+g.IntN(100), 4+g.IntN(40)
					ps = append(ps, piece{cols: g.cols, rows: g.rows})
				} else {
					ps = append(ps, piece{data: []byte(g.one())})
				}
			}
			if len(run(cols, rows, ps)) > 0 {
				bad = true
				break
			}
		}
		if !bad {
			continue
		}
		// shrink
		for n := len(ps) / 2; n > 0; {
			cut := false
			for i := 0; i+n <= len(ps); {
				q := append(append([]piece{}, ps[:i]...), ps[i+n:]...)
				if len(run(cols, rows, q)) > 0 {
					ps = q
					cut = true
				} else {
					i += n
				}
			}
			if !cut || n > 1 {
				n /= 2
			}
		}
		d := run(cols, rows, ps)
		if strings.Contains(fmt.Sprint(ps), "?7l") { continue }
		fmt.Printf("seed %d %dx%d %v\n", seed, cols, rows, ps)
		for i, s := range d {
			if i < 4 {
				if len(s) > 400 {
					s = s[:400]
				}
				fmt.Println("   ", s)
			}
		}
		t.Fail()
		if shown++; shown > 8 {
			return
		}
	}
}

func joined(ps []piece) []piece {
	var out []piece
	for _, p := range ps {
		if n := len(out); p.cols == 0 && n > 0 && out[n-1].cols == 0 {
			out[n-1].data = append(append([]byte{}, out[n-1].data...), p.data...)
		} else {
			out = append(out, p)
		}
	}
	return out
}
