package frame

// Reader cuts what one far end sends into messages. Its zero value is not ready: see Dialect.Reader. It is for one goroutine.
type Reader struct {
	dialect *Dialect
	held    *buffer // of a message that is not complete; nil: nothing
	offset  int64   // behind the last message
	newest  int64   // when the newest piece came, Unix µs
	name    string
	need    int32 // bytes without which nothing changes; 0: not known
	scan    int32 // held bytes that were looked through
	serial  uint16
	framer  uint8 // which was chosen, from 1
	// datagrams says that each piece is whole.
	datagrams bool
}

// Reader makes a reader of all that a far end sends. Datagrams say that each piece is whole: no message goes from one into another.
func (d *Dialect) Reader(datagrams bool) Reader { return Reader{dialect: d, datagrams: datagrams} }

// ReaderAt is Reader of what follows a position. What is fed first begins at p.Offset.
func (d *Dialect) ReaderAt(p Position, datagrams bool) Reader {
	r := Reader{dialect: d, datagrams: datagrams, offset: p.Offset, name: p.Name, serial: p.Serial}
	if p.Framer > 0 && p.Framer <= len(d.framers) {
		r.framer = uint8(p.Framer)
	}
	return r
}

// Position is where the reader goes on behind the last message that each got; within each, behind that message.
func (r *Reader) Position() Position {
	return Position{Offset: r.offset, Framer: int(r.framer), Name: r.name, Serial: r.serial}
}

// Buffered is how many bytes the reader holds of a message that is not complete. It holds no memory while that is 0.
func (r *Reader) Buffered() int {
	if r.held == nil {
		return 0
	}
	return len(r.held.b)
}

// Framer is the name of the framer that was chosen, empty before the first bytes.
func (r *Reader) Framer() string {
	if r.framer == 0 {
		return ""
	}
	return r.dialect.framers[r.framer-1].name
}

// Ends reports whether the session is to end because of what is wrong with m, a message that the reader's framer cut: on_bad.
func (r *Reader) Ends(m *Message) bool {
	return m.Flags&(BadCheck|BadLength|TooLong) != 0 && r.framer != 0 && r.dialect.framers[r.framer-1].ends
}

// Feed takes the bytes of one piece, which are borrowed, with the time at which they came, Unix µs, and calls each with the
// messages that are complete. An error of each comes back at once, and nothing is fed any more then. Messages that a silence
// before the piece has ended come first: callers that do not wait for Due need not.
func (r *Reader) Feed(p []byte, at int64, each func(m *Message) error) error {
	if len(p) == 0 {
		return nil
	}
	w := works.Get().(*work)
	err := r.feed(w, p, at, each)
	works.Put(w)
	return err
}

func (r *Reader) feed(w *work, p []byte, at int64, each func(m *Message) error) error {
	if due := r.Due(); due != 0 && at >= due {
		if err := r.finish(w, each); err != nil {
			return err
		}
	}
	r.newest, w.at, w.base = at, at, 0
	if r.datagrams {
		w.base = r.offset
		return r.all(w, p, each)
	}
	if r.held != nil {
		if p2, err := r.join(w, p, each); err != nil || len(p2) == 0 {
			return err
		} else {
			p = p2
		}
	}
	w.final = false
	for len(p) > 0 {
		n := r.next(w, p, 0)
		if n == 0 {
			r.hold(w, p)
			return nil
		}
		p = p[n:]
		if err := each(&w.m); err != nil {
			return err
		}
	}
	return nil
}

// step is how many bytes of a piece are joined to what is held at once, where it is not known how many are needed.
const joinStep = 256

// join joins as much of p to what is held as takes to complete the messages that begin there. It returns the rest of p,
// with which the next message begins; nothing is held then.
func (r *Reader) join(w *work, p []byte, each func(m *Message) error) ([]byte, error) {
	old := len(r.held.b) // bytes that were held before p
	taken := 0           // of p
	scan := int(r.scan)
	w.final = false
	for {
		if taken < len(p) {
			step := max(int(r.need)-len(r.held.b), joinStep)
			if r.whole() {
				step = len(p)
			}
			step = min(step, len(p)-taken)
			r.held = r.held.with(p[taken : taken+step])
			taken += step
		}
		if len(r.held.b) < int(r.need) {
			if taken < len(p) {
				continue
			}
			return nil, nil
		}
		done := 0
		for done < len(r.held.b) {
			n := r.next(w, r.held.b[done:], scan)
			if n == 0 {
				break
			}
			scan, r.scan, r.need = 0, 0, 0
			done += n
			if err := each(&w.m); err != nil {
				r.release()
				return nil, err
			}
			if done >= old {
				r.release()
				return p[done-old:], nil
			}
		}
		if done > 0 {
			r.held.b = append(r.held.b[:0], r.held.b[done:]...)
		}
		old -= done
		r.need, r.scan = int32(w.need), int32(w.scan)
		scan = w.scan
		if taken == len(p) {
			return nil, nil
		}
	}
}

// whole reports whether what a piece means may depend on where it ends.
func (r *Reader) whole() bool {
	if r.framer == 0 {
		return true
	}
	f := &r.dialect.framers[r.framer-1]
	return f.pieces || f.asks(r.name)
}

// hold keeps p until more comes.
func (r *Reader) hold(w *work, p []byte) {
	r.held = takeBuffer(len(p))
	r.held.b = append(r.held.b[:0], p...)
	r.need, r.scan = int32(w.need), int32(w.scan)
}

// release lets go of what is held.
func (r *Reader) release() {
	if r.held != nil {
		r.held.free()
		r.held = nil
	}
	r.need, r.scan = 0, 0
}

// Due is when, Unix µs, silence will have ended a message: then Expire is to be called. 0: never.
func (r *Reader) Due() int64 {
	if r.held == nil || r.framer == 0 {
		return 0
	}
	if gap := r.dialect.framers[r.framer-1].gap; gap > 0 {
		return r.newest + gap
	}
	return 0
}

// Expire says that nothing came until at.
func (r *Reader) Expire(at int64, each func(m *Message) error) error {
	if due := r.Due(); due == 0 || at < due {
		return nil
	}
	w := works.Get().(*work)
	err := r.finish(w, each)
	works.Put(w)
	return err
}

// Close says that nothing more will come: what is there of a message is one with the flag Cut.
func (r *Reader) Close(each func(m *Message) error) error {
	if r.held == nil {
		return nil
	}
	w := works.Get().(*work)
	err := r.finish(w, each)
	works.Put(w)
	return err
}

// finish makes messages of all that is held.
func (r *Reader) finish(w *work, each func(m *Message) error) error {
	w.at, w.base = r.newest, 0
	held := r.held
	r.held, r.need, r.scan = nil, 0, 0
	err := r.all(w, held.b, each)
	held.free()
	return err
}

// all makes messages of all of p.
func (r *Reader) all(w *work, p []byte, each func(m *Message) error) error {
	w.final = true
	for len(p) > 0 {
		n := r.next(w, p, 0)
		if n == 0 {
			w.m = Message{Data: p, Flags: Cut, Start: r.offset, End: r.offset + int64(len(p))}
			n = len(p)
			r.offset = w.m.End
		}
		p = p[n:]
		if err := each(&w.m); err != nil {
			return err
		}
	}
	return nil
}

// next finds the message that p begins with, of which the first scan bytes were looked through, and steps behind it. 0: there is none yet.
func (r *Reader) next(w *work, p []byte, scan int) int {
	w.m = Message{}
	w.name, w.content = nil, nil
	w.scan, w.need = scan, len(p)+1
	w.offset, w.serial = r.offset-w.base, r.serial
	if r.framer == 0 && !r.choose(w, p) {
		return 0
	}
	f := &r.dialect.framers[r.framer-1]
	var n int
	if f.asks(r.name) {
		n = f.registered(w, p, r.name)
	} else {
		n = f.message(w, p)
	}
	if n == 0 {
		return 0
	}
	if len(w.name) > 0 {
		if string(w.name) != r.name {
			r.name = string(w.name)
		}
		w.m.Name = r.name
	}
	r.serial = w.serial
	w.m.Start = r.offset
	r.offset += int64(n)
	w.m.End = r.offset
	return n
}

// choose chooses the framer by the first bytes. It reports false if more of them are needed.
func (r *Reader) choose(w *work, p []byte) bool {
	framers := r.dialect.framers
	for i := range framers {
		fits := yes
		if i < len(framers)-1 {
			fits = framers[i].fits(p)
		}
		if fits == yes {
			r.framer = uint8(i + 1)
			return true
		}
		if fits == unsure && !w.final {
			return false
		}
	}
	return false
}
