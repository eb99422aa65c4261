//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// crowdRole is the load: every client of the room, in one process and one thread.
const crowdRole = "crowd"

// crowdOrder is one thing for the crowd to do.
type crowdOrder struct {
	Do      string // open, talk, turns or close
	Addr    string // open
	Count   int    // open: clients
	Source  int    // open: the first of the addresses to connect from
	Senders int    // talk: so many of the clients talk, each with one message under way
	Lasts   time.Duration
	WarmUp  time.Duration // before anything is counted
}

// crowdReport is what became of it.
type crowdReport struct {
	Sent      uint64  // messages, warm-up included
	Delivered uint64  // of them, to all clients together
	Counted   uint64  // deliveries after the warm-up
	Seconds   float64 // that Counted took
	P50, P99  float64 // from send to delivery, seconds
	Max       float64
}

const (
	messageSize = 100
	maxSenders  = 64
	probe       = maxSenders // the sender's number in messages that are not counted
	drainLimit  = 15 * time.Second
	seal        = 0x9e3779b97f4a7c15 // mixed into a message's last bytes, which prove it whole
)

// crowd is all clients. Each checks that it gets every message of every sender once, whole and in order.
type crowd struct {
	poller  *benchkit.Poller
	clients []client
	message [messageSize]byte
	buf     [256 << 10]byte
	origin  time.Time

	// of what is done now
	senders   int
	sent      [maxSenders + 1]uint32
	expected  []uint32 // next number of each sender, for each client
	delivered uint64
	probed    int // clients that have got the newest probe
	counting  bool
	talking   bool
	times     *benchkit.Times
	report    crowdReport
}

type client struct {
	fd   int
	have int               // bytes of part
	part [messageSize]byte // the beginning of a message whose end has not come
}

func serveCrowd(p *benchkit.Parent) error {
	runtime.LockOSThread()
	poller, err := benchkit.NewPoller()
	if err != nil {
		return err
	}
	c := &crowd{poller: poller, origin: time.Now(), times: &benchkit.Times{}}
	return benchkit.Serve(p, c.do)
}

func (c *crowd) do(o crowdOrder) (crowdReport, error) {
	c.report = crowdReport{}
	switch o.Do {
	case "open":
		return c.report, c.open(o)
	case "talk":
		return c.report, c.talk(o)
	case "turns":
		return c.report, c.turns(o)
	case "close":
		for i := range c.clients {
			benchkit.CloseReset(c.clients[i].fd)
		}
		c.clients = nil
		return c.report, nil
	}
	return c.report, fmt.Errorf("a crowd cannot do %q", o.Do)
}

// open connects every client and waits until all are in the room: until one message has reached each of them.
func (c *crowd) open(o crowdOrder) error {
	to, err := netip.ParseAddrPort(o.Addr)
	if err != nil {
		return err
	}
	for i := range o.Count {
		fd, err := benchkit.ConnectNow(benchkit.Source(o.Source), to, 5*time.Second)
		if err != nil {
			return err
		}
		c.clients = append(c.clients, client{fd: fd})
		if err := c.poller.Watch(fd, unix.EPOLLIN, int32(i)); err != nil {
			return err
		}
	}
	c.begin(0)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if err := c.say(0, probe); err != nil {
			return err
		}
		for wait := time.Now().Add(2 * time.Second); c.probed < len(c.clients) && time.Now().Before(wait); {
			if err := c.hear(wait); err != nil {
				return err
			}
		}
		if c.probed == len(c.clients) {
			return nil
		}
	}
	return fmt.Errorf("%d of %d clients got the newest message", c.probed, len(c.clients))
}

func (c *crowd) begin(senders int) {
	c.senders, c.delivered, c.counting, c.talking = senders, 0, false, false
	c.expected = make([]uint32, len(c.clients)*senders)
	c.sent = [maxSenders + 1]uint32{probe: c.sent[probe]}
	*c.times = benchkit.Times{}
}

// talk has each sender send its next message when it has got its own last one back.
func (c *crowd) talk(o crowdOrder) error {
	if o.Senders > maxSenders || o.Senders > len(c.clients) {
		return fmt.Errorf("%d senders are too many", o.Senders)
	}
	c.begin(o.Senders)
	c.talking = true
	for i := range o.Senders {
		if err := c.say(i, i); err != nil {
			return err
		}
	}
	if err := c.run(time.Now().Add(o.WarmUp)); err != nil {
		return err
	}
	c.count()
	start := time.Now()
	if err := c.run(start.Add(o.Lasts)); err != nil {
		return err
	}
	c.report.Seconds = time.Since(start).Seconds()
	c.counting, c.talking = false, false
	return c.finish()
}

// turns has one sender send its next message when everybody has got the last one.
func (c *crowd) turns(o crowdOrder) error {
	c.begin(1)
	warm := time.Now().Add(o.WarmUp)
	end := warm.Add(o.Lasts)
	var start time.Time
	for now := time.Now(); now.Before(end); now = time.Now() {
		if !c.counting && !now.Before(warm) {
			c.count()
			start = now
		}
		if err := c.say(0, 0); err != nil {
			return err
		}
		for limit := now.Add(drainLimit); c.delivered < c.due(); {
			if time.Now().After(limit) {
				return c.finish()
			}
			if err := c.hear(limit); err != nil {
				return err
			}
		}
	}
	c.report.Seconds = time.Since(start).Seconds()
	return c.finish()
}

func (c *crowd) count() {
	c.counting = true
	c.report.Counted = 0
}

func (c *crowd) run(until time.Time) error {
	for time.Now().Before(until) {
		if err := c.hear(until); err != nil {
			return err
		}
	}
	return nil
}

// due is how many deliveries there are once every message has reached every client.
func (c *crowd) due() (n uint64) {
	for _, sent := range c.sent[:c.senders] {
		n += uint64(sent)
	}
	return n * uint64(len(c.clients))
}

// finish waits for what is under way.
func (c *crowd) finish() error {
	due := c.due()
	for limit := time.Now().Add(drainLimit); c.delivered < due && time.Now().Before(limit); {
		if err := c.hear(limit); err != nil {
			return err
		}
	}
	c.report.Sent, c.report.Delivered = due/uint64(len(c.clients)), c.delivered
	c.report.P50, c.report.P99 = c.times.Percentile(0.5).Seconds(), c.times.Percentile(0.99).Seconds()
	c.report.Max = c.times.Max().Seconds()
	return nil
}

func (c *crowd) now() int64 { return int64(time.Since(c.origin)) }

// say sends the sender's next message by the client's connection.
func (c *crowd) say(by, sender int) error {
	if sender == probe {
		c.probed = 0
	}
	number := c.sent[sender]
	c.sent[sender]++
	m := c.message[:]
	binary.LittleEndian.PutUint32(m, uint32(sender))
	binary.LittleEndian.PutUint32(m[4:], number)
	at := uint64(c.now())
	binary.LittleEndian.PutUint64(m[8:], at)
	binary.LittleEndian.PutUint64(m[messageSize-8:], sealOf(uint32(sender), number, at))
	n, err := unix.Write(c.clients[by].fd, m)
	if err == nil && n < len(m) {
		err = errors.New("short write")
	}
	return err
}

func sealOf(sender, number uint32, at uint64) uint64 {
	return (uint64(sender)<<32 | uint64(number)) ^ at ^ seal
}

// hear takes what has come, or comes first until the deadline.
func (c *crowd) hear(deadline time.Time) error {
	events, err := c.poller.Wait(deadline)
	if err != nil {
		return err
	}
	for i := range events {
		who := int(events[i].Fd)
		n, err := unix.Read(c.clients[who].fd, c.buf[:])
		if err == unix.EAGAIN || err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("client %d: %w", who, err)
		}
		if n == 0 {
			return fmt.Errorf("client %d: the server closed the connection", who)
		}
		if err := c.take(who, c.buf[:n]); err != nil {
			return fmt.Errorf("client %d: %w", who, err)
		}
	}
	return nil
}

// take cuts what a client read into messages.
func (c *crowd) take(who int, p []byte) error {
	cl := &c.clients[who]
	now := c.now()
	if cl.have > 0 {
		n := copy(cl.part[cl.have:], p)
		cl.have += n
		p = p[n:]
		if cl.have < messageSize {
			return nil
		}
		cl.have = 0
		if err := c.check(who, cl.part[:], now); err != nil {
			return err
		}
	}
	for len(p) >= messageSize {
		if err := c.check(who, p[:messageSize], now); err != nil {
			return err
		}
		p = p[messageSize:]
	}
	cl.have = copy(cl.part[:], p)
	return nil
}

// check counts one delivery, and has its sender go on.
func (c *crowd) check(who int, m []byte, now int64) error {
	sender, number := binary.LittleEndian.Uint32(m), binary.LittleEndian.Uint32(m[4:])
	at := binary.LittleEndian.Uint64(m[8:])
	if binary.LittleEndian.Uint64(m[messageSize-8:]) != sealOf(sender, number, at) {
		return errors.New("got bytes that are no message: some were lost, or changed")
	}
	if sender == probe {
		if number+1 == c.sent[probe] {
			c.probed++
		}
		return nil
	}
	if int(sender) >= c.senders {
		return fmt.Errorf("got a message of sender %d; there are %d", sender, c.senders)
	}
	next := &c.expected[who*c.senders+int(sender)]
	if number != *next {
		return fmt.Errorf("got message %d of sender %d, want %d: lost, doubled or out of order", number, sender, *next)
	}
	*next++
	c.delivered++
	if c.counting {
		c.report.Counted++
		c.times.Add(time.Duration(now - int64(at)))
	}
	if c.talking && who == int(sender) {
		return c.say(who, who)
	}
	return nil
}
