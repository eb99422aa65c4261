package frame

import (
	"errors"
	"fmt"
	"regexp/syntax"
)

// pattern is a regular expression on bytes, each of which is a character from \x00 to \xff. It begins where it is
// matched, prefers what package regexp prefers, and also knows whether more bytes might make it match.
type pattern struct {
	steps []step
	start int
	marks int       // how many steps may be waiting at once
	first [256]bool // bytes with which a match may begin
}

// step is an instruction of syntax.Prog, made ready for bytes.
type step struct {
	op       syntax.InstOp
	out, arg uint32
	group    int8      // of InstCapture: 0 the name begins, 1 it ends, -1 another
	set      [4]uint64 // of runes: which bytes
}

// machine is what matching needs, to be used again and again.
type machine struct {
	now, next []thread
	seen      []uint32 // in which generation a step was added last
	age       uint32
	p         []byte
}

type thread struct {
	pc     uint32
	lo, hi int32 // of the name so far
}

// match is what became of matching a pattern.
type match struct {
	n      int // bytes that match; -1: none
	lo, hi int // the name; hi is 0 if the pattern has none
	alive  bool
}

// makePattern reads a regular expression. The name is the group (?P<name>…); whole says that all the bytes must match.
func makePattern(text string, named, whole bool) (*pattern, error) {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%q is no regular expression: %w", text, err)
	}
	group := 0
	for i, name := range re.CapNames() {
		if name == "name" {
			group = i
		}
	}
	if named && group == 0 {
		return nil, fmt.Errorf("%q has no group for the name: write (?P<name>…) around it", text)
	}
	if whole {
		if re, err = syntax.Parse("(?:"+text+`)\z`, syntax.Perl); err != nil {
			return nil, fmt.Errorf("%q is no regular expression: %w", text, err)
		}
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, fmt.Errorf("%q is no regular expression: %w", text, err)
	}
	p := &pattern{start: prog.Start, marks: len(prog.Inst)}
	for i := range prog.Inst {
		s, err := makeStep(&prog.Inst[i], group)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		p.steps = append(p.steps, s)
	}
	var m machine
	for c := range 256 {
		got := p.match([]byte{byte(c)}, &m)
		p.first[c] = got.n >= 0 || got.alive
	}
	return p, nil
}

func makeStep(inst *syntax.Inst, group int) (step, error) {
	s := step{op: inst.Op, out: inst.Out, arg: inst.Arg, group: -1}
	switch inst.Op {
	case syntax.InstCapture:
		if group > 0 && int(inst.Arg)/2 == group {
			s.group = int8(inst.Arg % 2)
		}
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		some := false
		for c := range 256 {
			if inst.MatchRune(rune(c)) {
				s.set[c/64] |= 1 << (c % 64)
				some = true
			}
		}
		if !some && len(inst.Rune) > 0 {
			return s, errors.New(`it has a character beyond \xff: patterns are of bytes, write those of UTF-8 as \xe4\xb8\xad`)
		}
		s.op = syntax.InstRune
	}
	return s, nil
}

// match matches p at its beginning. Where p ends is the end of the text. alive says that more bytes might make it match, or
// match otherwise.
func (re *pattern) match(p []byte, m *machine) match {
	result := match{n: -1}
	if len(m.seen) < re.marks {
		m.seen, m.age = make([]uint32, re.marks), 0
		m.now, m.next = make([]thread, 0, re.marks), make([]thread, 0, re.marks)
	}
	m.p, m.now = p, m.now[:0]
	m.older()
	re.add(m, &m.now, uint32(re.start), 0, 0, 0)
	for i := 0; len(m.now) > 0; i++ {
		m.next = m.next[:0]
		m.older()
		for _, t := range m.now {
			s := &re.steps[t.pc]
			if s.op == syntax.InstMatch {
				result = match{n: i, lo: int(t.lo), hi: int(t.hi)}
				break
			}
			if i == len(p) {
				result.alive = true
			} else if s.set[p[i]/64]>>(p[i]%64)&1 != 0 {
				re.add(m, &m.next, s.out, i+1, t.lo, t.hi)
			}
		}
		if i == len(p) {
			break
		}
		m.now, m.next = m.next, m.now
	}
	m.p = nil
	return result
}

// older forgets which steps were added.
func (m *machine) older() {
	if m.age++; m.age == 0 {
		clear(m.seen)
		m.age = 1
	}
}

// add adds to list the steps that wait at i for a byte, in the order in which they are preferred.
func (re *pattern) add(m *machine, list *[]thread, pc uint32, i int, lo, hi int32) {
	for m.seen[pc] != m.age {
		m.seen[pc] = m.age
		s := &re.steps[pc]
		switch s.op {
		case syntax.InstAlt, syntax.InstAltMatch:
			re.add(m, list, s.out, i, lo, hi)
			pc = s.arg
			continue
		case syntax.InstNop:
		case syntax.InstCapture:
			switch s.group {
			case 0:
				lo = int32(i)
			case 1:
				hi = int32(i)
			}
		case syntax.InstEmptyWidth:
			before, after := rune(-1), rune(-1)
			if i > 0 {
				before = rune(m.p[i-1])
			}
			if i < len(m.p) {
				after = rune(m.p[i])
			}
			if want := syntax.EmptyOp(s.arg); want&^syntax.EmptyOpContext(before, after) != 0 {
				return
			}
		case syntax.InstFail:
			return
		default:
			*list = append(*list, thread{pc, lo, hi})
			return
		}
		pc = s.out
	}
}
