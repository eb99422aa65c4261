package terminal

import "math"

const (
	maxParameters = 32
	maxParameter  = math.MaxInt32
	absent        = -1 // a subparameter that is not given
)

// parameters are those of a control sequence, 0 where not given; behind each may stand subparameters, set off by colons.
type parameters struct {
	n, subs  int
	list     [maxParameters]int32
	firstSub [maxParameters + 1]uint8 // of each, in sub; that of the next one ends them
	sub      [maxParameters]int32
	full     bool // there were more than fit
	inSub    bool
	subsFull bool
}

func (p *parameters) reset() {
	p.n, p.subs, p.full, p.inSub, p.subsFull = 1, 0, false, false, false
	p.list[0] = 0
	p.firstSub[0], p.firstSub[1] = 0, 0
}

// add takes a digit, a semicolon or a colon.
func (p *parameters) add(b byte) {
	switch b {
	case ';':
		p.inSub = false
		if p.n == maxParameters {
			p.full = true
			return
		}
		p.list[p.n] = 0
		p.n++
		p.firstSub[p.n] = uint8(p.subs)
	case ':':
		p.inSub = true
		if p.full || p.subs == maxParameters {
			p.subsFull = true
			return
		}
		p.sub[p.subs] = absent
		p.subs++
		p.firstSub[p.n] = uint8(p.subs)
	default:
		if p.full || p.inSub && p.subsFull {
			return
		}
		to := &p.list[p.n-1]
		if p.inSub {
			if p.subs == 0 {
				return
			}
			to = &p.sub[p.subs-1]
		}
		if *to == absent {
			*to = int32(b - '0')
			return
		}
		*to = int32(min(int64(*to)*10+int64(b-'0'), maxParameter))
	}
}

// subsOf returns the subparameters of parameter i.
func (p *parameters) subsOf(i int) []int32 { return p.sub[p.firstSub[i]:p.firstSub[i+1]] }

// count returns parameter i where it is a number of times, which is at least 1.
func (p *parameters) count(i int) int {
	if i < p.n {
		return int(max(p.list[i], 1))
	}
	return 1
}
