// Package fleet is what a listener of devices does with its sessions: it cuts what they send into messages, finds out who they
// are, answers what their protocol has answered, and knows who is connected: protocol document, section 5.
package fleet

import (
	"context"
	"log/slog"
	"sync"

	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
)

// Follower is told what becomes of the sessions of devices. Calls for one session come one after the other; they must not
// wait, and News must cost next to nothing.
type Follower interface {
	// Named says that the session is a device's from now on, and that this is on its record. A session that was of a device
	// without a name, device.Unknown, may be named once more.
	Named(s *hub.Session, fleet, name string)
	News(s *hub.Session) // something was received; behind Named only
	Gone(s *hub.Session) // nothing but Closed comes any more; behind Named only
}

// Commander has commands for devices. Calls for one Peer come one after the other, and must not wait, except for Request.
type Commander interface {
	Online(p Peer)
	Heard(p Peer, m *frame.Message) // a whole message came; it is borrowed
	Offline(p Peer, why error)      // the last call for it. It may come behind Online of the same name's next connection

	// Request is a line that the web server wrote on its link, without its end, and the answer is one too; nil: none. The line is
	// borrowed. It may wait for as long as ctx lasts, and meanwhile nothing more is read of that connection.
	// later may be called with more lines, at any time and by anybody; it does not wait.
	Request(ctx context.Context, fleet, by string, line []byte, later func(line []byte)) (answer []byte)
}

// Peer is a connection of a device that has a name and is not held.
type Peer = command.Peer

// Options are what Fleets are made of.
type Options struct {
	Hub       *hub.Hub
	Path      string // of the file in which devices are kept; empty: they are not
	Logger    *slog.Logger
	Followers []Follower
	Commander Commander // nil: there are no commands
}

// Fleets are all devices of this node.
type Fleets struct {
	opt   Options
	store *store // nil: nothing is kept

	mu     sync.RWMutex
	fleets map[string]*fleet
}

// New makes Fleets, with the devices that were known when the file was written last. The caller closes them, behind the hub's
// end.
func New(opt Options) (*Fleets, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	f := &Fleets{opt: opt, fleets: map[string]*fleet{}}
	if opt.Path == "" {
		return f, nil
	}
	var err error
	if f.store, err = openStore(opt.Path, f); err != nil {
		return nil, err
	}
	f.store.begin() // which looks at f.store
	return f, nil
}

// Close writes what is not written yet.
func (f *Fleets) Close() error {
	if f == nil || f.store == nil {
		return nil
	}
	return f.store.close()
}

// Service makes what a listener does with its sessions. Listeners may share a fleet.
func (f *Fleets) Service(conf Config) (*Service, error) {
	if err := conf.check(); err != nil {
		return nil, err
	}
	return &Service{conf: conf, all: f, fleet: f.fleet(conf.Fleet)}, nil
}

// fleet is the one of a name, which is made if there is none.
func (f *Fleets) fleet(name string) *fleet {
	if fl := f.get(name); fl != nil {
		return fl
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	fl := f.fleets[name]
	if fl == nil {
		fl = newFleet(name, f)
		f.fleets[name] = fl
	}
	return fl
}

func (f *Fleets) get(name string) *fleet {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.fleets[name]
}

// each is all fleets, in no order.
func (f *Fleets) each() []*fleet {
	f.mu.RLock()
	defer f.mu.RUnlock()
	list := make([]*fleet, 0, len(f.fleets))
	for _, fl := range f.fleets {
		list = append(list, fl)
	}
	return list
}

// Online is how many devices of a fleet are connected now: the connections of the protocol document, section 5. Connections
// without a name count, unless the listener holds or rejects those.
func (f *Fleets) Online(name string) int {
	if fl := f.get(name); fl != nil {
		return int(fl.online.Load())
	}
	return 0
}

// Totals are the counts of each fleet since the start.
func (f *Fleets) Totals() []device.Totals {
	var list []device.Totals
	for _, fl := range f.each() {
		t := device.Totals{Fleet: fl.name, Online: int(fl.online.Load()), Messages: fl.messages.Load(),
			Flagged: fl.flagged.Load(), Replaced: fl.replaced.Load(), Refused: fl.refused.Load()}
		fl.mu.Lock()
		t.Held = fl.held
		fl.mu.Unlock()
		list = append(list, t)
	}
	return list
}
