package ssh

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/switchboard-relay/switchboard/session"
)

// shell is a channel in which a program runs: a shell, a command or a subsystem. Its session begins with the program.
type shell struct {
	conn   *connection
	client ssh.Channel
	work   sync.WaitGroup

	mu      sync.Mutex
	pty     *ptyRequest
	env     []envRequest
	envSize int
	agent   bool
	ch      *channel    // once it has begun
	target  ssh.Channel // once the target runs it
}

// openSession serves a channel of type session until it ends.
func (c *connection) openSession(nc ssh.NewChannel) {
	client, requests, err := nc.Accept()
	if err != nil {
		return // the connection is gone
	}
	sh := &shell{conn: c, client: client}
	for r := range requests {
		switch r.Type {
		case "shell", "exec", "subsystem":
			sh.begin(r)
		default:
			sh.request(r)
		}
	}
	if ch := sh.channel(); ch != nil {
		ch.leave()
	}
	sh.work.Wait()
	client.Close()
}

func (sh *shell) channel() *channel {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.ch
}

// request takes what the client asks for beside the program.
func (sh *shell) request(r *ssh.Request) {
	sh.mu.Lock()
	ch, target := sh.ch, sh.target
	ok := ch != nil // what comes while the target is being entered goes the way of what comes before
	switch r.Type {
	case "pty-req":
		var p ptyRequest
		if ok = ch == nil && sh.conn.login.permits(permitPTY) && ssh.Unmarshal(r.Payload, &p) == nil; ok {
			sh.pty = &p
		}
	case "env":
		var e envRequest
		ok = ch == nil && ssh.Unmarshal(r.Payload, &e) == nil && len(sh.env) < maxEnv &&
			sh.envSize+len(r.Payload) <= maxEnvSize
		if ok {
			sh.env = append(sh.env, e)
			sh.envSize += len(r.Payload)
		}
	case agentRequest:
		if ok = ch == nil && sh.conn.login.permits(permitAgent); ok {
			sh.agent = true
			sh.conn.mu.Lock()
			sh.conn.agent = true
			sh.conn.mu.Unlock()
		}
	case "window-change":
		var w windowChange
		if ok = ssh.Unmarshal(r.Payload, &w) == nil && sh.pty != nil; ok {
			sh.pty.Cols, sh.pty.Rows, sh.pty.Width, sh.pty.Height = w.Cols, w.Rows, w.Width, w.Height
			if ch != nil {
				ch.session.RecordResized(terminalSize(w.Cols, w.Rows))
			}
		}
	case "signal", "break":
	default: // x11-req and what nobody knows
		ok = false
	}
	sh.mu.Unlock()
	passes := r.Type == "window-change" || r.Type == "signal" || r.Type == "break"
	if ok && passes && target != nil {
		if r.Type == "signal" {
			var s textRequest
			if ssh.Unmarshal(r.Payload, &s) == nil {
				ch.session.Note("signal " + printable(s.Text))
			}
		}
		done, err := target.SendRequest(r.Type, r.WantReply, r.Payload)
		ok = done && err == nil
	}
	answer(r, ok)
}

// begin begins the session, with the program that r asks for.
func (sh *shell) begin(r *ssh.Request) {
	var what textRequest
	if sh.channel() != nil || r.Type != "shell" && ssh.Unmarshal(r.Payload, &what) != nil {
		answer(r, false)
		return
	}
	terminal := ""
	if sh.pty != nil { // no request is read meanwhile
		terminal = sizeText(terminalSize(sh.pty.Cols, sh.pty.Rows))
	}
	c := sh.conn
	t := c.target()
	name := c.name(c.login.to)
	ch, err := c.admit(sh.client, name, terminal)
	if err != nil {
		answer(r, true)
		fmt.Fprintf(sh.client.Stderr(), "switchboard: %v\r\n", err)
		sh.client.Close()
		return
	}
	switch r.Type {
	case "shell":
		ch.session.Note("shell")
	default:
		ch.session.Note(r.Type + ": " + printable(what.Text))
	}
	for _, e := range sh.env {
		ch.session.Note("env " + printable(e.Name+"="+e.Value))
	}
	sh.mu.Lock()
	sh.ch = ch
	sh.mu.Unlock()
	sh.work.Go(func() { ch.run(func() error { return sh.run(t, r) }) })
}

// run runs the program on the target, until it ends there.
func (sh *shell) run(t *Target, r *ssh.Request) error {
	ch, c := sh.ch, sh.conn
	begun := false
	defer func() {
		if !begun {
			answer(r, true) // so that the client waits for what it is told
		}
	}()
	if t == nil {
		text := c.noTarget()
		return &entryError{session.Refused, text, text}
	}
	up, err := c.enter(ch.session.Context(), t)
	if err != nil {
		return err
	}
	ch.session.Note(fmt.Sprintf("at %s (%s) as %s, host key %s", up.target.Name, up.target.Address, up.target.login(c.login.user), up.key))
	target, requests, err := up.ssh.OpenChannel("session", nil)
	if err != nil {
		return refusal(up, err)
	}
	if !ch.join(target) {
		go ssh.DiscardRequests(requests) // ends with the channel
		return ch.session.Ended()
	}
	ok, err := sh.prepare(up, target, r)
	if err != nil {
		go ssh.DiscardRequests(requests) // ends with the channel
		return refusal(up, err)
	}
	begun = true
	answer(r, ok)
	if !ok {
		go ssh.DiscardRequests(requests) // ends with the channel
		return &session.End{Cause: session.Refused, Detail: "the target does not run it"}
	}
	return sh.carry(up, target, requests)
}

// prepare asks the target for all that the client asked for, the program last; ok says that it runs.
func (sh *shell) prepare(up *upstream, target ssh.Channel, r *ssh.Request) (ok bool, err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock() // a window that changes now comes behind
	if sh.pty != nil {
		granted, err := target.SendRequest("pty-req", true, ssh.Marshal(sh.pty))
		if err != nil {
			return false, err
		}
		if !granted {
			sh.ch.session.Note("the target gives no terminal")
		}
	}
	if sh.agent && up.target.ForwardAgent {
		granted, err := target.SendRequest(agentRequest, true, nil)
		if err != nil {
			return false, err
		}
		if granted {
			sh.ch.session.Note("the agent can be asked from the target")
		}
	}
	for _, e := range sh.env {
		if _, err := target.SendRequest("env", false, ssh.Marshal(e)); err != nil {
			return false, err
		}
	}
	ok, err = target.SendRequest(r.Type, true, r.Payload)
	if ok {
		sh.target = target
	}
	return ok, err
}

// carry moves bytes both ways until the target closes the channel.
func (sh *shell) carry(up *upstream, target ssh.Channel, requests <-chan *ssh.Request) error {
	ch := sh.ch
	if ch.session.Info().Terminal != "" { // elsewhere it would get into a file
		ch.session.TakesTyping(func(p []byte) error { return ch.typeTo(target, p) })
	}
	exited, closed := make(chan struct{}), make(chan struct{})
	ch.moves.Store(true)
	go ch.up(target) // ends when the client's side is closed
	go func() {      // ends with the channel
		sh.exits(requests, exited)
		close(closed)
	}()
	err := ch.down(target, target.Stderr(), func() error {
		ch.awaitExit(exited, closed)
		return up.ended(closed, exited)
	})
	if err != nil {
		return err
	}
	<-closed
	return up.ended(closed, exited)
}

// ended is why a program did not come to its end: the connection was lost. Nil says that it did, or that it runs.
func (u *upstream) ended(closed, exited <-chan struct{}) error {
	select {
	case <-exited:
		return nil
	default:
	}
	select {
	case <-closed: // of a connection that is lost, channels end a moment before it is known to be
	default:
		return nil
	}
	select {
	case <-u.gone:
		return &session.End{Cause: session.Reset, Detail: "upstream: " + u.lost()}
	case <-time.After(settling):
		return nil
	}
}

// exitPatience is how long the end of what a program says waits for the program's.
const exitPatience = time.Second

// awaitExit waits until a program that says no more has exited. A client that says no more either closes the channel as soon
// as it knows, and could not be told the exit status any more. One that still speaks is told soon all the same: it may wait
// for that.
func (ch *channel) awaitExit(exited, closed <-chan struct{}) {
	quiet := ch.drained
	patience := time.After(exitPatience)
	for {
		select {
		case <-exited:
			return
		case <-closed:
			return
		case <-ch.left:
			return
		case <-quiet:
			quiet, patience = nil, nil
		case <-patience:
			return
		}
	}
}

// exits passes on how the program ended, and closes exited then.
func (sh *shell) exits(requests <-chan *ssh.Request, exited chan<- struct{}) {
	ch := sh.ch
	told := false
	for r := range requests {
		var status exitStatus
		var signal exitSignal
		detail, exit := "", (*int)(nil)
		switch {
		case r.Type == "exit-status" && ssh.Unmarshal(r.Payload, &status) == nil:
			detail = fmt.Sprintf("exit status %d", status.Status)
			code := int(status.Status)
			exit = &code
		case r.Type == "exit-signal" && ssh.Unmarshal(r.Payload, &signal) == nil:
			detail = "ended by signal " + printable(signal.Signal)
		}
		if detail != "" {
			ch.mu.Lock()
			ch.detail, ch.exit = detail, exit
			ch.mu.Unlock()
		}
		switch r.Type {
		case "exit-status", "exit-signal", "xon-xoff", "eow@openssh.com":
			sh.client.SendRequest(r.Type, false, r.Payload) // an error is the client's end, which shows elsewhere
			answer(r, true)
			if detail != "" && !told {
				told = true
				close(exited)
			}
		default: // a ping is answered by any answer
			answer(r, false)
		}
	}
}

// refusal explains an error of a connection to a target that has been entered.
func refusal(up *upstream, err error) error {
	text := err.Error()
	if why := up.lost(); why != "" {
		text = why
	}
	return &entryError{session.Refused, "upstream: " + text, up.target.Name + ": " + text}
}
