package simulate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// dialer makes connections, one at a time, until the fleet ends.
func (f *Fleet) dialer() {
	for {
		select {
		case d := <-f.dials:
			if !f.limiter.wait(f) {
				return
			}
			f.connect(d)
		case <-f.ctx.Done():
			return
		}
	}
}

func (f *Fleet) connect(d *device) {
	conn, err := f.dial(f.ctx, f.dialed.Add(1)-1)
	if err == nil {
		d.took(conn)
		return
	}
	if f.ctx.Err() != nil {
		return
	}
	f.tally.failedTo(why(err))
	if f.tally.connects.Load() == 0 {
		f.fail(f.explain(err))
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = false
	d.connectAgain(f.config.Away)
}

func (f *Fleet) dial(ctx context.Context, n uint64) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	dialer := net.Dialer{KeepAlive: -1}
	network := "tcp"
	if f.config.Network == "udp" {
		network = "udp"
	}
	if from := f.config.From; len(from) > 0 {
		ip := from[n%uint64(len(from))].AsSlice()
		dialer.LocalAddr = &net.TCPAddr{IP: ip}
		dialer.Control = manyPorts
		if network == "udp" {
			dialer.LocalAddr, dialer.Control = &net.UDPAddr{IP: ip}, nil
		}
	}
	conn, err := dialer.DialContext(ctx, network, f.config.Address)
	if err != nil || f.config.Network != "tls" {
		return conn, err
	}
	config := f.config.TLS
	if config == nil {
		host, _, _ := net.SplitHostPort(f.config.Address)
		config = &tls.Config{ServerName: host}
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// explain says of the first connection's failure what may be done about it.
func (f *Fleet) explain(err error) error {
	target := f.config.Network + "://" + f.config.Address
	var header tls.RecordHeaderError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: nothing listens there", target)
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%s: this process may not open more files: raise its limit (ulimit -n)", target)
	case errors.Is(err, syscall.EADDRNOTAVAIL) && len(f.config.From) > 0:
		return fmt.Errorf("%s: this machine has no address %v to connect from", target, f.config.From[0])
	case errors.As(err, &header):
		return fmt.Errorf("%s: the server does not speak TLS: try tcp://", target)
	}
	return fmt.Errorf("%s: %w", target, bareCause(err))
}

// why is a connection's failure in a word or two.
func why(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "too many open files"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no free port"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timed out"
	}
	return bareCause(err).Error()
}

// bareCause strips what package net says around an error.
func bareCause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err
}

// limiter spreads connections over time.
type limiter struct {
	rate float64 // a second; 0: no limit
	mu   sync.Mutex
	next time.Time
}

// wait returns false once the fleet ends.
func (l *limiter) wait(f *Fleet) bool {
	if l.rate == 0 {
		return true
	}
	l.mu.Lock()
	now := time.Now()
	if l.next.Before(now.Add(-100 * time.Millisecond)) {
		l.next = now
	}
	turn := l.next
	l.next = turn.Add(time.Duration(float64(time.Second) / l.rate))
	l.mu.Unlock()
	if d := time.Until(turn); d > 0 {
		return f.sleep(d)
	}
	return true
}
