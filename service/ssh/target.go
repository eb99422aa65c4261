package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/switchboard-relay/switchboard/session"
)

// upstream is a connection to a target, on which all channels of one client's connection travel.
type upstream struct {
	client *connection
	target *Target
	ssh    ssh.Conn
	gone   chan struct{} // closed when the connection is
	key    string        // of the host, for the record
	agents chan struct{} // one in it for each time that the client's agent is being asked

	mu  sync.Mutex
	why string // it was closed from here
}

func (u *upstream) close() { u.ssh.Close() }

// lost says why the connection ended, empty while it lives.
func (u *upstream) lost() string {
	select {
	case <-u.gone:
	default:
		return ""
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.why != "" {
		return u.why
	}
	return "the connection was lost"
}

// entryError says why a target was not entered.
type entryError struct {
	cause     session.Cause
	detail    string // for the record
	forPeople string // for the one who comes in
}

func (e *entryError) Error() string { return e.forPeople }

// enter gives the connection to the target, which it makes if there is none. It is given up with ctx.
func (c *connection) enter(ctx context.Context, t *Target) (*upstream, error) {
	select {
	case c.entering <- struct{}{}:
		defer func() { <-c.entering }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	c.mu.Lock()
	up := c.up
	c.mu.Unlock()
	if up != nil && up.lost() == "" {
		return up, nil
	}
	up, err := c.dial(ctx, t)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.up = up
	c.mu.Unlock()
	select {
	case <-c.gone: // nobody would close it
		up.close()
	default:
	}
	return up, nil
}

// dial connects to the target and signs in there.
func (c *connection) dial(ctx context.Context, t *Target) (*upstream, error) {
	conf := c.bastion.conf.Load()
	ctx, cancel := context.WithTimeout(ctx, conf.DialTimeout)
	defer cancel()
	auth, done, err := c.credentials(ctx, t)
	if err != nil {
		return nil, err
	}
	defer done()
	e, err := c.bastion.dial(ctx, t, c.login.user, auth)
	if err != nil {
		return nil, c.bastion.notEntered(ctx, t, conf, err)
	}
	return c.take(e), nil
}

// entry is a connection to a target that nobody uses yet.
type entry struct {
	target   *Target
	key      string // of the host, for the record
	conn     ssh.Conn
	channels <-chan ssh.NewChannel
	requests <-chan *ssh.Request
	release  func()
}

// close gives an entry up; there may be none.
func (e *entry) close() {
	if e != nil {
		e.conn.Close()
		e.release()
	}
}

// dial connects to a target and signs in there, for a user.
func (b *Bastion) dial(ctx context.Context, t *Target, user string, auth []ssh.AuthMethod) (*entry, error) {
	known, err := knownHosts(t)
	if err != nil {
		return nil, &entryError{session.Failed, err.Error(), t.Name + " cannot be entered now: its known hosts cannot be read"}
	}
	e := &entry{target: t}
	config := &ssh.ClientConfig{User: t.login(user), Auth: auth, ClientVersion: version, HostKeyAlgorithms: known.algorithms,
		HostKeyCallback: func(host string, remote net.Addr, key ssh.PublicKey) error {
			e.key = key.Type() + " " + ssh.FingerprintSHA256(key)
			return known.callback(host, remote, key)
		}}
	if e.release, err = b.listener.TakeSocket(); err != nil {
		return nil, &entryError{session.Refused, err.Error(), err.Error()}
	}
	if e.conn, e.channels, e.requests, err = dialSSH(ctx, t.Address, config); err != nil {
		e.release()
		return nil, err
	}
	return e, nil
}

// take makes a connection to the target the client's.
func (c *connection) take(e *entry) *upstream {
	conf := c.bastion.conf.Load()
	up := &upstream{client: c, target: e.target, ssh: e.conn, key: e.key, gone: make(chan struct{}), agents: make(chan struct{}, maxAgents)}
	conn := e.conn
	c.work.Go(func() {
		conn.Wait()
		close(up.gone)
		e.release()
	})
	c.work.Go(func() { up.globalRequests(e.requests) })
	c.work.Go(func() { up.channels(e.channels) })
	c.work.Go(func() {
		if !answersPings(conn, conf.PingInterval, conf.PingTimeout, up.gone) {
			up.mu.Lock()
			up.why = "no answer to a ping"
			up.mu.Unlock()
			up.close()
		}
	})
	return up
}

// dialSSH is ssh.Dial that a context ends.
func dialSSH(ctx context.Context, address string, config *ssh.ClientConfig) (ssh.Conn, <-chan ssh.NewChannel,
	<-chan *ssh.Request, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	sc, channels, requests, err := ssh.NewClientConn(newPacketConn(conn), address, config)
	if err == nil && !stop() {
		sc.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		stop()
		conn.Close()
		return nil, nil, nil, err
	}
	return sc, channels, requests, nil
}

// credentials are what the target is entered with, until ctx ends. done is called when they have been used.
func (c *connection) credentials(ctx context.Context, t *Target) (_ []ssh.AuthMethod, done func(), err error) {
	done = func() {}
	switch t.Enter {
	case ByKey:
		signer, err := ReadPrivateKey(t.Key)
		if err != nil {
			return nil, nil, &entryError{session.Failed, err.Error(), t.Name + " cannot be entered now: its key cannot be read"}
		}
		return []ssh.AuthMethod{ssh.PublicKeys(signer)}, done, nil
	case ByAgent:
		c.mu.Lock()
		forwarded := c.agent
		c.mu.Unlock()
		if !forwarded {
			text := t.Name + " is entered with your agent, which was not forwarded: ssh -A"
			return nil, nil, &entryError{session.Refused, text, text}
		}
		channel, requests, err := c.ssh.OpenChannel(agentChannel, nil)
		if err != nil {
			text := "your agent cannot be asked: " + err.Error()
			return nil, nil, &entryError{session.Refused, text, text}
		}
		go ssh.DiscardRequests(requests)                           // ends with the channel
		stop := context.AfterFunc(ctx, func() { channel.Close() }) // an agent may wait for a person
		return []ssh.AuthMethod{ssh.PublicKeysCallback(agent.NewClient(channel).Signers)}, func() {
			if stop() {
				channel.Close()
			}
		}, nil
	}
	return byPassword(c.login.password), done, nil
}

// byPassword shows a password, however it is asked for.
func byPassword(password string) []ssh.AuthMethod {
	return []ssh.AuthMethod{ssh.Password(password),
		ssh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
			if len(questions) == 0 {
				return nil, nil
			}
			if len(questions) > 1 || echos[0] {
				return nil, errors.New("it asks for more than a password")
			}
			return []string{password}, nil
		})}
}

// notEntered explains an error of dial.
func (b *Bastion) notEntered(ctx context.Context, t *Target, conf *Config, err error) error {
	var host *HostKeyError
	var told *entryError
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &host):
		b.logger.Warn("a target was not entered", "target", t.Name, "error", host)
		return &entryError{session.Refused, host.Error(), host.forPeople()}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		text := fmt.Sprintf("no answer within %v", conf.DialTimeout)
		return &entryError{session.Unreachable, "upstream " + t.Address + ": " + text, t.Name + ": " + text}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	text := err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		text = errno.Error()
	}
	return &entryError{session.Refused, "upstream " + t.Address + ": " + text, t.Name + ": " + text}
}

// globalRequests answers what the target asks of the connection as a whole.
func (u *upstream) globalRequests(requests <-chan *ssh.Request) {
	for r := range requests {
		answer(r, false) // a ping is answered by any answer
	}
}

// channels takes what the target opens.
func (u *upstream) channels(channels <-chan ssh.NewChannel) {
	for nc := range channels {
		switch nc.ChannelType() {
		case "forwarded-tcpip":
			u.client.openForwarded(nc, u)
		case agentChannel:
			select {
			case u.agents <- struct{}{}:
				go func() { // ends with the channel
					u.openAgent(nc)
					<-u.agents
				}()
			default:
				nc.Reject(ssh.ResourceShortage, "the agent is asked too often at once")
			}
		default:
			nc.Reject(ssh.UnknownChannelType, "not offered here")
		}
	}
}

// maxAgents is how often a target may ask the client's agent at once.
const maxAgents = 64

// closeLimit is how long a channel, or whoever is stuck in it, may take to end before its connection is closed.
const closeLimit = 5 * time.Second
