package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/switchboard-relay/switchboard/transport"
)

// errTimeout is the end of a connection, or of an attempt, by --timeout.
var errTimeout = errors.New("timeout")

// dial makes a connection and names what happens on the way.
func (l *line) dial(ctx context.Context) (net.Conn, error) {
	limit := l.Timeout
	if limit == 0 {
		limit = dialTimeout
	}
	late := fmt.Errorf("%w: %s did not answer in %v", errTimeout, l.address, limit)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	conn, err := l.dialPlain(ctx)
	if err == nil && l.tls != nil {
		conn, err = shakeHands(ctx, conn, l.tls)
	}
	if err != nil {
		return nil, l.explain(ctx, err)
	}
	detail := l.address.String()
	if local := conn.LocalAddr().String(); local != "" && local != "@" {
		detail = fmt.Sprintf("%s from %s", conn.RemoteAddr(), local)
	}
	l.happened("connect", detail)
	return conn, nil
}

func (l *line) dialPlain(ctx context.Context) (net.Conn, error) {
	if host, _, err := net.SplitHostPort(l.address.Host); err == nil && l.address.Transport != "unix" {
		if net.ParseIP(host) != nil {
			l.happened("lookup", host)
		}
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{DNSDone: func(found httptrace.DNSDoneInfo) {
			if found.Err != nil {
				return // dialling returns it too
			}
			addresses := make([]string, len(found.Addrs))
			for i, a := range found.Addrs {
				addresses[i] = a.String()
			}
			l.happened("lookup", host+": "+strings.Join(addresses, ", "))
		}})
	}
	var d net.Dialer
	return d.DialContext(ctx, l.address.Network(), l.address.Host)
}

func shakeHands(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// explain turns an error of dialling into one that says what is wrong.
func (l *line) explain(ctx context.Context, err error) error {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var header tls.RecordHeaderError
	switch {
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: nothing listens there", l.address)
	case errors.Is(err, os.ErrNotExist) && l.address.Transport == "unix":
		return fmt.Errorf("%s: no such socket", l.address)
	case errors.As(err, &dns):
		return fmt.Errorf("%s: the host name %q is not known", l.address, dns.Name)
	case errors.As(err, &authority):
		return fmt.Errorf("%s: the certificate's authority is not known: add --ca FILE, or --insecure", l.address)
	case errors.As(err, &header):
		return fmt.Errorf("%s: the server does not speak TLS: try tcp://", l.address)
	}
	return fmt.Errorf("%s: %w", l.address, plainCause(err))
}

// plainCause strips what package net says around an error: the address, which is told already.
func plainCause(err error) error {
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

// tlsConfig reads the files that the flags name; nil for other transports.
func (c *ConnectCmd) tlsConfig(address transport.Address) (*tls.Config, error) {
	if address.Transport != "tls" {
		if c.Insecure || c.CA != "" || c.Cert != "" {
			return nil, badUsage("--insecure, --ca, --cert and --key are for tls:// addresses: this one is %s", address)
		}
		return nil, nil
	}
	host, _, err := net.SplitHostPort(address.Host)
	if err != nil {
		return nil, usageError{err}
	}
	config := &tls.Config{ServerName: host, InsecureSkipVerify: c.Insecure}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("read --ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca %s: holds no certificate in PEM form", c.CA)
		}
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("read --cert and --key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// idleTimer fires after a silence; with a limit of 0 it never does.
type idleTimer struct {
	C     <-chan time.Time
	timer *time.Timer
	limit time.Duration
}

func newIdleTimer(limit time.Duration) *idleTimer {
	t := &idleTimer{limit: limit}
	if limit > 0 {
		t.timer = time.NewTimer(limit)
		t.C = t.timer.C
	}
	return t
}

// active begins the silence anew.
func (t *idleTimer) active() {
	if t.timer != nil {
		t.timer.Reset(t.limit)
	}
}
