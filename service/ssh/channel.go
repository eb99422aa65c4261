package ssh

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// channel is one session: a channel of a client, and what it is joined with at the target. It is the transport.Conn of
// its session.
type channel struct {
	// fixed before run
	conn    *connection
	session *hub.Session
	voice   atomic.Pointer[hub.Session] // the same, for who may ask before admit has returned
	over    chan struct{}               // closed when nothing moves bytes any more
	left    chan struct{}               // closed when the client has closed its side
	drained chan struct{}               // closed when nothing is received any more

	moves atomic.Bool   // up has begun
	moved atomic.Uint64 // pieces that it moved

	out sync.Mutex // orders what is written to the client
	in  sync.Mutex // orders what is written to the target

	mu       sync.Mutex
	client   ssh.Channel // nil until it is accepted; then it stays
	far      far
	farewell string // for the client; empty: what the end says
	detail   string // for the record, if the target ends it
	exit     *int   // of the program, if it is known
}

// far is what a channel is joined with.
type far interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// admit makes the session of a channel. Run, or giveUp, must follow. Where a limit refuses it, the error is for the client.
func (c *connection) admit(client ssh.Channel, name, terminal string) (*channel, error) {
	if !c.beginSession() {
		return nil, errors.New("shutdown")
	}
	ch := &channel{conn: c, client: client, over: make(chan struct{}), left: make(chan struct{}), drained: make(chan struct{})}
	s, err := c.bastion.listener.AdmitAs(ch, hub.About{Name: printable(name), Terminal: terminal})
	if err != nil {
		c.endSession()
		return nil, errors.New(hub.RefusalText(err))
	}
	ch.session = s
	ch.voice.Store(s)
	s.EndWhenQuiet()
	s.Note(fmt.Sprintf("%s came in by %s", c.login.user, c.login.how))
	return ch, nil
}

// run runs the channel with work, which moves its bytes and returns when there are no more; its error says why, nil that
// the far end had no more to say. Run returns once the session is finished, and the target has closed its side: a program
// without a terminal may go on for long, as it does without a bastion.
func (ch *channel) run(work func() error) {
	go func() { // run waits for it
		err := work()
		ch.mu.Lock()
		end := &session.End{Cause: session.Done, Detail: ch.detail, Exit: ch.exit}
		ch.mu.Unlock()
		if err == nil {
			ch.session.EndWith(end)
		} else {
			ch.endFor(err)
		}
		close(ch.over)
	}()
	<-ch.session.Context().Done()
	ch.part()
	ch.session.Finish()
	ch.conn.endSession()
	<-ch.over // at the latest when the client's connection, and so that to the target, has ended
}

// endFor ends the session for a reason.
func (ch *channel) endFor(err error) {
	var entry *entryError
	if errors.As(err, &entry) {
		ch.mu.Lock()
		ch.farewell = entry.forPeople
		ch.mu.Unlock()
		ch.session.End(entry.cause, entry.detail)
		return
	}
	ch.session.EndWith(err)
}

// leave ends the session, if nobody has, when the client has closed its side of the channel, and what it sent before has gone
// on to the target.
func (ch *channel) leave() {
	close(ch.left)
	ch.drain()
	ch.hungUp()
}

// drain waits until all that the client sent is written to the target, as long as that takes any.
func (ch *channel) drain() {
	for before := uint64(0); ch.moves.Load(); before = ch.moved.Load() {
		select {
		case <-ch.drained:
			return
		case <-ch.conn.gone:
			return
		case <-ch.session.Context().Done():
			return
		case <-time.After(closeLimit):
			if ch.moved.Load() == before {
				return
			}
		}
	}
}

// hungUp ends the session because the client's side of the channel is closed.
func (ch *channel) hungUp() {
	broken := false
	select {
	case <-ch.conn.gone:
		broken = isBroken(ch.conn.ssh.Wait())
	case <-ch.session.Context().Done():
		return
	case <-time.After(settling):
	}
	ch.conn.mu.Lock()
	why := ch.conn.why
	ch.conn.mu.Unlock()
	if why == "" && broken {
		why = "the connection broke"
	}
	if why != "" {
		ch.session.End(session.Reset, why)
		return
	}
	ch.session.End(session.HungUp, "")
}

// settling is how long it may take from the end of its channels until a connection that is lost is known to be.
const settling = 50 * time.Millisecond

// isBroken reports whether an error of a connection says that it did not end as it should.
func isBroken(err error) bool {
	return err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed)
}

// part closes both sides of a channel whose session has ended, and waits until the client has closed its side. One that
// does not loses its connection.
func (ch *channel) part() {
	ch.mu.Lock()
	far, client, farewell := ch.far, ch.client, ch.farewell
	ch.mu.Unlock()
	end := ch.session.Ended()
	if far != nil {
		go hangUp(far, end.Cause) // a stuck connection stands still in it until it is closed
	}
	if client != nil {
		ch.sayGoodbye(farewell)
		go client.Close() // as above
		select {
		case <-ch.left:
		case <-time.After(closeLimit):
			ch.conn.closeFor("it did not close a session that had ended")
		}
	}
	select {
	case <-ch.over: // all is on record
	case <-time.After(settling):
	}
	if end.Cause == session.Kicked && ch.conn.bastion.conf.Load().KickConnection {
		ch.conn.close()
	}
}

// hangUp closes what a channel is joined with. A program is told, as a terminal would tell it, where the session was ended
// from here: some servers do no more for those without a terminal.
func hangUp(f far, cause session.Cause) {
	program, is := f.(ssh.Channel)
	switch cause {
	case session.Done, session.HungUp, session.Reset:
	default:
		if is {
			program.SendRequest("signal", false, ssh.Marshal(textRequest{"HUP"})) // an error says that it is gone
		}
	}
	f.Close()
}

// farewellLimit is how long what a client is told at the end may wait for it.
const farewellLimit = 500 * time.Millisecond

// sayGoodbye tells the client why its session ended, beside the record and beside what the target says.
func (ch *channel) sayGoodbye(text string) {
	end := ch.session.Ended()
	switch end.Cause {
	case session.Done, session.HungUp:
		return
	}
	if text == "" {
		text = (&session.End{Cause: end.Cause, By: end.By, Reason: end.Reason}).Error()
		if end.Cause == session.Reset {
			text = end.Detail
		}
	}
	said := make(chan struct{})
	go func() { // ends when the channel is closed at the latest
		ch.WriteErr([]byte("\r\nswitchboard: " + printable(text) + "\r\n"))
		close(said)
	}()
	select {
	case <-said:
	case <-time.After(farewellLimit):
	}
}

func (c *connection) upstream() *upstream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}

// Close implements transport.Conn: the end of the session's context is what closes both sides, see part.
func (ch *channel) Close() error { return nil }

// Write implements transport.Conn.
func (ch *channel) Write(p []byte) (int, error) {
	ch.out.Lock()
	defer ch.out.Unlock()
	return ch.client.Write(p)
}

// WriteErr implements hub.TwoVoiced.
func (ch *channel) WriteErr(p []byte) (int, error) {
	ch.out.Lock()
	defer ch.out.Unlock()
	return ch.client.Stderr().Write(p)
}

// CloseWrite implements transport.Conn.
func (ch *channel) CloseWrite() error {
	ch.out.Lock()
	defer ch.out.Unlock()
	return ch.client.CloseWrite()
}

// Speak implements hub.Speaker: only a terminal has place for what an operator says.
func (ch *channel) Speak(p []byte) error {
	s := ch.voice.Load()
	if s == nil || s.Info().Terminal == "" {
		return fmt.Errorf("%w: it would get into what passes; only sessions with a terminal take it", hub.ErrCannotSend)
	}
	_, err := s.Write(p)
	return err
}

// What a session asks of a connection whose bytes it moves itself.
var errMoved = errors.New("the channel moves its bytes itself")

func (ch *channel) Read([]byte) (int, error)         { return 0, errMoved }
func (ch *channel) TryWrite([]byte) (int, error)     { return 0, nil }
func (ch *channel) Receive(transport.Sink) error     { return errMoved }
func (ch *channel) Datagrams() bool                  { return false }
func (ch *channel) LocalAddr() net.Addr              { return ch.conn.ssh.LocalAddr() }
func (ch *channel) RemoteAddr() net.Addr             { return ch.conn.ssh.RemoteAddr() }
func (ch *channel) SetDeadline(time.Time) error      { return nil }
func (ch *channel) SetReadDeadline(time.Time) error  { return nil }
func (ch *channel) SetWriteDeadline(time.Time) error { return nil }

var (
	_ transport.Conn = (*channel)(nil)
	_ hub.Speaker    = (*channel)(nil)
	_ hub.TwoVoiced  = (*channel)(nil)
)
