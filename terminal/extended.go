package terminal

import (
	"strings"
	"unsafe"
)

// extended is what few cells have: the style and colour of underlines (ctlseqs, SGR 4:n and 58) and a link.
type extended struct {
	underline uint8 // 0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed
	color     color // of the underline; 0 is that of the text
	link      uint16
}

// isShown reports whether xterm.js takes it for anything; a colour alone is nothing.
func (e extended) isShown() bool { return e.underline != 0 || e.link != 0 }

// A link is where a cell leads (OSC 8). Those with the same name and address are the same; one without a name is its own.
type link struct{ name, address string }

// extendedTable has each extended and link of a terminal once. Index 0 of either is none.
type extendedTable struct {
	list      []extended
	index     map[extended]uint16
	free      []uint16
	links     []link
	freeLinks []uint16
	named     map[link]uint16 // those of links that have a name
	linkBytes int
	refused   int // since there was no room
}

const maxLinkBytes = 128 << 10

func (e *extendedTable) init() {
	e.list = make([]extended, 1, 8)
	e.links = make([]link, 1, 8)
	e.index = map[extended]uint16{{}: 0}
	e.named = map[link]uint16{}
}

// extend returns the index of v, or 0 if there is no room for it.
func (t *Terminal) extend(v extended) uint16 {
	e := &t.extended
	if i, ok := e.index[v]; ok {
		return i
	}
	if len(e.free) == 0 && len(e.list) == maxExtended {
		if t.collectExtended(); len(e.free) == 0 {
			return 0
		}
	}
	if n := len(e.free); n > 0 {
		i := e.free[n-1]
		e.free = e.free[:n-1]
		e.list[i], e.index[v] = v, i
		return i
	}
	i := uint16(len(e.list))
	e.list = append(e.list, v)
	e.index[v] = i
	return i
}

// link returns the index of a link, or 0 if there is no room for it.
func (t *Terminal) link(l link) uint16 {
	e := &t.extended
	if len(l.name)+len(l.address) > maxLink {
		return 0
	}
	if i, ok := e.named[l]; ok {
		return i
	}
	size := len(l.name) + len(l.address)
	if len(e.freeLinks) == 0 && len(e.links) == maxExtended || e.linkBytes+size > maxLinkBytes {
		t.collectExtended()
		if len(e.freeLinks) == 0 || e.linkBytes+size > maxLinkBytes {
			return 0
		}
	}
	e.linkBytes += size
	l = link{strings.Clone(l.name), strings.Clone(l.address)}
	i := uint16(len(e.links))
	if n := len(e.freeLinks); n > 0 {
		i = e.freeLinks[n-1]
		e.freeLinks = e.freeLinks[:n-1]
		e.links[i] = l
	} else {
		e.links = append(e.links, l)
	}
	if l.name != "" {
		e.named[l] = i
	}
	return i
}

// collectExtended frees what no cell has any more. If that is not much, what comes next is refused without looking for a
// while, since looking takes time.
func (t *Terminal) collectExtended() {
	e := &t.extended
	if e.refused++; e.refused > 1 && e.refused < maxExtended {
		return
	}
	e.refused = 0
	var used, usedLinks [maxExtended]bool
	use := func(c cell) {
		used[c.pen.ext] = true
	}
	t.eachCell(use)
	use(cell{pen: t.pen})
	for i, v := range e.list {
		if used[i] {
			usedLinks[v.link] = true
		}
	}
	e.free = e.free[:0]
	for i := 1; i < len(e.list); i++ {
		if !used[i] {
			delete(e.index, e.list[i])
			e.list[i] = extended{underline: 0xff} // which none is
			e.free = append(e.free, uint16(i))
		}
	}
	e.freeLinks = e.freeLinks[:0]
	for i := 1; i < len(e.links); i++ {
		if !usedLinks[i] {
			e.linkBytes -= len(e.links[i].name) + len(e.links[i].address)
			delete(e.named, e.links[i])
			e.links[i] = link{}
			e.freeLinks = append(e.freeLinks, uint16(i))
		}
	}
	if len(e.free) < maxExtended/4 && len(e.list) == maxExtended ||
		len(e.freeLinks) < maxExtended/4 && len(e.links) == maxExtended {
		e.refused = 1
	}
}

// eachCell calls f with all cells that there are, those that only lines' ends stand for once.
func (t *Terminal) eachCell(f func(cell)) {
	for _, s := range []*screen{&t.main, &t.alt} {
		for _, l := range s.lines {
			for i := range l.cells[:l.end] {
				f(l.cells[i])
			}
			f(l.fill)
		}
	}
}

func (e *extendedTable) bytes() int {
	return (cap(e.list)+48)*int(unsafe.Sizeof(extended{})) + 24*len(e.index) + cap(e.links)*int(unsafe.Sizeof(link{})) +
		e.linkBytes + 2*(cap(e.free)+cap(e.freeLinks))
}
