// Package ssh is a bastion: people come in by SSH and go on to targets, and what they do there is a session each, relayed
// and on record. Both ends are any SSH client and server.
package ssh

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/transport"
)

// Bastion takes the connections of a listener. A connection is no session: each of its channels is one.
type Bastion struct {
	listener *hub.Listener
	hostKeys []ssh.Signer
	logger   *slog.Logger
	conf     atomic.Pointer[Config]
	clients  sync.WaitGroup // connections that are served

	mu          sync.Mutex
	closed      bool
	connections map[*connection]struct{}    // that have signed in
	logins      map[transport.Conn]struct{} // connections that have not
	addresses   map[string]int              // connections of each
}

// New makes a bastion whose sessions are the listener's.
func New(l *hub.Listener, hostKeys []ssh.Signer, conf Config, logger *slog.Logger) *Bastion {
	b := &Bastion{listener: l, hostKeys: hostKeys, logger: logger, connections: map[*connection]struct{}{},
		logins: map[transport.Conn]struct{}{}, addresses: map[string]int{}}
	b.Configure(conf)
	return b
}

// Configure exchanges the rules: for logins to come, and for channels to come of those who are in.
func (b *Bastion) Configure(conf Config) {
	conf.setDefaults()
	b.conf.Store(&conf)
}

// Serve accepts connections until the listener is closed, and returns when they have ended. It closes ln then.
func (b *Bastion) Serve(ln *transport.Listener) error {
	b.listener.Attach(&doors{bastion: b, socket: ln})
	err := b.listener.ServeCarriers(ln, b.take)
	b.clients.Wait()
	return err
}

// doors is what the listener closes when it stops listening.
type doors struct {
	bastion *Bastion
	socket  io.Closer
}

// Close stops listening, and lets nobody in or begin anything; connections end with their last session.
func (d *doors) Close() error {
	err := d.socket.Close()
	b := d.bastion
	b.mu.Lock()
	b.closed = true
	var idle []*connection
	for c := range b.connections {
		if c.sessions == 0 {
			idle = append(idle, c)
		}
	}
	for conn := range b.logins {
		conn.Close()
	}
	b.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
	return err
}

// take serves a connection in a goroutine of its own, or refuses it.
func (b *Bastion) take(conn transport.Conn, done func()) {
	address := addressOf(conn.RemoteAddr())
	conf := b.conf.Load()
	b.mu.Lock()
	reason := ""
	switch {
	case b.closed:
		reason = "shutdown"
	case conf.MaxLogins >= 0 && len(b.logins) >= conf.MaxLogins:
		reason = "too many logins"
	case conf.MaxPerAddress >= 0 && b.addresses[address] >= conf.MaxPerAddress:
		reason = "too many from one address"
	default:
		b.logins[conn] = struct{}{}
		b.addresses[address]++
		b.clients.Add(1)
	}
	b.mu.Unlock()
	if reason != "" {
		b.listener.Refused(reason)
		conn.Close()
		done()
		return
	}
	go func() { // ends when the connection does; Serve waits for it
		defer b.clients.Done()
		defer done()
		b.serve(conn, conf)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.addresses[address]--; b.addresses[address] == 0 {
			delete(b.addresses, address)
		}
	}()
}

// serve lets a connection in and serves it until it ends.
func (b *Bastion) serve(conn transport.Conn, conf *Config) {
	defer conn.Close()
	g := &gate{conf: conf, logger: b.logger, enter: b.dial}
	conn.SetDeadline(time.Now().Add(conf.LoginTimeout))
	sc, channels, requests, err := g.letIn(newPacketConn(conn), b.hostKeys)
	var c *connection
	b.mu.Lock()
	delete(b.logins, conn)
	closed := b.closed
	if err == nil && !closed {
		c = newConnection(b, sc, g.login)
		b.connections[c] = struct{}{}
	}
	b.mu.Unlock()
	if c == nil {
		g.login.entry.close()
	}
	switch {
	case closed:
		b.listener.Refused("shutdown")
		return
	case err != nil:
		b.turnedAway(conn, err)
		return
	}
	conn.SetDeadline(time.Time{})
	c.serve(channels, requests)
	b.mu.Lock()
	delete(b.connections, c)
	b.mu.Unlock()
}

// turnedAway counts a connection that did not come in.
func (b *Bastion) turnedAway(conn net.Conn, err error) {
	var denied *ssh.ServerAuthError
	if !errors.As(err, &denied) {
		b.listener.Refused("ssh handshake")
		return
	}
	if len(denied.Errors) > 1 { // the first is of those who only ask what there is
		b.logger.Info("a login failed", "remote", conn.RemoteAddr(), "attempts", len(denied.Errors)-1)
	}
	b.listener.Refused("login")
}

// addressOf is what connections of one place have in common: of IPv6 a network of 64 bits, which is as easy to have as
// one address of IPv4.
func addressOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return a.String()
	}
	ip := at.Addr().Unmap()
	if ip.Is4() {
		return ip.String()
	}
	prefix, _ := ip.WithZone("").Prefix(64) // of an IPv6 address there is one
	return prefix.String()
}
