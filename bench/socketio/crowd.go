//go:build linux

package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// crowdRole is the load: a publisher and its receivers, in one process and one thread.
const crowdRole = "crowd"

// crowdOrder is one thing for the crowd to do.
type crowdOrder struct {
	Do string // open, talk, stall, drop or close

	Dialect  string // open: socketio or centrifugo
	Addr     string // open
	Count    int    // open: receivers, beside the publisher; stall: so many of them read no more
	InFlight int    // open, drop: connections that are being made at once
	Source   int    // open: the first of the addresses to connect from
	Recovery bool   // open: keep what is needed to recover

	Size        int           // talk, drop: bytes of a message
	Outstanding int           // talk: messages that not all receivers have yet; 0: by Rate
	Rate        float64       // talk, drop: messages a second
	WarmUp      time.Duration // before anything is counted; drop: before the connections are lost
	Lasts       time.Duration
	Away        time.Duration // drop: from losing the connections to coming back
}

// crowdReport is what became of it. Times are in seconds.
type crowdReport struct {
	Opened    int    // open: clients that were welcomed
	Reached   int    // open: receivers that got the message said when all were there
	Failed    int    // connections that were refused or broke
	Error     string // of the first of them
	Sent      uint64 // messages, warm-up included
	Due       uint64 // deliveries of them
	Delivered uint64
	Counted   uint64  // deliveries after the warm-up
	Seconds   float64 // that Counted took
	P50, P99  float64 // from publishing to a delivery
	Max       float64
	LastP50   float64 // from publishing to the last receiver's delivery
	LastP99   float64
	CPU       float64 // of this process

	Recovered        int    // drop: receivers that came back as who they were
	Renewed          int    // drop: as somebody new
	Lost, Twice      uint64 // drop: deliveries
	BackP50, BackP99 float64
	BackMax          float64 // drop: from losing the connection to being there again
}

const (
	probeLimit = 10 * time.Second
	drainLimit = 20 * time.Second
	perSource  = 400 // clients that share an address: servers limit how many may
	ringSize   = 1 << 15
)

// crowd is all clients. Client 0 publishes; the others check that they get every message once, whole and in order.
type crowd struct {
	poller  *benchkit.Poller
	clients []client
	origin  time.Time
	buf     [512 << 10]byte
	dialect *dialect
	place   crowdOrder // with which they were opened
	order   crowdOrder // that is being carried out
	report  crowdReport

	// of the messages
	size    int
	prefix  int // where in a packet the message begins, once one has come; 0 before
	line    int // length of the newest packet of several in a frame
	sent    uint32
	whole   uint32 // messages that every active receiver has
	active  int    // receivers that read
	missing [ringSize]int32
	said    [ringSize]int64 // when
	filler  []byte
	out     []byte // of the publisher, not written yet
	outAt   int
	scratch []byte
	ids     int // of requests, where the dialect has them
	clock   int // a descriptor that is readable when a message is due; -1: none

	// of what is counted
	delivered uint64
	counting  bool // deliveries
	timing    bool // latencies
	times     *benchkit.Times
	lasts     *benchkit.Times
	stamp     [2]uint64 // the newest message's time as it was written, and how many deliveries of it are not in times yet
	same      uint32

	// of connections that are being made
	opening  []int32 // clients to connect
	flying   int
	tolerant bool // count what is lost or doubled, and go on
	lostAt   int64
	backs    *benchkit.Times
}

func serveCrowd(p *benchkit.Parent) error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // it allocates next to nothing
	c, err := newCrowd()
	if err != nil {
		return err
	}
	return benchkit.Serve(p, c.do)
}

func newCrowd() (*crowd, error) {
	poller, err := benchkit.NewPoller()
	return &crowd{poller: poller, origin: time.Now(), times: &benchkit.Times{}, lasts: &benchkit.Times{},
		backs: &benchkit.Times{}, clock: -1}, err
}

func (c *crowd) do(o crowdOrder) (crowdReport, error) {
	c.report, c.order = crowdReport{}, o
	used := ownCPU()
	var err error
	switch o.Do {
	case "open":
		c.place = o
		err = c.open()
	case "talk":
		err = c.talk()
	case "stall":
		err = c.stall()
	case "drop":
		err = c.drop()
	case "close":
		for i := range c.clients {
			c.clients[i].close()
		}
		c.clients = nil
	default:
		err = fmt.Errorf("a crowd cannot do %q", o.Do)
	}
	c.report.CPU = (ownCPU() - used).Seconds()
	return c.report, err
}

func ownCPU() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (c *crowd) now() int64 { return int64(time.Since(c.origin)) }

// hear takes what has come, or comes first until the deadline, and begins the connections that there is room for.
func (c *crowd) hear(deadline time.Time) error {
	if err := c.launch(); err != nil {
		return err
	}
	events, err := c.poller.Wait(deadline)
	if err != nil {
		return err
	}
	for i := range events {
		e := &events[i]
		if e.Fd == clockTag {
			read(c.clock, c.buf[:8])
			continue
		}
		cl := &c.clients[e.Fd]
		if cl.state == connecting {
			if err := c.connected(cl); err != nil {
				return err
			}
		}
		if e.Events&unix.EPOLLOUT != 0 && cl.publisher && len(c.out) > 0 {
			if err := c.flush(); err != nil {
				return err
			}
		}
		if e.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 && cl.fd >= 0 {
			if err := c.read(cl); err != nil {
				return err
			}
		}
	}
	return nil
}

// read takes all that has come for one client.
func (c *crowd) read(cl *client) error {
	for {
		have := copy(c.buf[:], cl.part)
		n, err := read(cl.fd, c.buf[have:])
		if err == unix.EAGAIN || err == unix.EINTR {
			return nil
		}
		if err == nil && n == 0 {
			err = errClosed
		}
		if err != nil {
			return c.failed(cl, err)
		}
		p := c.buf[:have+n]
		used, err := c.take(cl, p)
		if err != nil {
			return fmt.Errorf("client %d: %w", cl.index, err)
		}
		if cl.fd < 0 {
			return nil
		}
		cl.part = append(cl.part[:0], p[used:]...)
		if have+n < len(c.buf) {
			return nil // less than there was room for: nothing more is there, and epoll tells of what comes
		}
	}
}

// read is read(2) without telling Go's scheduler, which a descriptor that does not block never needs.
func read(fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
		uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
