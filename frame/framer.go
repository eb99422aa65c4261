package frame

import "bytes"

// framer cuts messages, and knows those of registration and the heartbeats. It is fixed once it is made.
type framer struct {
	cutter
	name   string
	first  []byte // what the connection's first bytes must be; nil: as messages begin
	pieces bool   // a message is what came at once
	gap    int64  // silence that ends a message, µs; 0: none does
	ends   bool   // the session ends when something is wrong
	silent bool   // the preset's replies are not sent
	strip  int
	check  *check
	rules  []rule
	beats  []beat
}

// rule finds registrations.
type rule struct {
	find    func(p []byte, w *work) match
	first   *[256]bool // with which it may begin
	when    when
	bare    bool // a registration stands by itself even where messages begin
	limit   int
	reply   []byte // with {name}
	replies bool
}

type when uint8

const (
	once when = iota
	prefix
	both
)

// beat is a heartbeat.
type beat struct {
	*pattern
	reply []byte
}

func (f *framer) fits(p []byte) answer {
	if f.first == nil {
		return f.begins(p)
	}
	return startsWith(p, f.first)
}

// startsWith is whether p begins with start, or may once there is more of it.
func startsWith(p, start []byte) answer {
	if len(p) < len(start) {
		if bytes.HasPrefix(start, p) {
			return unsure
		}
		return no
	}
	if bytes.HasPrefix(p, start) {
		return yes
	}
	return no
}

// asks reports whether registrations are looked for, of a device that has said this name.
func (f *framer) asks(name string) bool {
	for i := range f.rules {
		if f.rules[i].when != once || name == "" {
			return true
		}
	}
	return false
}

// message cuts a message that has no registration of a rule.
func (f *framer) message(w *work, p []byte) int {
	n := f.cut(p, w)
	if n == 0 || w.m.Kind == Junk {
		return n
	}
	if f.check != nil && w.m.Flags&BadCheck == 0 {
		content := w.m.Data
		if w.content != nil {
			content = w.content
		}
		if !f.check.holds(content) {
			w.m.Flags |= BadCheck
		}
	}
	if f.strip > 0 {
		w.m.Data = w.m.Data[min(f.strip, len(w.m.Data)):]
	}
	if f.silent {
		w.m.Reply, w.m.Refusal = nil, nil
	}
	for i := range f.beats {
		b := &f.beats[i]
		if w.m.Kind == Data && (b.is(w.m.Data, w) || len(w.m.Data) != n && b.is(p[:n], w)) {
			w.m.Kind = Heartbeat
			if b.reply != nil {
				w.m.Reply = b.reply
			}
		}
	}
	return n
}

func (b *beat) is(p []byte, w *work) bool {
	if len(p) == 0 {
		return b.match(p, &w.machine).n == 0
	}
	return b.first[p[0]] && b.match(p, &w.machine).n == len(p)
}

// registered cuts a message where it may have a registration of a rule.
func (f *framer) registered(w *work, p []byte, name string) int {
	begins := no
	if !f.pieces {
		if begins = f.begins(p); begins == unsure && !w.final {
			return 0
		}
	}
	for i := range f.rules {
		r := &f.rules[i]
		if r.when == once && name != "" || begins != no && !r.bare || !r.first[p[0]] {
			continue
		}
		got := r.find(p[:min(len(p), r.limit)], w)
		if got.n > 0 && got.lo < got.hi {
			return f.bare(w, p, r, got, name)
		}
		if got.alive && !w.final && len(p) < r.limit {
			return 0
		}
	}
	n := f.message(w, p)
	if n == 0 || f.pieces || w.m.Kind == Junk {
		return n
	}
	for i := range f.rules {
		r := &f.rules[i]
		if r.when == once && name != "" {
			continue
		}
		got := r.find(w.m.Data[:min(len(w.m.Data), r.limit)], w)
		if got.n <= 0 || got.lo >= got.hi {
			if got = r.find(p[:min(n, r.limit)], w); got.n <= 0 || got.lo >= got.hi || len(w.m.Data) == n {
				continue
			}
			w.say(p[got.lo:got.hi])
		} else {
			w.say(w.m.Data[got.lo:got.hi])
		}
		w.m.Kind = Registration
		if r.when == prefix || r.when == both && name != "" {
			if w.m.Data = w.m.Data[min(got.n, len(w.m.Data)):]; len(w.m.Data) > 0 {
				w.m.Kind = Data
			}
		}
		r.answer(w, name)
		break
	}
	return n
}

// bare makes a message of a registration that stands by itself, or before a message.
func (f *framer) bare(w *work, p []byte, r *rule, got match, name string) int {
	if r.when == once || r.when == both && name == "" {
		w.m.Kind = Registration
		w.message(p, got.n)
		w.say(p[got.lo:got.hi])
		r.answer(w, name)
		return got.n
	}
	behind := 0
	if got.n < len(p) {
		w.scan = 0
		if behind = f.message(w, p[got.n:]); behind == 0 {
			w.need += got.n
			w.scan = 0
			return 0
		}
	} else if f.pieces || w.final {
		w.m.Kind = Registration
		w.message(p[got.n:], 0)
	} else {
		return 0
	}
	w.say(p[got.lo:got.hi])
	r.answer(w, name)
	return got.n + behind
}

// answer makes the reply to a registration: to one that says a name for the first time, or nothing else.
func (r *rule) answer(w *work, name string) {
	if !r.replies || w.m.Kind != Registration && name != "" {
		return
	}
	reply, rest := w.reply[:0], r.reply
	for {
		before, behind, found := bytes.Cut(rest, nameInReply)
		reply = append(reply, before...)
		if !found {
			break
		}
		reply = append(reply, w.name...)
		rest = behind
	}
	w.answer(reply)
}

var nameInReply = []byte("{name}")
