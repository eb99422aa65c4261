package forward

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// streams are all that anything is to be forwarded of, by session, in parts so that many can be looked up at once.
type streams struct{ parts [64]streamsPart }

type streamsPart struct {
	mu sync.RWMutex
	m  map[session.ID]*stream
}

func (s *streams) init() {
	for i := range s.parts {
		s.parts[i].m = map[session.ID]*stream{}
	}
}

func (s *streams) part(id session.ID) *streamsPart {
	var n byte
	if len(id) > 1 {
		n = id[0]*31 + id[1]
	}
	return &s.parts[n%64]
}

func (s *streams) get(id session.ID) *stream {
	p := s.part(id)
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.m[id]
}

func (s *streams) put(st *stream) {
	p := s.part(st.id)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m[st.id] = st
}

func (s *streams) remove(id session.ID) {
	p := s.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.m, id)
}

// each calls do for all, under no lock.
func (s *streams) each(do func(*stream)) {
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		list := make([]*stream, 0, len(p.m))
		for _, st := range p.m {
			list = append(list, st)
		}
		p.mu.RUnlock()
		for _, st := range list {
			do(st)
		}
	}
}

// Named says that a session is a device's from now on, with all that it sent before; said of one again, it is another
// device's, with all that was not forwarded yet.
func (f *Forwards) Named(s *hub.Session, fleet, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	k := key{fleet, name}
	if st := f.streams.get(s.ID()); st != nil {
		f.rename(st, k)
		return
	}
	wanted := false
	for _, r := range f.runners {
		wanted = wanted || r.conf.takes(fleet)
	}
	if !wanted {
		return
	}
	info := s.Info()
	if info.Record == session.RecordOff {
		if !f.missed[fleet] {
			f.missed[fleet] = true
			f.logger.Warn("a fleet that is not recorded is not forwarded: say record: on", "fleet", fleet, "listener", info.Listener)
		}
		return
	}
	st := f.stream(info, k, time.Now().UnixMicro(), s)
	for _, r := range f.runners {
		if r.conf.takes(fleet) {
			f.feed(st, r, row{})
		}
	}
}

// stream makes one; f.mu is held.
func (f *Forwards) stream(info session.Info, k key, named int64, live *hub.Session) *stream {
	st := &stream{id: info.ID, start: info.Start}
	st.named.Store(named)
	st.live.Store(live)
	if live != nil {
		st.datagrams = info.Datagrams()
		st.dialect.Store(f.compile(info.Frame))
	}
	st.chain(f.person(k))
	f.streams.put(st)
	return st
}

func (f *Forwards) person(k key) *person {
	p := f.people[k]
	if p == nil {
		p = &person{fleet: k.fleet, name: k.name}
		if k.shared() {
			f.people[k] = p
		}
	}
	return p
}

// leave takes a stream from its device; f.mu is held.
func (f *Forwards) leave(st *stream) {
	st.unchain()
	p := st.person.Load()
	if k := (key{p.fleet, p.name}); p.newest == nil && k.shared() {
		delete(f.people, k)
	}
}

// feed has a forward read a stream, from the place that a row of the ledger has; f.mu is held.
func (f *Forwards) feed(st *stream, r *runner, from row) {
	fd := &feed{runner: r, stream: st, event: from.event, within: uint32(from.within), offset: from.offset, framer: uint8(from.framer),
		said: from.said, serial: uint16(from.serial), after: from.after}
	fd.sibling.Store(st.first.Load())
	st.first.Store(fd)
	r.mu.Lock()
	if !from.written {
		r.note(fd)
	}
	r.mu.Unlock()
	r.news(fd)
}

// unfeed takes a feed out of its stream, and the stream away if it was the last; f.mu is held.
func (f *Forwards) unfeed(fd *feed) {
	st := fd.stream
	st.remove(fd)
	if newer := st.newerOf(fd.runner); newer != nil {
		fd.runner.unblock(newer)
	}
	if st.first.Load() == nil {
		f.streams.remove(st.id)
		f.leave(st)
	}
}

// newerOf is the feed to a forward of the device's next session that has one.
func (s *stream) newerOf(r *runner) *feed {
	for n := s.newer; n != nil; n = n.newer {
		if fd := n.feedOf(r); fd != nil {
			return fd
		}
	}
	return nil
}

// olderOf is the stream of the device's session before that the forward has not delivered yet.
func (s *stream) olderOf(r *runner) *stream {
	for o := s.older; o != nil; o = o.older {
		if o.feedOf(r) != nil {
			return o
		}
	}
	return nil
}

// rename makes a stream another device's; f.mu is held.
func (f *Forwards) rename(st *stream, k key) {
	if p := st.person.Load(); p.fleet == k.fleet && p.name == k.name {
		return
	}
	var waiting []*feed
	for fd := st.first.Load(); fd != nil; fd = fd.sibling.Load() {
		if newer := st.newerOf(fd.runner); newer != nil {
			waiting = append(waiting, newer)
		}
	}
	f.leave(st)
	st.named.Store(time.Now().UnixMicro())
	st.chain(f.person(k))
	for fd := st.first.Load(); fd != nil; fd = fd.sibling.Load() {
		r := fd.runner
		r.mu.Lock()
		fd.free.Store(false)
		r.note(fd)
		r.mu.Unlock()
		r.news(fd)
	}
	for _, fd := range waiting {
		fd.runner.unblock(fd)
	}
}

// News says that bytes came in a session that has a name.
func (f *Forwards) News(s *hub.Session) {
	st := f.streams.get(s.ID())
	if st == nil {
		return
	}
	for fd := st.first.Load(); fd != nil; fd = fd.sibling.Load() {
		if state := fd.state.Load(); state == resting || state == busy {
			fd.runner.news(fd)
		}
	}
}

// Gone says that nothing but Closed comes any more in a session.
func (f *Forwards) Gone(s *hub.Session) {
	st := f.streams.get(s.ID())
	if st == nil {
		return
	}
	st.live.Store(nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	for fd := st.first.Load(); fd != nil; fd = fd.sibling.Load() {
		fd.runner.news(fd)
		if newer := st.newerOf(fd.runner); newer != nil {
			fd.runner.unblock(newer)
		}
	}
}

// Holds reports whether a recording has something that is not delivered yet.
func (f *Forwards) Holds(id session.ID) bool {
	return f.streams.get(id) != nil || !f.configured.Load() // before that, nothing is known yet
}

// raw takes each piece for a message.
var raw = frame.Spec{Framers: []frame.FramerSpec{{Type: "raw"}}}

// compile is the dialect of a session's Frame; f.mu is held. What this version cannot cut is taken as it came.
func (f *Forwards) compile(spec string) *frame.Dialect {
	if d := f.dialects[spec]; d != nil {
		return d
	}
	s := raw
	var err error
	if spec != "" {
		s = frame.Spec{}
		err = json.Unmarshal([]byte(spec), &s)
	}
	var d *frame.Dialect
	if err == nil {
		d, err = frame.Compile(s)
	}
	if err != nil {
		f.logger.Error("a recording says how it is cut, and that cannot be done: it is forwarded as it came", "frame", spec, "error", err)
		if d, err = frame.Compile(raw); err != nil {
			panic("forward: " + err.Error())
		}
	}
	if len(f.dialects) >= mostDialects {
		clear(f.dialects)
	}
	f.dialects[spec] = d
	return d
}

// dialectOf is how a stream is cut.
func (f *Forwards) dialectOf(st *stream) (*frame.Dialect, error) {
	if d := st.dialect.Load(); d != nil {
		return d, nil
	}
	info, err := f.hub.Info(st.id, st.start)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := st.dialect.Load(); d != nil {
		return d, nil
	}
	d := f.compile(info.Frame)
	st.datagrams = info.Datagrams()
	st.dialect.Store(d)
	return d, nil
}
