package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// parseTCP checks tcp://HOST:PORT and tls://HOST:PORT.
func parseTCP(to string) (transport.Address, error) {
	a, err := transport.ParseAddress(to)
	if err == nil && a.Transport != "tcp" && a.Transport != "tls" {
		err = fmt.Errorf("%q: write tcp://HOST:PORT or tls://HOST:PORT", to)
	}
	return a, err
}

// Limits of a tcp target.
const (
	mostUpstreams    = 10_000                // connections of one forward; beyond it the one that was silent longest is closed
	mostRegistration = 64 << 10              // bytes at a session's beginning within which its registration is looked for
	replyBuffer      = 4 << 10               // bytes that are read of an upstream at once
	closeLimit       = 5 * time.Second       // for what an upstream still says once its device has ended
	ackPoll          = 20 * time.Millisecond // the most between looks whether the far end has everything
)

// upstreams are a target's connections, one for each device's session that says something, byte for byte what that said.
type upstreams struct {
	f    *Forwards
	conf Config
	addr transport.Address
	tls  *tls.Config

	mu     sync.Mutex
	conns  map[session.ID]*upstream
	closed bool
	sweep  *time.Timer
	live   sync.WaitGroup
}

// upstream is one connection.
type upstream struct {
	net.Conn
	tcp  *net.TCPConn
	used time.Time // guarded by upstreams.mu, as busy
	busy bool
	dead chan struct{} // closed when nothing more can be read
}

// laneError says that one device's connection failed, and nothing of others.
type laneError struct{ error }

func (f *Forwards) openTCP(c Config) (target, error) {
	addr, err := parseTCP(c.To)
	if err != nil {
		return nil, err
	}
	u := &upstreams{f: f, conf: c, addr: addr, conns: map[session.ID]*upstream{}}
	if addr.Transport == "tls" {
		host, _, _ := net.SplitHostPort(addr.Host)
		u.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
		if c.CA != "" {
			if u.tls.RootCAs, err = loadCA(c.CA); err != nil {
				return nil, err
			}
		}
	}
	return u, nil
}

func (u *upstreams) add(b *batch, m *message) {
	if b.count == 0 {
		b.start = m.from
	}
	b.data = append(b.data, m.raw...)
}

func (u *upstreams) single() bool { return true }

func (u *upstreams) close() {
	u.mu.Lock()
	u.closed = true
	if u.sweep != nil {
		u.sweep.Stop()
	}
	for _, c := range u.conns {
		c.Close()
	}
	u.mu.Unlock()
	u.live.Wait()
}

// ended says that all of a session was delivered: its connection ends as the device's did.
func (u *upstreams) ended(id session.ID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.conns[id]
	if c == nil {
		return
	}
	c.SetReadDeadline(time.Now().Add(closeLimit))
	if half, can := c.Conn.(interface{ CloseWrite() error }); !can || half.CloseWrite() != nil {
		c.Close()
	}
}

// deliver writes a batch to its session's connection, and waits until the far end's kernel has it.
func (u *upstreams) deliver(ctx context.Context, b *batch) error {
	c, err := u.connect(ctx, b)
	if err != nil {
		return err
	}
	err = c.send(ctx, b.data)
	u.mu.Lock()
	c.busy, c.used = false, time.Now()
	gone := false
	select {
	case <-c.dead:
		gone = true // closing it was left to who writes
	default:
	}
	u.mu.Unlock()
	if gone || err != nil {
		c.Close() // not under the lock: over TLS it may wait for the far end
	}
	if err != nil {
		return laneError{fmt.Errorf("%s: %w", u.conf.To, err)}
	}
	return nil
}

// connect is the session's connection, or a new one, to which its registration was sent.
func (u *upstreams) connect(ctx context.Context, b *batch) (*upstream, error) {
	id := b.stream.id
	u.mu.Lock()
	c := u.conns[id]
	if c != nil {
		c.busy = true
	}
	u.mu.Unlock()
	if c != nil {
		return c, nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.addr.Host)
	if err != nil {
		return nil, err
	}
	c = &upstream{Conn: conn, tcp: conn.(*net.TCPConn), dead: make(chan struct{}), busy: true, used: time.Now()}
	if u.tls != nil {
		secure := tls.Client(conn, u.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, untrusted(fmt.Errorf("tls handshake: %w", err))
		}
		c.Conn = secure
	}
	if !u.keep(id, c) {
		c.Close()
		return nil, errClosed
	}
	if b.start > 0 {
		hello, err := u.registration(b.stream, b.start)
		if err == nil && len(hello) > 0 {
			err = c.send(ctx, hello)
		}
		if err != nil {
			c.Close()
			return nil, laneError{err}
		}
	}
	return c, nil
}

// keep puts a connection among the others, and reads what it says.
func (u *upstreams) keep(id session.ID, c *upstream) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return false
	}
	if old := u.conns[id]; old != nil {
		old.Close()
	}
	if len(u.conns) >= mostUpstreams {
		u.closeOldest()
	}
	u.conns[id] = c
	u.live.Go(func() { u.replies(id, c) })
	if u.sweep == nil {
		u.sweep = time.AfterFunc(u.conf.Idle/4+time.Millisecond, u.closeIdle)
	}
	return true
}

// closeOldest closes the connection that was silent longest; u.mu is held.
func (u *upstreams) closeOldest() {
	var oldest *upstream
	for _, c := range u.conns {
		if !c.busy && (oldest == nil || c.used.Before(oldest.used)) {
			oldest = c
		}
	}
	if oldest != nil {
		oldest.Close()
	}
}

// closeIdle closes connections on which nothing passed for long.
func (u *upstreams) closeIdle() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	for _, c := range u.conns {
		if !c.busy && time.Since(c.used) >= u.conf.Idle {
			c.Close()
		}
	}
	u.sweep = nil
	if len(u.conns) > 0 {
		u.sweep = time.AfterFunc(u.conf.Idle/4+time.Millisecond, u.closeIdle)
	}
}

// replies sends the device what its upstream says, until that ends.
func (u *upstreams) replies(id session.ID, c *upstream) {
	defer func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.conns[id] == c {
			delete(u.conns, id)
		}
		close(c.dead)
		if !c.busy { // else it is closed by who writes to it, and asks first how much has arrived
			c.Close()
		}
	}()
	buf := make([]byte, replyBuffer)
	for {
		n, err := c.Read(buf)
		if n > 0 {
			u.mu.Lock()
			c.used = time.Now()
			u.mu.Unlock()
			if s := u.f.hub.Session(id); s != nil {
				s.Write(buf[:n]) // one that has ended is told nothing
			}
		}
		if err != nil {
			return
		}
	}
}

// send writes p, and waits until the far end's kernel has acknowledged it.
func (c *upstream) send(ctx context.Context, p []byte) error {
	stop := context.AfterFunc(ctx, func() { c.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := c.Write(p); err != nil {
		return err
	}
	for wait := 50 * time.Microsecond; ; wait = min(2*wait, ackPoll) {
		n, err := outq(c.tcp)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-c.dead:
			if n, err := outq(c.tcp); err != nil || n > 0 {
				return errors.New("the connection ended before everything had arrived")
			}
			return nil
		case <-ctx.Done():
			return errors.New("it does not take what it is sent")
		}
	}
}

// errFound ends a search.
var errFound = errors.New("found")

// registration is what a session registered with, as it was received; empty if it did so behind an offset, or not at all.
func (u *upstreams) registration(st *stream, before int64) ([]byte, error) {
	dialect, err := u.f.dialectOf(st)
	if err != nil {
		return nil, err
	}
	var events *hub.Reader = u.f.hub.NewReader()
	defer events.Rest()
	if err := events.Open(st.id, st.start, 1); err != nil {
		return nil, err
	}
	var all, found []byte
	cutter := dialect.Reader(st.datagrams)
	from := int64(0)
	look := func(m *frame.Message) error {
		if m.End > before {
			return errFound
		}
		if m.Kind == frame.Registration {
			found = all[from:m.End]
			return errFound
		}
		from = m.End
		return nil
	}
	for len(all) < mostRegistration {
		batch, err := events.Next()
		if err != nil || len(batch) == 0 {
			return nil, nil // there is none
		}
		for _, ev := range batch {
			if ev.Kind != session.Received {
				continue
			}
			all = append(all, ev.Data...)
			if cutter.Feed(ev.Data, ev.Time, look) != nil {
				return found, nil
			}
		}
	}
	return nil, nil
}
