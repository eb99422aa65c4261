package room

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/socketio"
	"github.com/switchboard-relay/switchboard/socketio/engine"
	"github.com/switchboard-relay/switchboard/transport"
)

// connection is a Socket.IO client's connection as its session sees it, a transport.Conn that moves its packets by itself, and
// the observer that records them.
type connection struct {
	svc    *SocketIO
	client *socketio.Client
	hub    atomic.Pointer[hub.Session] // nil only while observe runs
	remote transport.NamedAddr
	member atomic.Pointer[socketio.Socket] // while it is one
	moving sync.Mutex                      // held while it becomes one, or ceases to be, and that goes on record
	last   *socketio.Place                 // of what was delivered last; nil unless it was recovered
}

func (c *connection) session() *hub.Session { return c.hub.Load() }

// observe makes a session of a connection.
func (svc *SocketIO) observe(client *socketio.Client, _ *http.Request) (socketio.Observer, error) {
	c := &connection{svc: svc, client: client, remote: transport.NamedAddr(client.Remote())}
	s, err := svc.opt.Listener.Admit(c)
	if err != nil {
		return nil, &engine.Refusal{Status: http.StatusServiceUnavailable, Message: hub.RefusalText(err)}
	}
	c.hub.Store(s)
	if s.Ended() != nil { // before it could reach the client
		s.Finish()
		return nil, &engine.Refusal{Status: http.StatusServiceUnavailable}
	}
	return c, nil
}

// refusals are the engine's words for what a listener counts as refused; what the listener refuses itself, and what only makes
// a client begin anew, is not among them.
var refusals = map[string]string{"origin": "foreign origin", "address": "too many from one address",
	"rate": "too many new ones from one address", "revision": "unsupported protocol", "jsonp": "unsupported protocol"}

func (svc *SocketIO) refused(reason string) {
	if word := refusals[reason]; word != "" {
		svc.opt.Listener.Refused(word)
	}
}

// of is the connection of a socket.
func of(s *socketio.Socket) *connection { return s.Client().Observer().(*connection) }

// join notes that the client is a member, before it is sent anything.
func (c *connection) join(s *socketio.Socket) {
	c.moving.Lock()
	defer c.moving.Unlock()
	if c.member.Swap(s) == nil {
		c.session().Joined(c.ref())
	}
}

// leave notes that a socket is no member any more, unless another of the client has become one since.
func (c *connection) leave(s *socketio.Socket) {
	c.moving.Lock()
	defer c.moving.Unlock()
	if s != nil && c.member.CompareAndSwap(s, nil) {
		c.session().Left(c.ref())
	}
}

func (c *connection) ref() session.RoomRef {
	ref := c.svc.opt.Room.Ref(c.svc.opt.ExcludeSender)
	ref.As = session.AsPacket
	return ref
}

// Received implements socketio.Observer.
func (c *connection) Received(p []byte, _ bool) error { return c.session().RecordReceived(p) }

// Sent implements socketio.Observer.
func (c *connection) Sent(p []byte, _ bool) {
	c.session().RecordSent(p) // an error is the session's end, which it knows of
}

// Delivered implements socketio.Observer.
func (c *connection) Delivered(d socketio.Delivery) {
	// What a recovered client sent before it was lost bears the name of another session.
	follows := !d.Socket.Recovered()
	if !follows {
		follows = c.last != nil && *c.last == socketio.Place{Log: d.First.Log, Number: d.First.Number - 1}
		c.last = &socketio.Place{Log: d.Last.Log, Number: d.Last.Number}
	}
	c.session().RecordDelivered(session.RoomRef{Room: c.svc.opt.Room.Name(), Session: session.ID(d.First.Log),
		First: d.First.Number, Last: d.Last.Number, Exclude: c.svc.opt.ExcludeSender, As: session.AsPacket,
		Messages: d.Messages, Bytes: d.Bytes}, follows)
}

// Left implements socketio.Observer.
func (c *connection) Left(s *socketio.Socket) { c.leave(s) }

// Upgraded implements socketio.Observer.
func (c *connection) Upgraded(transport string) { c.session().RecordUpgraded(transport) }

// Closed implements socketio.Observer: the session ends for the reason that the connection did.
func (c *connection) Closed(reason socketio.Reason, err error) {
	c.leave(c.member.Load())
	s := c.session()
	s.RecordUnsent(c.client.Unsent())
	defer s.Finish()
	detail := ""
	if err != nil && !errors.Is(err, io.EOF) {
		detail = err.Error()
	}
	switch reason {
	case engine.TransportClose:
		s.End(session.HungUp, "")
	case engine.PingTimeout:
		s.End(session.Reset, "no answer to a ping")
	case engine.TransportError:
		s.End(session.Reset, detail)
	case engine.Slow:
		s.End(session.Slow, detail)
	case engine.ServerShutdown:
		s.End(session.Shutdown, "")
	case engine.ForcedClose:
		s.End(session.Idle, "it connected to no namespace")
	default:
		s.End(session.Failed, strings.TrimSuffix(string(reason)+": "+detail, ": "))
	}
}

// ended is the event that tells a client why its session ended, before it is disconnected.
type ended struct {
	Cause  session.Cause `json:"cause"`
	By     string        `json:"by,omitempty"`
	Reason string        `json:"reason,omitempty"`
}

// Close implements transport.Conn: it is how the session's end, by whomever, reaches the client. It does not wait.
func (c *connection) Close() error {
	if c.client.Closed() || c.session() == nil {
		return nil
	}
	go c.hangUp() // it sends, which may wait a little
	return nil
}

// hangUp tells the client why, and disconnects it: one that was kicked does not come back by itself.
func (c *connection) hangUp() {
	end := c.session().Ended()
	for _, s := range c.client.Sockets() {
		s.Emit("ended", ended{end.Cause, end.By, end.Reason}) // an error is the connection's end
	}
	c.client.Close()
}

// Speak implements hub.Speaker: what an operator sends comes as the room's event.
func (c *connection) Speak(p []byte) error {
	s := c.member.Load()
	if s == nil {
		return fmt.Errorf("%w: the client is in no room yet", hub.ErrCannotSend)
	}
	return s.EmitJSON(c.svc.conf.Mapping.AppendEvent(nil, p))
}

// What a session asks of a connection whose bytes it moves itself.
var errPackets = errors.New("the connection moves packets")

func (c *connection) Read([]byte) (int, error)         { return 0, errPackets }
func (c *connection) Write([]byte) (int, error)        { return 0, errPackets }
func (c *connection) TryWrite([]byte) (int, error)     { return 0, errPackets }
func (c *connection) Receive(transport.Sink) error     { return errPackets }
func (c *connection) CloseWrite() error                { return transport.ErrUnsupported }
func (c *connection) Datagrams() bool                  { return true }
func (c *connection) LocalAddr() net.Addr              { return nil }
func (c *connection) RemoteAddr() net.Addr             { return c.remote }
func (c *connection) SetDeadline(time.Time) error      { return nil }
func (c *connection) SetReadDeadline(time.Time) error  { return nil }
func (c *connection) SetWriteDeadline(time.Time) error { return nil }

var (
	_ transport.Conn    = (*connection)(nil)
	_ hub.Speaker       = (*connection)(nil)
	_ socketio.Observer = (*connection)(nil)
)
