package frame

// spacedCutter takes what stands between messages, as line ends after a "#" that has ended one, for the beginning of the next: it
// is none of their data, and no junk either.
type spacedCutter struct {
	cutter
	space string
}

// lineEnds are what text has between messages.
const lineEnds = "\r\n"

func (c spacedCutter) spaces(p []byte) int {
	for i, b := range p {
		is := false
		for k := range len(c.space) {
			is = is || b == c.space[k]
		}
		if !is {
			return i
		}
	}
	return len(p)
}

func (c spacedCutter) cut(p []byte, w *work) int {
	k := c.spaces(p[:min(len(p), maxJunk)])
	if k == len(p) && !w.final && k < maxJunk {
		return w.more(k + 1)
	}
	if k == len(p) || k == maxJunk {
		return w.junk(p, k)
	}
	w.scan = max(w.scan-k, 0)
	n := c.cutter.cut(p[k:], w)
	if n == 0 {
		w.need += k
		w.scan += k
		return 0
	}
	if n += k; w.m.Kind == Junk {
		w.message(p, n)
	} else if w.final && n+c.spaces(p[n:]) == len(p) {
		n = len(p)
	}
	return n
}
