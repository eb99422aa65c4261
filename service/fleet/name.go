package fleet

import (
	"errors"
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/session"
)

// identify looks whether a message says who the device is; v.work is held.
func (v *visit) identify(m *frame.Message) error {
	conf := &v.svc.conf
	if conf.NameFrom != FromMessage {
		return nil
	}
	if m.Name != "" && m.Name != v.called {
		problem := badName(m.Name)
		if problem == "" && v.called != "" && v.called != device.Unknown {
			problem = fmt.Sprintf("the name %q, and it has one already", m.Name)
		}
		if problem == "" {
			return v.registerAt(m.Name, m.Start)
		}
		if !v.noted {
			v.noted = true
			v.s.Note("the device said " + problem + ": it was not taken")
		}
	}
	if v.called == "" && m.Kind != frame.Junk && conf.Unregistered == Allow && v.registrationOver() {
		return v.register(device.Unknown)
	}
	return nil
}

// registrationOver reports whether the time to say a name is over.
func (v *visit) registrationOver() bool {
	limit := v.svc.conf.RegisterTimeout
	return limit == 0 || time.Now().UnixMicro() >= v.start+limit.Microseconds()
}

// register makes the visit the device of a name, and ends those that this replaces; v.work is held.
func (v *visit) register(name string) error { return v.registerAt(name, -1) }

// registerAt is register by a message that begins at an offset: the bytes before it were not that device's.
func (v *visit) registerAt(name string, start int64) error {
	before := v.tally()
	if start >= 0 {
		before.received = uint64(start)
	}
	replaced, state, err := v.svc.fleet.claim(v, name, before)
	if err != nil {
		return v.refuse(err)
	}
	for _, old := range replaced {
		old.s.End(session.Replaced, "the device connected again, from "+v.s.RemoteAddr().String())
	}
	v.called = name
	if state == held {
		return nil
	}
	v.introduce(name)
	return nil
}

// introduce tells all others who the visit is; v.work is held.
func (v *visit) introduce(name string) {
	v.name = name
	v.s.SetName(name)
	for _, f := range v.svc.all.opt.Followers {
		f.Named(v.s, v.svc.fleet.name, name)
	}
	if c := v.svc.all.opt.Commander; c != nil && name != device.Unknown && !v.peer {
		v.peer = true
		c.Online(v)
	}
}

// overdue is what becomes of a visit that did not say its name in time; v.work is held.
func (v *visit) overdue() error {
	switch v.svc.conf.Unregistered {
	case Reject:
		return v.refuse(errNameless(v.svc.conf.RegisterTimeout))
	case Hold:
		_, _, err := v.svc.fleet.claim(v, device.Unknown, v.tally())
		v.called = device.Unknown
		return err
	}
	if v.spoken {
		return v.register(device.Unknown)
	}
	return nil
}

// claim decides, once, who has a name now. The visits that come back are to be ended: they do not count any more.
// What the visit had counted before is that of the device that it was until then, if it was any.
func (f *fleet) claim(v *visit, name string, before tally) (replaced []*visit, as state, err error) {
	conf := &v.svc.conf
	f.mu.Lock()
	defer f.mu.Unlock()
	if v.state == gone {
		return nil, gone, v.s.Ended()
	}
	as, err = f.judge(conf, name)
	if err != nil {
		return nil, as, err
	}
	e := f.entries[name]
	if e != nil && name != device.Unknown && conf.Duplicate != Many && len(e.visits) > 0 {
		if conf.Duplicate == Refuse {
			return nil, as, errDuplicate
		}
		replaced = append(replaced, e.visits...)
	}
	if as == online && conf.MaxDevices > 0 {
		after := f.attached + 1
		if v.state == online && v.entry != nil {
			after--
		}
		for _, old := range replaced {
			if old.state == online {
				after--
			}
		}
		if after > conf.MaxDevices {
			return nil, as, errMaxDevices
		}
	}
	for _, old := range replaced {
		f.detach(old, gone)
	}
	f.replaced.Add(uint64(len(replaced)))
	f.attach(v, name, as, before)
	return replaced, as, nil
}

// errHeldName is what admitting devices without a name meets.
var errHeldName = errors.New("a device is admitted by its name, and this is what those without one are called")

// judge is what a connection of a name is to be; f.mu is held.
func (f *fleet) judge(conf *Config, name string) (state, error) {
	policy := conf.Unknown
	if name == device.Unknown {
		policy = conf.Unregistered
	} else if e := f.entries[name]; e != nil && e.admitted || conf.known(name) {
		return online, nil
	}
	switch policy {
	case Hold:
		return held, nil
	case Reject:
		return nameless, errNotKnown
	}
	return online, nil
}
