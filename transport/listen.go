package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Address says where to listen or what to dial: tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT or unix:///PATH.
type Address struct {
	Transport string // tcp, tls, udp or unix; ws or socketio for a path of HTTP; ssh
	Host      string // HOST:PORT, or the path of a Unix socket
	Path      string // of ws and socketio: begins with a slash
}

// ParseAddress reads an Address. Its errors say what is wrong and what would be right.
func ParseAddress(s string) (Address, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" {
		return Address{}, fmt.Errorf("address %q: must begin with tcp://, tls://, udp:// or unix://", s)
	}
	if strings.Contains(s, "#") {
		return Address{}, fmt.Errorf("address %q: take away # and what follows", s)
	}
	switch u.Scheme {
	case "tcp", "tls", "udp":
		return parseHostPort(u, s)
	case "unix":
		path := u.Host + u.Path
		if path == "" {
			return Address{}, fmt.Errorf("address %q: the path is missing, as in unix:///run/switchboard.sock", s)
		}
		return Address{Transport: "unix", Host: path}, nil
	}
	return Address{}, fmt.Errorf("address %q: no transport is called %q; use tcp, tls, udp or unix", s, u.Scheme)
}

// parseHostPort reads an address that is a host and a port.
func parseHostPort(u *url.URL, s string) (Address, error) {
	if u.Path != "" || u.RawQuery != "" || u.User != nil || strings.Contains(s, "#") {
		return Address{}, fmt.Errorf("address %q: must be %s://HOST:PORT and nothing more", s, u.Scheme)
	}
	if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "" {
		return Address{}, fmt.Errorf("address %q: the port is missing, as in %s://127.0.0.1:9000", s, u.Scheme)
	}
	return Address{Transport: u.Scheme, Host: u.Host}, nil
}

func (a Address) String() string { return a.Transport + "://" + a.Host + a.Path }

// Network is the name that package net has for the transport.
func (a Address) Network() string {
	if a.Transport == "tls" || a.Transport == "ssh" {
		return "tcp"
	}
	return a.Transport
}

// ListenOptions are the settings of a listening socket.
type ListenOptions struct {
	TLS       *tls.Config   // required for tls
	KeepAlive time.Duration // silence before TCP probes; 0 means 15 s, negative none

	// DeadAfter is when a peer that vanished without a word is given up at the latest, whether something is on its way to it or
	// not; at least KeepAlive and a second. 0: by KeepAlive alone, after five probes, and data that is not acknowledged as long as
	// the system tries. It holds on Linux.
	DeadAfter time.Duration
}

// Listener accepts connections of TCP, TLS or a Unix socket.
type Listener struct {
	net.Listener
	tls *tls.Config
}

// Listen opens a listening socket for tcp, tls, unix or ssh. Errors say which address, and what to do.
func Listen(ctx context.Context, a Address, opt ListenOptions) (*Listener, error) {
	l := &Listener{}
	switch a.Transport {
	case "tls":
		if opt.TLS == nil {
			return nil, fmt.Errorf("%s: needs a certificate: set tls.cert and tls.key", a)
		}
		l.tls = opt.TLS
	case "unix":
		if err := takePath(a.Host); err != nil {
			return nil, err
		}
	}
	// An accepted socket inherits keepalive from the listening one, which saves four calls per connection.
	lc := net.ListenConfig{KeepAlive: -1, Control: func(network, _ string, c syscall.RawConn) error {
		if !strings.HasPrefix(network, "tcp") || opt.KeepAlive < 0 {
			return nil
		}
		return setKeepAlive(c, opt.KeepAlive, opt.DeadAfter)
	}}
	ln, err := lc.Listen(ctx, a.Network(), a.Host)
	if err != nil {
		return nil, explain(a, err)
	}
	l.Listener = ln
	return l, nil
}

// Accept waits for the next connection. A TLS connection has not shaken hands yet: see Handshake.
func (l *Listener) Accept() (Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.tls != nil {
		return &stream{Conn: tls.Server(c, l.tls)}, nil
	}
	return own(c), nil
}

// takePath removes a socket that a dead process left behind, but never one that is in use, nor any other file.
func takePath(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return fmt.Errorf("unix://%s: the folder does not exist: create it first", path)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("unix://%s: %w", path, err)
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("unix://%s: a file that is not a socket is there: choose another path or remove it", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("unix://%s: already in use by another program: choose another path or stop it", path)
	}
	return os.Remove(path)
}

// explain turns an error of listening into one that says what to do.
func explain(a Address, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: the address is already in use: stop the program that has it, or choose another port", a)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: not permitted: ports below 1024 need privileges (on Linux: setcap cap_net_bind_service=+ep, "+
			"or systemd's AmbientCapabilities); or choose a port above 1023", a)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: this machine has no such address: use one of its own, or 0.0.0.0 for all", a)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Errorf("%s: the host name %q is not known: use an IP address of this machine", a, dns.Name)
	}
	return fmt.Errorf("%s: %w", a, err)
}

// upstreamKeepAlive finds out upstreams that vanish without a word as soon as listeners do their clients.
var upstreamKeepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 5}

// Dial connects to an upstream within the context's limits. For tls, conf may be nil. TCP probes one that is silent for 15 s,
// and the connection is reset when five probes, 5 s apart, are not answered.
func Dial(ctx context.Context, a Address, conf *tls.Config) (Conn, error) {
	d := net.Dialer{KeepAliveConfig: upstreamKeepAlive}
	c, err := d.DialContext(ctx, a.Network(), a.Host)
	if err != nil {
		return nil, err
	}
	if a.Transport == "udp" {
		return &datagrams{c.(*net.UDPConn)}, nil
	}
	if a.Transport != "tls" {
		return own(c), nil
	}
	if conf == nil {
		conf = &tls.Config{}
	}
	if conf.ServerName == "" && !conf.InsecureSkipVerify {
		conf = conf.Clone()
		conf.ServerName, _, _ = net.SplitHostPort(a.Host)
	}
	t := tls.Client(c, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return &stream{Conn: t}, nil
}
