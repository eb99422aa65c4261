//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/simulate"
)

const loadRole = "load"

// order is one thing for the load to do: it is the devices, and the web server that is told what they say.
type order struct {
	Do     string           // begin, pause, resume, end, link, unlink, hook, unhook, look, check, takeover, command or post
	Config *simulate.Config // begin
	Addr   string           // link, takeover; hook: where to answer, empty for anywhere
	URL    string           // post
	Token  string           // post
	Count  int              // takeover, command, post
	Rate   float64          // command, post: a second
	First  int              // command, post: number of the first
	Limit  time.Duration    // pause; default a minute
}

// figures of what came.
type times struct{ P50, P99, Max float64 } // seconds

// report is what became of it.
type report struct {
	Counts   simulate.Counts
	Verdict  simulate.Verdict // check
	Came     came
	Addr     string // hook
	Took     times  // takeover, command, post
	Done     int    // takeover, command, post
	Problems string // the first
}

// came is what the web server was told since it was looked at last; Messages, Data and Registrations since the start.
type came struct {
	Messages      uint64 // lines, or members of a batch
	Data          uint64 // bytes of devices
	Registrations uint64
	Online        int     // as the newest line says; of the link
	Way           times   // from a device to here
	Register      times   // from a registration to here
	Last          float64 // when the newest came, Unix seconds
}

func spawnLoad(r *benchkit.Run) (*load, error) {
	c, err := r.Spawn(loadRole)
	return &load{c}, err
}

// load is the parent's view of it.
type load struct{ *benchkit.Child }

func (l *load) order(o order) (rep report, err error) {
	err = l.Call(o, &rep)
	if err == nil && rep.Problems != "" && o.Do != "look" {
		err = fmt.Errorf("%s: %s", o.Do, rep.Problems)
	}
	return rep, err
}

// do does several things in turn, and returns the report of the last.
func (l *load) do(orders ...order) (rep report, err error) {
	for _, o := range orders {
		if rep, err = l.order(o); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

// loader is the load's side.
type loader struct {
	fleet *simulate.Fleet
	stop  context.CancelFunc
	ended chan error
	web   *web
}

func serveLoad(p *benchkit.Parent) error {
	l := &loader{web: newWeb()}
	return benchkit.Serve(p, func(o order) (report, error) {
		rep, err := l.do(o)
		if err != nil {
			rep.Problems = err.Error()
		}
		if l.fleet != nil {
			rep.Counts = l.fleet.Counts()
		}
		return rep, nil
	})
}

func (l *loader) do(o order) (rep report, err error) {
	switch o.Do {
	case "begin":
		o.Config.Registering = l.web.registering
		if l.fleet, err = simulate.New(*o.Config); err != nil {
			return rep, err
		}
		var ctx context.Context
		ctx, l.stop = context.WithCancel(context.Background())
		l.ended = make(chan error, 1)
		go func() { l.ended <- l.fleet.Run(ctx) }() // until end
	case "pause":
		if o.Limit == 0 {
			o.Limit = time.Minute
		}
		ctx, cancel := context.WithTimeout(context.Background(), o.Limit)
		defer cancel()
		err = l.fleet.Pause(ctx)
	case "resume":
		l.fleet.Resume()
	case "end":
		l.stop()
		err = <-l.ended
	case "link":
		err = l.web.link(o.Addr)
	case "unlink":
		l.web.unlink()
	case "hook":
		rep.Addr, err = l.web.hook(o.Addr)
	case "unhook":
		l.web.unhook()
	case "look":
		rep.Came = l.web.look()
	case "check":
		rep.Verdict = l.web.check(l.fleet)
	case "takeover":
		rep.Took, err = l.takeover(o)
	case "command":
		rep.Took, rep.Done, err = l.command(o)
	case "post":
		rep.Took, rep.Done, err = l.post(o)
	default:
		err = fmt.Errorf("cannot do %s", o.Do)
	}
	return rep, err
}

func timesOf(t *benchkit.Times) times {
	return times{t.Percentile(0.5).Seconds(), t.Percentile(0.99).Seconds(), t.Max().Seconds()}
}

// config is that of a fleet which connects to a server.
func config(addr string, n int, rate float64) *simulate.Config {
	c := &simulate.Config{Network: "tcp", Address: addr, Protocol: "etung", Devices: n, Rate: rate, Size: 64, Held: true, Seed: 1}
	for i := range byte(200) { // so that no address runs out of ports
		c.From = append(c.From, netip.AddrFrom4([4]byte{127, 1, 0, i + 1}))
	}
	return c
}
