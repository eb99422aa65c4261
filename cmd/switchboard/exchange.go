package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// exchange is what passes over one connection of a line: one goroutine reads, one writes, run shows.
type exchange struct {
	line    *line
	conn    net.Conn
	arrived chan arrival
	sent    chan sending
}

type arrival struct {
	data []byte
	err  error // why nothing more arrives; io.EOF at the far end's end
}

type sending struct {
	bytes int
	err   error // why nothing more is sent; io.EOF at the input's end
}

func newExchange(l *line, conn net.Conn) *exchange {
	return &exchange{line: l, conn: conn, arrived: make(chan arrival), sent: make(chan sending)}
}

// run returns when the connection is over, with both goroutines gone and the connection closed.
func (x *exchange) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { x.receive(ctx) })
	running.Go(func() { x.send(ctx) })
	defer running.Wait()
	defer x.conn.Close()
	defer stop()
	silence := newIdleTimer(x.line.Timeout)
	var enough <-chan time.Time // a datagram pipe's end
	for {
		select {
		case a := <-x.arrived:
			silence.active()
			if over, err := x.show(a); over || err != nil {
				return err
			}
			if enough != nil {
				enough = time.After(x.quiet())
			}
		case s := <-x.sent:
			silence.active()
			if errors.Is(s.err, io.EOF) && x.datagrams() {
				enough = time.After(x.quiet())
			} else if s.err != nil && !errors.Is(s.err, io.EOF) {
				return s.err
			}
		case <-enough:
			return nil
		case <-silence.C:
			return fmt.Errorf("%w: nothing came or went for %v", errTimeout, x.line.Timeout)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (x *exchange) datagrams() bool { return x.line.address.Transport == "udp" }

func (x *exchange) quiet() time.Duration {
	if x.line.Timeout > 0 {
		return x.line.Timeout
	}
	return datagramQuiet
}

func (x *exchange) show(a arrival) (over bool, err error) {
	if a.err == nil {
		x.line.happened("data", fmt.Sprintf("%d bytes", len(a.data)))
		if err := x.line.screen.data(a.data); err != nil {
			return true, &outputError{err}
		}
		return false, nil
	}
	if !errors.Is(a.err, io.EOF) {
		return true, fmt.Errorf("%s: %w", x.line.address, plainCause(a.err))
	}
	x.line.happened("end", "")
	return true, nil
}

// receive passes on what arrives until the connection ends or run is over.
func (x *exchange) receive(ctx context.Context) {
	buf := make([]byte, 64<<10)
	for {
		n, err := x.conn.Read(buf)
		if n > 0 || err == nil {
			if !pass(ctx, x.arrived, arrival{data: bytes.Clone(buf[:n])}) {
				return
			}
		}
		if err != nil {
			pass(ctx, x.arrived, arrival{err: err})
			return
		}
	}
}

// send writes the input to the connection until either ends or run is over. At the input's end it closes its direction.
func (x *exchange) send(ctx context.Context) {
	for {
		if len(x.line.unsent) == 0 {
			if x.line.drained != nil {
				x.closeWrite()
				pass(ctx, x.sent, sending{err: x.line.drained})
				return
			}
			select {
			case next := <-x.line.input:
				if x.line.drained = next.err; next.err != nil {
					continue
				}
				x.line.unsent = next.data
			case <-ctx.Done():
				return
			}
		}
		n, err := x.conn.Write(x.line.unsent)
		x.line.unsent = x.line.unsent[n:]
		if err != nil {
			pass(ctx, x.sent, sending{n, fmt.Errorf("%s: %w", x.line.address, plainCause(err))})
			return
		}
		if !pass(ctx, x.sent, sending{bytes: n}) {
			return
		}
	}
}

// closeWrite says that no more will be sent, where the transport can.
func (x *exchange) closeWrite() {
	if c, ok := x.conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite() // an error is met by the reader as well
	}
}

// pass sends v on, unless ctx ends first.
func pass[T any](ctx context.Context, to chan<- T, v T) bool {
	select {
	case to <- v:
		return true
	case <-ctx.Done():
		return false
	}
}
