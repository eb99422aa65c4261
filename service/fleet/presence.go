package fleet

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/session"
)

// fleet is the devices whose names are one another's. Its lock is held for moments only, and nothing else is called with it
// than the store's list of what to write.
type fleet struct {
	name string
	all  *Fleets
	link *Link

	online atomic.Int64 // connections that count; written under mu

	messages, flagged, replaced, refused atomic.Uint64

	mu        sync.Mutex
	entries   map[string]*entry
	sorted    []*entry // by name; nil: to be made anew
	attached  int      // visits of entries that count
	held      int      // and that are held
	addresses addresses
}

func newFleet(name string, all *Fleets) *fleet {
	f := &fleet{name: name, all: all, entries: map[string]*entry{}}
	f.link = newLink(f)
	return f
}

// entry is a device, connected or not; its fleet's mu guards it.
type entry struct {
	name     string
	visits   []*visit // the newest first
	admitted bool
	dirty    bool // in the store's list
	newest   place
	session  session.ID // the newest
	first    int64      // Unix µs, as all times
	since    int64
	heard    int64 // of visits that are over
	times    uint64
	tally    tally // what of it is folded
	cause    session.Cause
}

// place is where a connection comes to, and from.
type place struct{ listener, transport, remote string }

// tally counts what a device sent and was sent.
type tally struct{ messages, flagged, received, sent uint64 }

func (t tally) less(o tally) tally {
	return tally{t.messages - o.messages, t.flagged - o.flagged, t.received - o.received, t.sent - o.sent}
}

func (t *tally) add(o tally) {
	t.messages += o.messages
	t.flagged += o.flagged
	t.received += o.received
	t.sent += o.sent
}

// tally is what the visit has counted by now.
func (v *visit) tally() tally {
	t := v.s.Totals()
	return tally{v.messages.Load(), v.flagged.Load(), t.ReceivedBytes, t.SentBytes}
}

// enter lets a connection in that has no name yet.
func (f *fleet) enter(v *visit, ip netip.Addr) error {
	conf := &v.svc.conf
	f.mu.Lock()
	defer f.mu.Unlock()
	if v.state == gone {
		return v.s.Ended()
	}
	if conf.MaxUnregistered > 0 && ip.IsValid() {
		a := f.addresses.of(ip)
		if a.nameless >= conf.MaxUnregistered {
			return errUnregistered
		}
		a.nameless++
		v.address = a
	}
	if conf.Unregistered == Allow {
		f.count(v)
	}
	return nil
}

// count has the visit counted as online, and discount no more; f.mu is held.
func (f *fleet) count(v *visit) {
	if !v.counted {
		v.counted = true
		f.online.Add(1)
	}
}

func (f *fleet) discount(v *visit) {
	if v.counted {
		v.counted = false
		f.online.Add(-1)
	}
}

// attach makes a visit one of the device of a name; f.mu is held. now is what the visit has counted.
func (f *fleet) attach(v *visit, name string, as state, now tally) {
	at := time.Now().UnixMicro()
	start := at
	if v.entry == nil {
		start = v.start
	} else {
		f.foldTo(v, now)
		f.leaveEntry(v, at)
	}
	if v.address != nil && name != device.Unknown {
		v.address.nameless--
		v.address = nil
	}
	e := f.entry(name, start)
	v.entry, v.since, v.base = e, start, v.folded
	v.become(f, as)
	if len(e.visits) == 0 || e.visits[0].state != as {
		e.since = at
	}
	e.visits = slices.Insert(e.visits, 0, v)
	info := v.s.Info()
	e.newest = place{v.svc.conf.Listener, info.Transport, info.Remote}
	e.session = v.s.ID()
	e.cause = ""
	e.times++
	f.changed(e)
	f.all.store.connected(v)
}

// become changes what a visit is, with the counts; f.mu is held.
func (v *visit) become(f *fleet, as state) {
	if v.entry != nil {
		switch v.state {
		case online:
			f.attached--
		case held:
			f.held--
		}
		switch as {
		case online:
			f.attached++
		case held:
			f.held++
		}
	}
	v.state = as
	if as == online {
		f.count(v)
	} else {
		f.discount(v)
	}
}

// detach takes a visit from its device: it does not count any more; f.mu is held.
func (f *fleet) detach(v *visit, as state) {
	if v.state == gone {
		return
	}
	if e := v.entry; e != nil {
		e.visits = slices.DeleteFunc(e.visits, func(o *visit) bool { return o == v })
	}
	v.become(f, as)
	if v.address != nil {
		v.address.nameless--
		v.address = nil
	}
}

// leave is the end of a visit, as soon as it is decided.
func (f *fleet) leave(v *visit) {
	now := v.tally()
	at := time.Now().UnixMicro()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.detach(v, gone)
	if v.entry != nil && v.left == 0 {
		f.foldTo(v, now)
		f.leaveEntry(v, at)
	}
}

// leaveEntry notes that a visit is its entry's no more; f.mu is held.
func (f *fleet) leaveEntry(v *visit, at int64) {
	e := v.entry
	e.visits = slices.DeleteFunc(e.visits, func(o *visit) bool { return o == v })
	e.heard = max(e.heard, v.s.LastReceived())
	if end := v.s.Ended(); end != nil && e.session == v.s.ID() {
		e.cause = end.Cause
	}
	if len(e.visits) == 0 {
		e.since = at
	}
	f.changed(e)
	f.all.store.disconnected(v, at)
}

// foldTo makes what the visit has counted its entry's; f.mu is held.
func (f *fleet) foldTo(v *visit, now tally) {
	v.entry.tally.add(now.less(v.folded))
	v.folded = now
}

// fold does so once more, behind the last message.
func (f *fleet) fold(v *visit) {
	now := v.tally()
	f.mu.Lock()
	defer f.mu.Unlock()
	if v.entry != nil && v.folded != now {
		f.foldTo(v, now)
		f.changed(v.entry)
		f.all.store.recounted(v)
	}
}

// entry is the device of a name, which is made if there is none; f.mu is held.
func (f *fleet) entry(name string, at int64) *entry {
	e := f.entries[name]
	if e == nil {
		f.forgetOldest()
		e = &entry{name: name, first: at}
		f.entries[name] = e
		f.sorted = nil
	}
	if e.first == 0 {
		e.first = at
	}
	return e
}

// changed has an entry written; f.mu is held.
func (f *fleet) changed(e *entry) { f.all.store.changed(f, e) }

// maxOffline is how many devices of a fleet are kept that are not connected.
const maxOffline = 100_000

// forgetOldest forgets, where too many are kept, those that were heard longest ago; f.mu is held.
func (f *fleet) forgetOldest() {
	if len(f.entries) <= maxOffline+f.attached+f.held {
		return
	}
	var list []*entry
	for _, e := range f.entries {
		if len(e.visits) == 0 && !e.admitted {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *entry) int { return int(min(1, max(-1, a.heard-b.heard))) })
	for _, e := range list[:min(len(list), maxOffline/100)] {
		f.forget(e)
	}
}

func (f *fleet) forget(e *entry) {
	delete(f.entries, e.name)
	f.sorted = nil
	f.all.store.forgotten(f, e)
}
