package ssh

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxName is how much of a target's name that is none a session's name has, in bytes.
const maxName = 64

// connection is one client's, signed in. Its channels are sessions.
type connection struct {
	// fixed after newConnection
	bastion *Bastion
	ssh     *ssh.ServerConn
	login   login
	gone    chan struct{} // closed when the connection is
	work    sync.WaitGroup

	entering chan struct{} // full while somebody enters the target

	// guarded by bastion.mu
	channels int
	sessions int // that are not finished

	mu       sync.Mutex
	why      string    // it was closed from here
	up       *upstream // nil: the target has not been entered, or was lost
	agent    bool      // the client forwards its agent
	forwards int       // ports that the target was asked to listen on
}

func newConnection(b *Bastion, sc *ssh.ServerConn, l login) *connection {
	return &connection{bastion: b, ssh: sc, login: l, gone: make(chan struct{}), entering: make(chan struct{}, 1)}
}

// serve runs the connection until it ends, and its channels have.
func (c *connection) serve(channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) {
	conf := c.bastion.conf.Load()
	if c.login.entry != nil {
		up := c.take(c.login.entry)
		c.mu.Lock()
		c.up = up
		c.mu.Unlock()
	}
	go func() { // ends with the connection
		c.ssh.Wait()
		close(c.gone)
	}()
	c.work.Go(func() { c.globalRequests(requests) })
	c.work.Go(func() {
		if !answersPings(c.ssh, conf.PingInterval, conf.PingTimeout, c.gone) {
			c.closeFor("no answer to a ping")
		}
	})
	for nc := range channels {
		c.open(nc)
	}
	<-c.gone
	c.mu.Lock()
	up := c.up
	c.mu.Unlock()
	if up != nil {
		up.close()
	}
	c.work.Wait()
}

// close hangs up. It may be called more than once, and does not wait.
func (c *connection) close() { c.ssh.Close() }

func (c *connection) closeFor(why string) {
	c.mu.Lock()
	c.why = why
	c.mu.Unlock()
	c.close()
}

// open begins a channel in a goroutine of its own, or refuses it.
func (c *connection) open(nc ssh.NewChannel) {
	b := c.bastion
	conf := b.conf.Load()
	u := conf.user(c.login.user)
	if !c.takeChannel() {
		b.listener.Refused("too many channels")
		nc.Reject(ssh.ResourceShortage, "too many sessions on one connection")
		return
	}
	c.work.Go(func() {
		defer c.channelEnded()
		switch {
		case u == nil:
			nc.Reject(ssh.Prohibited, "you are no user any more")
		case nc.ChannelType() == "session":
			c.openSession(nc)
		case nc.ChannelType() == "direct-tcpip":
			c.openDirect(nc, conf, u)
		default:
			nc.Reject(ssh.UnknownChannelType, "not offered here")
		}
	})
}

// takeChannel counts a channel that is about to begin, or reports that it must not.
func (c *connection) takeChannel() bool {
	b := c.bastion
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || c.channels >= b.conf.Load().MaxChannels {
		return false
	}
	c.channels++
	return true
}

// channelEnded counts a channel that is over.
func (c *connection) channelEnded() {
	c.bastion.mu.Lock()
	defer c.bastion.mu.Unlock()
	c.channels--
}

// beginSession counts a session that is about to begin, or reports that none may any more.
func (c *connection) beginSession() bool {
	c.bastion.mu.Lock()
	defer c.bastion.mu.Unlock()
	if c.bastion.closed {
		return false
	}
	c.sessions++
	return true
}

// endSession counts a session that is finished: with the last one ends a connection that may begin no more.
func (c *connection) endSession() {
	b := c.bastion
	b.mu.Lock()
	c.sessions--
	last := b.closed && c.sessions == 0
	b.mu.Unlock()
	if last {
		c.close()
	}
}

// globalRequests answers what the client asks of the connection as a whole, one after the other.
func (c *connection) globalRequests(requests <-chan *ssh.Request) {
	for r := range requests {
		switch r.Type {
		case tcpipForward, cancelForward:
			ok, data := c.forwardRequest(r)
			if r.WantReply {
				r.Reply(ok, data)
			}
		default: // a ping is answered by any answer
			answer(r, false)
		}
	}
}

// target is where the client asked to go, nil if it may not.
func (c *connection) target() *Target {
	conf := c.bastion.conf.Load()
	return conf.target(conf.user(c.login.user), c.login.to)
}

// name is that of the connection's sessions.
func (c *connection) name(target string) string {
	if target == "" {
		return c.login.user
	}
	return c.login.user + "@" + target[:min(len(target), maxName)]
}

// noTarget tells the client why there is no target.
func (c *connection) noTarget() string {
	conf := c.bastion.conf.Load()
	names := conf.reachable(conf.user(c.login.user))
	yours := "you have none"
	if len(names) > 0 {
		yours = "yours: " + strings.Join(names, ", ")
	}
	if c.login.to == "" {
		return "say where to go: ssh " + c.login.user + "+TARGET@…; " + yours
	}
	return c.login.user + " may not go to " + printable(c.login.to) + "; " + yours
}

// answersPings sends keepalives until the connection is gone; false says that one was not answered in time.
func answersPings(conn ssh.Conn, interval, timeout time.Duration, gone <-chan struct{}) bool {
	for {
		select {
		case <-gone:
			return true
		case <-time.After(interval):
		}
		answered := make(chan struct{})
		go func() { // ends with the connection at the latest
			conn.SendRequest(keepalive, true, nil)
			close(answered)
		}()
		select {
		case <-gone:
			return true
		case <-answered:
		case <-time.After(timeout):
			return false
		}
	}
}

// printable is a text of a client as others may see it: nothing of it can command a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '.'
		}
		return r
	}, shorten(strings.ToValidUTF8(text, "\uFFFD")))
}
