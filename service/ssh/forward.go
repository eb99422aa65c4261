package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/switchboard-relay/switchboard/session"
)

// forwarding is the target through which the client may forward ports, or why it may not.
func (c *connection) forwarding() (*Target, error) {
	conf := c.bastion.conf.Load()
	u := conf.user(c.login.user)
	t := c.target()
	switch {
	case t == nil:
		return nil, errors.New(c.noTarget())
	case !u.Forwarding || !c.login.permits(permitForwarding):
		return nil, errors.New("you may not forward ports")
	}
	return t, nil
}

// openDirect serves a connection that the client asks for: through its target, or, where it named none, to a target.
func (c *connection) openDirect(nc ssh.NewChannel, conf *Config, u *User) {
	var to directTCPIP
	if err := ssh.Unmarshal(nc.ExtraData(), &to); err != nil {
		nc.Reject(ssh.ConnectionFailed, "malformed request")
		return
	}
	if c.login.to == "" {
		c.jump(nc, to, conf, u)
		return
	}
	t, err := c.forwarding()
	if err != nil {
		nc.Reject(ssh.Prohibited, err.Error())
		return
	}
	place := net.JoinHostPort(printable(to.Host), fmt.Sprint(to.Port))
	c.forward(nc, c.name(t.Name), "forward to "+place, func(ch *channel) (far, <-chan *ssh.Request, error) {
		up, err := c.enter(ch.session.Context(), t)
		if err != nil {
			return nil, nil, err
		}
		target, requests, err := up.ssh.OpenChannel("direct-tcpip", nc.ExtraData())
		if err != nil {
			return nil, nil, refusal(up, err)
		}
		return target, requests, nil
	})
}

// jump joins the client with a target's own SSH: what passes is theirs, and encrypted.
func (c *connection) jump(nc ssh.NewChannel, to directTCPIP, conf *Config, u *User) {
	t := conf.target(u, to.Host)
	switch {
	case !conf.Jump:
		nc.Reject(ssh.Prohibited, "no jumps: use ssh "+u.Name+"+TARGET@…")
		return
	case t == nil:
		nc.Reject(ssh.Prohibited, u.Name+" may not go to "+printable(to.Host))
		return
	case !c.login.permits(permitForwarding):
		nc.Reject(ssh.Prohibited, "the certificate permits no jumps")
		return
	}
	if _, port, _ := net.SplitHostPort(t.Address); to.Port != 22 && fmt.Sprint(to.Port) != port {
		nc.Reject(ssh.Prohibited, "only the SSH of "+t.Name+" is behind its name")
		return
	}
	note := "jump to " + t.Name + " (" + t.Address + "): what passes is encrypted from end to end"
	c.forward(nc, c.name(t.Name), note, func(ch *channel) (far, <-chan *ssh.Request, error) {
		ctx, cancel := context.WithTimeout(ch.session.Context(), conf.DialTimeout)
		defer cancel()
		release, err := c.bastion.listener.TakeSocket()
		if err != nil {
			return nil, nil, &entryError{session.Refused, err.Error(), err.Error()}
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", t.Address)
		if err != nil {
			release()
			return nil, nil, c.bastion.notEntered(ctx, t, conf, err)
		}
		return &socket{TCPConn: conn.(*net.TCPConn), release: release}, nil, nil
	})
}

// socket is a connection that gives its place back.
type socket struct {
	*net.TCPConn
	once    sync.Once
	release func()
}

func (s *socket) Close() error {
	s.once.Do(s.release)
	return s.TCPConn.Close()
}

// forward makes a session of a connection that one side asked for: dial makes the other end, then nc is accepted.
func (c *connection) forward(nc ssh.NewChannel, name, note string,
	dial func(*channel) (far, <-chan *ssh.Request, error)) {
	ch, err := c.admit(nil, name, "")
	if err != nil {
		nc.Reject(ssh.ResourceShortage, err.Error())
		return
	}
	ch.session.Note(note)
	ch.run(func() error {
		f, requests, err := dial(ch)
		if err != nil {
			nc.Reject(ssh.ConnectionFailed, printable(err.Error()))
			return err
		}
		if !ch.join(f) {
			nc.Reject(ssh.ConnectionFailed, "the session was ended")
			return ch.session.Ended()
		}
		closed := discard(requests)
		client, asks, err := nc.Accept()
		if err != nil {
			return &session.End{Cause: session.HungUp}
		}
		return ch.relay(client, asks, f, closed)
	})
}

// discard answers what a target asks of a channel that is only bytes. What it gives is closed with the channel; it is nil
// of what is no channel.
func discard(requests <-chan *ssh.Request) <-chan struct{} {
	if requests == nil {
		return nil
	}
	closed := make(chan struct{})
	go func() { // ends with the channel
		ssh.DiscardRequests(requests)
		close(closed)
	}()
	return closed
}

// relay moves bytes both ways between a client's channel and f, until both have no more. Closed says when f is closed, where
// it is a channel.
func (ch *channel) relay(client ssh.Channel, asks <-chan *ssh.Request, f far, closed <-chan struct{}) error {
	ended := !ch.accept(client)
	go func() { // ends with the channel
		ssh.DiscardRequests(asks)
		ch.leave()
	}()
	if ended {
		client.Close()
		return ch.session.Ended()
	}
	ch.moves.Store(true)
	go ch.up(f) // ends when the client's side is closed
	if err := ch.down(readEnd{f, ch}, nil, nil); err != nil {
		return err
	}
	select {
	case <-ch.drained:
	case <-closed: // nothing that the client sends has a place to go any more
	}
	if closed == nil {
		return nil
	}
	return ch.conn.upstream().ended(closed, nil)
}

// accept takes the client's channel, unless the session has ended.
func (ch *channel) accept(client ssh.Channel) bool {
	ch.mu.Lock()
	ch.client = client
	ch.mu.Unlock()
	return ch.session.Ended() == nil
}

// readEnd reads what a forwarded connection sends. An end that is a breakdown ends the session.
type readEnd struct {
	far
	ch *channel
}

func (r readEnd) Read(p []byte) (int, error) {
	n, err := r.far.Read(p)
	var errno syscall.Errno
	if err != nil && err != io.EOF && errors.As(err, &errno) {
		r.ch.session.End(session.Reset, "upstream: "+errno.Error())
	}
	return n, err
}

// forwardRequest passes on that the target is to listen for the client, or to stop that.
func (c *connection) forwardRequest(r *ssh.Request) (ok bool, data []byte) {
	t, err := c.forwarding()
	var what forwardRequest
	if err != nil || ssh.Unmarshal(r.Payload, &what) != nil {
		return false, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the request
		select {
		case <-c.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	up, err := c.enter(ctx, t)
	if err != nil {
		return false, nil
	}
	ok, data, err = up.ssh.SendRequest(r.Type, true, r.Payload)
	if err != nil || !ok {
		return false, nil
	}
	c.mu.Lock()
	if r.Type == tcpipForward {
		c.forwards++
	} else {
		c.forwards--
	}
	c.mu.Unlock()
	return true, data
}

// openForwarded serves a connection that came to a port of the target. It does not wait.
func (c *connection) openForwarded(nc ssh.NewChannel, up *upstream) {
	c.mu.Lock()
	asked := c.forwards > 0
	c.mu.Unlock()
	t, err := c.forwarding()
	var at directTCPIP
	if !asked || err != nil || ssh.Unmarshal(nc.ExtraData(), &at) != nil || !c.takeChannel() {
		nc.Reject(ssh.Prohibited, "not forwarded")
		return
	}
	c.work.Go(func() {
		defer c.channelEnded()
		place := fmt.Sprintf("%s, port %d of %s", printable(at.OriginHost), at.Port, t.Name)
		c.forwardBack(nc, c.name(t.Name), "forward back from "+place)
	})
}

// forwardBack makes a session of a connection that came to a port of the target.
func (c *connection) forwardBack(nc ssh.NewChannel, name, note string) {
	ch, err := c.admit(nil, name, "")
	if err != nil {
		nc.Reject(ssh.ResourceShortage, err.Error())
		return
	}
	ch.session.Note(note)
	ch.run(func() error {
		client, asks, err := c.ssh.OpenChannel("forwarded-tcpip", nc.ExtraData())
		if err != nil {
			nc.Reject(ssh.ConnectionFailed, "the client does not take it")
			return &session.End{Cause: session.Refused, Detail: "the client does not take it: " + err.Error()}
		}
		f, requests, err := nc.Accept()
		if err != nil || !ch.join(f) {
			go ssh.DiscardRequests(asks) // ends with the channel
			client.Close()
			return &session.End{Cause: session.Reset, Detail: "upstream: the connection was lost"}
		}
		closed := discard(requests)
		return ch.relay(client, asks, f, closed)
	})
}

// openAgent lets the target ask the client's agent. Keys are not in what passes, nor is it anybody's session.
func (u *upstream) openAgent(nc ssh.NewChannel) {
	c := u.client
	c.mu.Lock()
	forwarded := c.agent
	c.mu.Unlock()
	if !forwarded || !u.target.ForwardAgent {
		nc.Reject(ssh.Prohibited, "the agent is not forwarded")
		return
	}
	client, asks, err := c.ssh.OpenChannel(agentChannel, nil)
	if err != nil {
		nc.Reject(ssh.ConnectionFailed, "the agent does not answer")
		return
	}
	target, requests, err := nc.Accept()
	if err != nil {
		client.Close()
		return
	}
	go ssh.DiscardRequests(asks)     // ends with the channel
	go ssh.DiscardRequests(requests) // ends with the channel
	go func() {                      // ends with the channel
		io.Copy(client, target)
		client.Close()
	}()
	io.Copy(target, client)
	target.Close()
}
