//go:build linux

package benchkit

import (
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const fleetRole = "fleet"

// Fleet is thousands of connections in a process of their own, each of which sends one message and gets its reply.
type Fleet struct{ *Child }

// FleetOrder is one thing for a fleet to do.
type FleetOrder struct {
	Do       string        // open, churn, await or close
	Addr     string        // HOST:PORT
	Count    int           // open: so many connections more; churn: so many in all
	InFlight int           // connections that have not got their reply yet; default 256
	Message  string        // sent by each; empty for none
	Reply    int           // bytes that each gets back, or more; 0 to be done when connected
	Limit    time.Duration // default 30 s
	Sources  int           // first of the addresses to connect from
	Reset    bool          // close: by a reset
}

// FleetReport is what became of it.
type FleetReport struct {
	Opened  int     // connected, in this order
	Replied int     // and got their reply
	Failed  int     // ended before that
	Seconds float64 // until the last reply
	Held    int     // open now
	Error   string  // the first error
	Slowest float64 // seconds from connect to reply, the longest
}

// Fleet starts a fleet without connections.
func (r *Run) Fleet() (*Fleet, error) {
	c, err := r.Spawn(fleetRole)
	return &Fleet{c}, err
}

// Order has the fleet do something and waits until it is done.
func (f *Fleet) Order(o FleetOrder) (rep FleetReport, err error) {
	return rep, f.Call(o, &rep)
}

func serveFleet(p *Parent) error {
	runtime.LockOSThread()
	quietCollector()
	poller, err := NewPoller()
	if err != nil {
		return err
	}
	f := &fleet{poller: poller}
	return Serve(p, f.do)
}

// fleet is the load generator's side.
type fleet struct {
	poller *Poller
	ships  []ship
	free   []int32
	report FleetReport
	buf    [64 << 10]byte
	dialed int // ever, to spread the sources
}

type ship struct {
	fd      int
	state   shipState
	missing int
	since   time.Time
}

type shipState uint8

const (
	gone shipState = iota
	connecting
	waiting
	idle
)

// portsPerSource is how many connections share a source address: the more there are, the longer the system looks for a
// free port.
const portsPerSource = 4_000

func (f *fleet) do(o FleetOrder) (FleetReport, error) {
	f.report = FleetReport{}
	start := time.Now()
	o.InFlight = max(1, o.InFlight)
	if o.InFlight == 1 {
		o.InFlight = 256
	}
	if o.Limit == 0 {
		o.Limit = 30 * time.Second
	}
	deadline := start.Add(o.Limit)
	var err error
	switch o.Do {
	case "open", "churn":
		err = f.open(o, deadline)
		f.report.Seconds = time.Since(start).Seconds()
	case "await":
		err = f.await(o, deadline)
		f.report.Seconds = time.Since(start).Seconds()
	case "close":
		f.closeAll(o.Reset)
	}
	f.report.Held = len(f.ships) - len(f.free)
	return f.report, err
}

// open connects o.Count times, at most o.InFlight of them unfinished at once.
func (f *fleet) open(o FleetOrder, deadline time.Time) error {
	to, err := netip.ParseAddrPort(o.Addr)
	if err != nil {
		return err
	}
	left, flying := o.Count, 0
	for left > 0 || flying > 0 {
		for left > 0 && flying < o.InFlight {
			left--
			if f.launch(o, to) {
				flying++
			}
		}
		events, err := f.poller.Wait(deadline)
		if err != nil || len(events) == 0 {
			return err
		}
		flying -= f.handle(o, events)
	}
	return nil
}

// await waits for the replies that are missing.
func (f *fleet) await(o FleetOrder, deadline time.Time) error {
	flying := 0
	for i := range f.ships {
		if s := f.ships[i].state; s == connecting || s == waiting {
			flying++
		}
	}
	for flying > 0 {
		events, err := f.poller.Wait(deadline)
		if err != nil || len(events) == 0 {
			return err
		}
		flying -= f.handle(o, events)
	}
	return nil
}

func (f *fleet) launch(o FleetOrder, to netip.AddrPort) bool {
	fd, err := Connect(Source(o.Sources+f.dialed/portsPerSource), to)
	f.dialed++
	if err != nil {
		f.fail(err)
		return false
	}
	var i int32
	if n := len(f.free); n > 0 {
		i, f.free = f.free[n-1], f.free[:n-1]
	} else {
		i = int32(len(f.ships))
		f.ships = append(f.ships, ship{})
	}
	f.ships[i] = ship{fd: fd, state: connecting, missing: o.Reply, since: time.Now()}
	if err := f.poller.Watch(fd, f.begin(o, i), i); err != nil {
		f.sink(i, err)
		return false
	}
	return true
}

// begin sends the message at once where the connection is there already, as it mostly is within one machine, and
// returns what to wait for.
func (f *fleet) begin(o FleetOrder, i int32) (events uint32) {
	s := &f.ships[i]
	if o.Message == "" || o.Reply == 0 {
		return unix.EPOLLOUT
	}
	if _, err := unix.Write(s.fd, []byte(o.Message)); err != nil {
		return unix.EPOLLOUT
	}
	f.report.Opened++
	s.state = waiting
	return unix.EPOLLIN | unix.EPOLLET
}

func (f *fleet) fail(err error) {
	f.report.Failed++
	if f.report.Error == "" && err != nil {
		f.report.Error = err.Error()
	}
}

func (f *fleet) sink(i int32, err error) {
	f.fail(err)
	f.release(i)
}

func (f *fleet) release(i int32) {
	unix.Close(f.ships[i].fd)
	f.ships[i] = ship{}
	f.free = append(f.free, i)
}

// handle returns how many connections are finished, one way or the other.
func (f *fleet) handle(o FleetOrder, events []unix.EpollEvent) (finished int) {
	for _, e := range events {
		s := &f.ships[e.Fd]
		var done bool
		var err error
		switch s.state {
		case connecting:
			done, err = f.connected(o, e.Fd)
		case waiting:
			done, err = f.read(s)
		case idle:
			if _, err := f.read(s); err != nil {
				f.sink(e.Fd, err)
			}
			continue
		}
		switch {
		case err != nil:
			f.sink(e.Fd, err)
			finished++
		case done:
			f.report.Replied++
			f.report.Slowest = max(f.report.Slowest, time.Since(s.since).Seconds())
			finished++
			if o.Do == "churn" {
				f.release(e.Fd)
				continue
			}
			s.state = idle // and watched on: it must not be closed by the server
		}
	}
	return finished
}

func (f *fleet) connected(o FleetOrder, i int32) (done bool, err error) {
	s := &f.ships[i]
	if code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil {
		return false, err
	} else if code != 0 {
		return false, unix.Errno(code)
	}
	f.report.Opened++
	if o.Message != "" {
		if _, err := unix.Write(s.fd, []byte(o.Message)); err != nil {
			return false, err
		}
	}
	if o.Reply == 0 {
		return true, f.poller.Change(s.fd, unix.EPOLLIN|unix.EPOLLET, i)
	}
	s.state = waiting
	return false, f.poller.Change(s.fd, unix.EPOLLIN|unix.EPOLLET, i)
}

// read reads what is there.
func (f *fleet) read(s *ship) (done bool, err error) {
	for {
		n, err := unix.Read(s.fd, f.buf[:])
		switch {
		case err == unix.EAGAIN:
			return s.missing <= 0, nil
		case err == unix.EINTR:
			continue
		case err != nil:
			return false, err
		case n == 0:
			return false, errClosed
		}
		s.missing -= n
		if s.missing <= 0 {
			return true, nil
		}
	}
}

func (f *fleet) closeAll(reset bool) {
	for i := range f.ships {
		if f.ships[i].state == gone {
			continue
		}
		if reset {
			CloseReset(f.ships[i].fd)
		} else {
			unix.Close(f.ships[i].fd)
		}
	}
	f.ships, f.free = nil, nil
}
