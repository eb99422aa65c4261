//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// crowd is many clients in which something happens at a steady rate.
type crowd struct {
	addr  string
	conns []net.Conn
}

// gather connects so many clients.
func gather(addr string, n int) (*crowd, error) {
	c := &crowd{addr: addr}
	for range n {
		conn, err := dial(addr)
		if err != nil {
			c.leave()
			return nil, err
		}
		c.conns = append(c.conns, conn)
	}
	return c, nil
}

func dial(addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, 10*time.Second) }

// talk has the clients say something in turn, so many times a second together, until what it returns is called. One in
// churn of them goes instead, and another comes; 0 for none.
func (c *crowd) talk(rate float64, size, churn int) (stop func() error) {
	quit := make(chan struct{})
	result := make(chan error, 1)
	go func() { result <- c.run(quit, rate, size, churn) }() // ends with quit
	return func() error {
		close(quit)
		return <-result
	}
}

func (c *crowd) run(quit chan struct{}, rate float64, size, churn int) error {
	began := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for said := 0; ; {
		select {
		case <-quit:
			return nil
		case <-tick.C:
		}
		for due := int(time.Since(began).Seconds() * rate); said < due; said++ {
			at := said % len(c.conns)
			if churn > 0 && said%churn == 0 {
				at = rand.IntN(len(c.conns))
				c.conns[at].Close()
				conn, err := dial(c.addr)
				if err != nil {
					return err
				}
				c.conns[at] = conn
				continue
			}
			if _, err := c.conns[at].Write(line(said, size)); err != nil {
				return fmt.Errorf("after %d messages: %w", said, err)
			}
		}
	}
}

func (c *crowd) leave() {
	for _, conn := range c.conns {
		conn.Close()
	}
}

// line is a line of so many bytes, another one for each number.
func line(number, size int) []byte {
	head := fmt.Sprintf("%09d $GPRMC,120000,A,2232.%04d,N,11403.%04d,E,0%02d.4,084.4,", number, number*7%10_000, number*13%10_000, number%60)
	if n := size - 1 - len(head); n > 0 {
		head += strings.Repeat("*", n)
	}
	return append([]byte(head)[:size-1], '\n')
}

// screen is a whole screen of 80 columns and 24 rows: some 2 KB, of which much changes each time.
func screen(number int) []byte {
	b := []byte("\x1b[H")
	for row := range 24 {
		if row > 0 {
			b = append(b, "\r\n"...)
		}
		n := number*24 + row
		b = fmt.Appendf(b, "\x1b[3%dmpump %02d\x1b[0m %8d m³/h \x1b[1;4%dm%*s\x1b[0m%-*s", 1+row%6, row, n*37%1_000_000, 1+row%6,
			1+n%20, "", 50-n%20, strings.Repeat("·", n%11))
	}
	return b
}

// upstream is what relays connect to. What they send it is passed over.
type upstream struct {
	net.Listener
	conns chan net.Conn // as they come
}

func newUpstream() (*upstream, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &upstream{ln, make(chan net.Conn, 64)}
	go func() { // ends with Close
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, c)
			u.conns <- c
		}
	}()
	return u, nil
}

// next is the upstream's end of the connection that came next.
func (u *upstream) next(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	select {
	case c := <-u.conns:
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("no relay has connected: %w", ctx.Err())
	}
}

// each calls f again and again after so long, until what it returns is called, which returns the first error.
func each(every time.Duration, f func(i int) error) (stop func() error) {
	var quit atomic.Bool
	var wait sync.WaitGroup
	var err error
	wait.Go(func() {
		began := time.Now()
		for i := 0; !quit.Load() && err == nil; i++ {
			time.Sleep(time.Until(began.Add(time.Duration(i) * every)))
			err = f(i)
		}
	})
	return func() error {
		quit.Store(true)
		wait.Wait()
		return err
	}
}
