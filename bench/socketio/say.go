//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// begin readies the counts for messages of a size.
func (c *crowd) begin(size int) {
	if size != c.size {
		c.size, c.line = max(size, leastSize), 0
		c.filler = make([]byte, c.size)
		for i := range c.filler {
			c.filler[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[i*7%36]
		}
	}
	c.delivered, c.counting, c.timing, c.same = 0, false, false, 0
	*c.times, *c.lasts, *c.backs = benchkit.Times{}, benchkit.Times{}, benchkit.Times{}
}

// publish says n messages, all with the same time in them, by one write.
func (c *crowd) publish(n uint32, at int64) error {
	if c.sent-c.whole+n > ringSize {
		return errors.New("more messages are under way than can be kept in mind")
	}
	var packet []byte
	for range n {
		putMessage(c.filler, c.sent, at)
		c.missing[c.sent%ringSize], c.said[c.sent%ringSize] = int32(c.active), at
		c.sent++
		packet = c.dialect.publish(c, c.scratch[:0], c.filler)
		c.scratch = packet
		c.out = appendFrame(c.out, packet)
	}
	return c.flush()
}

// flush writes what the publisher has to say, as far as its socket takes it; epoll tells when it takes more.
func (c *crowd) flush() error {
	for c.outAt < len(c.out) {
		n, err := unix.Write(c.clients[0].fd, c.out[c.outAt:])
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the publisher: %w", err)
		}
		c.outAt += n
	}
	c.out, c.outAt = c.out[:0], 0
	return nil
}

// talk says messages, each when fewer than o.Outstanding are under way or by the clock, and waits until all have come.
func (c *crowd) talk() error {
	o := c.order
	c.begin(o.Size)
	first := c.sent
	warm := time.Now().Add(o.WarmUp)
	end := warm.Add(o.Lasts)
	say, stop, err := c.pace(end)
	if err != nil {
		return err
	}
	defer stop()
	var start time.Time
	for now := time.Now(); now.Before(end); now = time.Now() {
		if !c.counting && !now.Before(warm) {
			c.counting, c.timing, start = true, true, now
		}
		if err := say(); err != nil {
			return err
		}
		if err := c.hear(end); err != nil {
			return err
		}
	}
	c.report.Seconds = time.Since(start).Seconds()
	c.counting = false
	c.timing = o.Outstanding == 0 // by the clock: what was said in time counts, however late it comes
	return c.finish(first, func() bool { return c.whole == c.sent })
}

// finish waits for what is under way, and reports.
func (c *crowd) finish(first uint32, done func() bool) error {
	for limit := time.Now().Add(drainLimit); !done() && time.Now().Before(limit); {
		if err := c.hear(limit); err != nil {
			return err
		}
	}
	c.report.Sent = uint64(c.sent - first)
	c.report.Due = c.report.Sent * uint64(c.active)
	c.report.Delivered = c.delivered
	seconds := func(t *benchkit.Times, p float64) float64 { return t.Percentile(p).Seconds() }
	c.report.P50, c.report.P99, c.report.Max = seconds(c.times, 0.5), seconds(c.times, 0.99), c.times.Max().Seconds()
	c.report.LastP50, c.report.LastP99 = seconds(c.lasts, 0.5), seconds(c.lasts, 0.99)
	return nil
}

// pace returns what says the messages that are due.
func (c *crowd) pace(end time.Time) (say func() error, stop func(), err error) {
	if w := c.order.Outstanding; w > 0 {
		return func() error {
			if free := uint32(w) - (c.sent - c.whole); free > 0 {
				return c.publish(free, c.now())
			}
			return nil
		}, func() {}, nil
	}
	every := time.Duration(float64(time.Second) / c.order.Rate)
	clock, err := newClock(every)
	if err != nil {
		return nil, nil, err
	}
	if err := c.poller.Watch(clock, unix.EPOLLIN, clockTag); err != nil {
		return nil, nil, err
	}
	c.clock = clock
	next := c.now() + int64(every)
	return func() error {
		for now := c.now(); next <= now; next += int64(every) {
			if err := c.publish(1, next); err != nil {
				return err
			}
		}
		return nil
	}, func() { unix.Close(clock); c.clock = -1 }, nil
}

// clockTag is what the poller calls the clock.
const clockTag = -1

// newClock is a descriptor that is readable every so often, more precisely than a poll's time limit.
func newClock(every time.Duration) (fd int, err error) {
	if fd, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return -1, fmt.Errorf("timerfd: %w", err)
	}
	spec := unix.ItimerSpec{Interval: unix.NsecToTimespec(int64(every)), Value: unix.NsecToTimespec(int64(every))}
	if err := unix.TimerfdSettime(fd, 0, &spec, nil); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("timerfd: %w", err)
	}
	return fd, nil
}

// stall has the last receivers read no more.
func (c *crowd) stall() error {
	for i := len(c.clients) - c.order.Count; i < len(c.clients); i++ {
		cl := &c.clients[i]
		cl.stalled = true
		if err := c.poller.Forget(cl.fd); err != nil {
			return err
		}
		c.active--
	}
	return nil
}

// drop says messages by the clock, breaks every receiver's connection in between, has them all come back, and counts
// what each got.
func (c *crowd) drop() error {
	o := c.order
	c.begin(o.Size)
	first := c.sent
	c.tolerant = true
	defer func() { c.tolerant = false }()
	lose := time.Now().Add(o.WarmUp)
	end := lose.Add(o.Lasts)
	say, stop, err := c.pace(end)
	if err != nil {
		return err
	}
	defer stop()
	lost, back := false, false
	c.timing = true
	for now := time.Now(); now.Before(end) || len(c.opening)+c.flying > 0; now = time.Now() {
		switch {
		case now.After(end.Add(drainLimit)):
			return fmt.Errorf("after %v, %d receivers are not there again: %s", o.Lasts+drainLimit,
				len(c.opening)+c.flying, c.report.Error)
		case !lost && now.After(lose):
			lost, c.lostAt = true, c.now()
			for i := range c.clients[1:] {
				c.clients[1+i].close()
			}
		case !back && now.After(lose.Add(o.Away)):
			back = true
			for i := range c.clients[1:] {
				c.opening = append(c.opening, int32(1+i))
			}
		}
		if now.Before(end) {
			if err := say(); err != nil {
				return err
			}
		}
		if err := c.hear(now.Add(time.Duration(float64(time.Second) / o.Rate))); err != nil {
			return err
		}
	}
	behind := func() (n uint64) {
		for i := range c.clients[1:] {
			n += uint64(c.sent - c.clients[1+i].next)
		}
		return n
	}
	if err := c.finish(first, func() bool { return behind() == 0 }); err != nil {
		return err
	}
	c.report.Lost += behind()
	c.report.BackP50, c.report.BackP99 = c.backs.Percentile(0.5).Seconds(), c.backs.Percentile(0.99).Seconds()
	c.report.BackMax = c.backs.Max().Seconds()
	return nil
}

// back counts a receiver that is there again.
func (c *crowd) back(cl *client, recovered bool) {
	c.backs.Add(time.Duration(c.now() - c.lostAt))
	if recovered {
		c.report.Recovered++
	} else {
		c.report.Renewed++
	}
}
