package fleet

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/session"
)

// status is the device as lists show it; its fleet's mu is held.
func (e *entry) status(f *fleet) device.Status {
	st := device.Status{Fleet: f.name, Name: e.name, State: e.state(), Listener: e.newest.listener, Transport: e.newest.transport,
		Remote: e.newest.remote, Sessions: make([]session.ID, 0, len(e.visits)), Session: e.session, FirstSeen: e.first,
		Since: e.since, LastHeard: e.heard, Connections: e.times, Cause: string(e.cause)}
	t := e.tally
	for _, v := range e.visits {
		st.Sessions = append(st.Sessions, v.s.ID())
		st.LastHeard = max(st.LastHeard, v.s.LastReceived())
		t.add(v.tally().less(v.folded))
	}
	st.Messages, st.Flagged, st.Received, st.Sent = t.messages, t.flagged, t.received, t.sent
	return st
}

// state is the device's; its fleet's mu is held.
func (e *entry) state() device.State {
	st := device.Offline
	for _, v := range e.visits {
		if v.state == online {
			return device.Online
		}
		st = device.Held
	}
	return st
}

// maxPage is how many devices a page may have.
const maxPage = 10_000

// List is the devices that a query chooses. It is as they are at the moment, fleet by fleet.
func (f *Fleets) List(q device.Query) (device.Page, error) {
	page := device.Page{Devices: []device.Status{}}
	afterFleet, afterName, err := splitCursor(q.After)
	if err != nil {
		return page, err
	}
	match := matcher(q.Match)
	limit := min(cmp.Or(q.Limit, 1000), maxPage)
	list := f.each()
	slices.SortFunc(list, func(a, b *fleet) int { return strings.Compare(a.name, b.name) })
	for _, fl := range list {
		if q.Fleet != "" && fl.name != q.Fleet {
			continue
		}
		fl.mu.Lock()
		page.Counts.Online += int(fl.online.Load())
		page.Counts.Held += fl.held
		page.Counts.Offline += fl.offline()
		if fl.name < afterFleet || page.Next != "" {
			fl.mu.Unlock()
			continue
		}
		for _, e := range fl.behind(fl.name == afterFleet, afterName) {
			if q.State != "" && e.state() != q.State || !match(e.name) {
				continue
			}
			if len(page.Devices) == limit {
				last := page.Devices[limit-1]
				page.Next = base64.RawURLEncoding.EncodeToString([]byte(last.Fleet + "\x00" + last.Name))
				break
			}
			page.Devices = append(page.Devices, e.status(fl))
		}
		fl.mu.Unlock()
	}
	for i := range page.Devices {
		f.addWaiting(&page.Devices[i])
	}
	return page, nil
}

// waiter is a Commander that knows how many commands wait.
type waiter interface {
	Waiting(fleet, name string) int
}

func (f *Fleets) addWaiting(st *device.Status) {
	if w, knows := f.opt.Commander.(waiter); knows {
		st.Waiting = w.Waiting(st.Fleet, st.Name)
	}
}

// offline is how many devices are not connected; f.mu is held.
func (f *fleet) offline() int {
	n := 0
	for _, e := range f.entries {
		if len(e.visits) == 0 {
			n++
		}
	}
	return n
}

// behind are the devices in the order of their names, those behind a name if asked; f.mu is held.
func (f *fleet) behind(cut bool, name string) []*entry {
	if f.sorted == nil {
		f.sorted = make([]*entry, 0, len(f.entries))
		for _, e := range f.entries {
			f.sorted = append(f.sorted, e)
		}
		slices.SortFunc(f.sorted, func(a, b *entry) int { return strings.Compare(a.name, b.name) })
	}
	if !cut {
		return f.sorted
	}
	i, found := slices.BinarySearchFunc(f.sorted, name, func(e *entry, name string) int { return strings.Compare(e.name, name) })
	if found {
		i++
	}
	return f.sorted[i:]
}

func splitCursor(after string) (fleet, name string, err error) {
	if after == "" {
		return "", "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(after)
	fleet, name, ok := strings.Cut(string(b), "\x00")
	if err != nil || !ok {
		return "", "", fmt.Errorf("after %q is not what a page before said as next", after)
	}
	return fleet, name, nil
}

// matcher is what a name must fit: contain, or with a * be like.
func matcher(text string) func(name string) bool {
	text = strings.ToLower(text)
	switch {
	case text == "":
		return func(string) bool { return true }
	case strings.Contains(text, "*"):
		return func(name string) bool { return Matches(text, strings.ToLower(name)) }
	}
	return func(name string) bool { return strings.Contains(strings.ToLower(name), text) }
}

// Matches reports whether a name fits a pattern, in which * stands for any bytes, or none.
func Matches(pattern, name string) bool {
	first, rest, starred := strings.Cut(pattern, "*")
	if !starred {
		return pattern == name
	}
	if !strings.HasPrefix(name, first) {
		return false
	}
	name = name[len(first):]
	for {
		var part string
		part, rest, starred = strings.Cut(rest, "*")
		if !starred {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
}

// Get is a device, and its newest connections, the newest first.
func (f *Fleets) Get(fleet, name string) (device.Status, []device.Connection, error) {
	fl := f.get(fleet)
	if fl == nil {
		return device.Status{}, nil, device.ErrNotFound
	}
	found, err := f.store.connections(fleet, name)
	if err != nil {
		return device.Status{}, nil, err
	}
	fl.mu.Lock()
	e := fl.entries[name]
	if e == nil {
		fl.mu.Unlock()
		return device.Status{}, nil, device.ErrNotFound
	}
	st := e.status(fl)
	for _, v := range e.visits {
		c := v.connection()
		found[rowKey{fleet, name, c.Session}] = c
	}
	fl.mu.Unlock()
	f.addWaiting(&st)
	list := make([]device.Connection, 0, len(found))
	for _, c := range found {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b device.Connection) int {
		return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(b.Session, a.Session))
	})
	return st, list[:min(len(list), maxPerDevice)], nil
}

// Admit makes a name one that is known, now and after restarts: what is held of it is a device from now on. A name that never
// came is known when it does.
func (f *Fleets) Admit(fleet, name string) (device.Status, error) {
	fl := f.get(fleet)
	if fl == nil {
		return device.Status{}, device.ErrNotFound
	}
	if name == device.Unknown {
		return device.Status{}, errHeldName
	}
	if problem := badName(name); problem != "" {
		return device.Status{}, fmt.Errorf("%q is %s", name, problem)
	}
	fl.mu.Lock()
	e := fl.entry(name, 0)
	e.admitted = true
	var in []*visit
	for _, v := range e.visits {
		if v.state == held {
			v.become(fl, online)
			in = append(in, v)
		}
	}
	fl.changed(e)
	fl.mu.Unlock()
	for _, v := range in {
		v.do(admitted)
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return e.status(fl), nil
}

// Forget forgets a device that is not connected, and that it was admitted. Its recordings stay.
func (f *Fleets) Forget(fleet, name string) error {
	fl := f.get(fleet)
	if fl == nil {
		return device.ErrNotFound
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	e := fl.entries[name]
	switch {
	case e == nil:
		return device.ErrNotFound
	case len(e.visits) > 0:
		return device.ErrConnected
	}
	fl.forget(e)
	f.store.dropRows(fleet, name)
	return nil
}
