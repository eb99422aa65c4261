package socketio

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// offset is a place in a namespace's log: behind so many broadcasts, and behind so many packets of this server alone that
// followed the last of them.
type offset struct{ seq, sub uint64 }

func (o offset) before(p offset) bool { return o.seq < p.seq || o.seq == p.seq && o.sub < p.sub }

// entry is one packet in the log.
type entry struct {
	*outgoing
	offset offset
	at     int64 // Unix seconds
	place  Place
	target target
}

// log is what was sent in a namespace, in order, and kept for those who come back. Namespace.mu guards it.
type log struct {
	epoch    string // tells this log's offsets from those of another
	followed bool   // see Namespace.Follow
	head     offset // of the newest
	gone     offset // of the newest that is not kept any more
	window   time.Duration
	most     int // entries
	mostSize int // bytes

	ring  []*entry
	first int
	count int
	size  int
}

// perEntry is what an entry takes besides its bytes.
const perEntry = 256

func (l *log) init(opt Options) {
	l.epoch = strconv.FormatUint(uint64(rand.Uint32()), 36)
	l.window = opt.Recovery.Window
	if l.window > 0 { // a connection that broke without a word is noticed so late
		l.window += opt.PingInterval + opt.PingTimeout
	}
	l.most, l.mostSize = opt.Recovery.Messages, opt.Recovery.Bytes
}

// keeps reports whether there is recovery.
func (l *log) keeps() bool { return l.window > 0 }

// next is the offset of the next packet: of a broadcast of the log's own, or of one that the log's owner does not know.
func (l *log) next() offset {
	if l.followed {
		return offset{l.head.seq, l.head.sub + 1}
	}
	return offset{l.head.seq + 1, 0}
}

// add appends an entry with a later offset than the head's.
func (l *log) add(e *entry) {
	l.head = e.offset
	if !l.keeps() {
		return
	}
	for l.count > 0 && (l.count >= l.most || l.size+e.size()+perEntry > l.mostSize) {
		l.drop()
	}
	if l.count == len(l.ring) {
		l.grow()
	}
	l.ring[(l.first+l.count)%len(l.ring)] = e
	l.count++
	l.size += e.size() + perEntry
}

func (l *log) grow() {
	ring := make([]*entry, min(max(64, 2*len(l.ring)), max(l.most, 1)))
	for i := range l.count {
		ring[i] = l.at(i)
	}
	l.ring, l.first = ring, 0
}

func (l *log) at(i int) *entry { return l.ring[(l.first+i)%len(l.ring)] }

func (l *log) drop() {
	e := l.ring[l.first]
	l.ring[l.first] = nil
	l.first = (l.first + 1) % len(l.ring)
	l.count--
	l.size -= e.size() + perEntry
	l.gone = e.offset
}

// trim lets go of entries that nobody can ask for any more.
func (l *log) trim(now time.Time) {
	for l.count > 0 && l.at(0).at < now.Add(-l.window).Unix() {
		l.drop()
	}
	if l.count == 0 {
		l.ring, l.first = nil, 0
	}
}

// after gives the entries behind an offset; ok is false if some of them are not kept, or the offset is none of this log's.
func (l *log) after(o offset) (list []*entry, ok bool) {
	if o.before(l.gone) || l.head.before(o) {
		return nil, false
	}
	low, high := 0, l.count
	for low < high {
		if middle := (low + high) / 2; o.before(l.at(middle).offset) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	for i := low; i < l.count; i++ {
		list = append(list, l.at(i))
	}
	return list, true
}

// append appends an offset's text: the log's epoch, and two numbers, the second only where it is not 0.
func (l *log) append(b []byte, o offset) []byte {
	b = append(b, l.epoch...)
	b = append(b, '-')
	b = strconv.AppendUint(b, o.seq, 36)
	if o.sub > 0 {
		b = append(b, '.')
		b = strconv.AppendUint(b, o.sub, 36)
	}
	return b
}

// parse reads what append wrote, of this log.
func (l *log) parse(s string) (o offset, ok bool) {
	epoch, rest, found := strings.Cut(s, "-")
	if !found || epoch != l.epoch {
		return offset{}, false
	}
	seq, sub, local := strings.Cut(rest, ".")
	var err error
	if o.seq, err = strconv.ParseUint(seq, 36, 64); err != nil {
		return offset{}, false
	}
	if local {
		o.sub, err = strconv.ParseUint(sub, 36, 64)
	}
	return o, err == nil
}
