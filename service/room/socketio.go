package room

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/socketio"
)

// SocketIOOptions are what a SocketIO is made of.
type SocketIOOptions struct {
	Room          *room.Room
	Listener      *hub.Listener
	Namespace     string            // where clients become members; default "/"
	Events        map[string]string // what members send, and as what the others get it; "*": "*" is all, as they are
	ExcludeSender bool              // a member does not get back what it said
	Server        socketio.Options  // of the connections; Observe is the SocketIO's own
}

// SocketIO makes clients of Socket.IO members of a room: what they send goes there, and what anybody says there comes to them
// as events. Each of their connections is a session.
type SocketIO struct {
	opt       SocketIOOptions
	server    *socketio.Server
	namespace *socketio.Namespace
	conf      room.Config
	unfollow  func()

	mu      sync.RWMutex
	members map[session.ID]member // by the session of their connection
	gone    []parted              // those that left, in order

	// owned by Said
	next    uint64 // the offset that is expected
	scratch []byte
}

// member is a socket, or one that was.
type member struct {
	socket string // its id
	gone   bool
}

// parted is a session whose messages may still be on their way through the room.
type parted struct {
	session session.ID
	since   time.Time
}

// NewSocketIO makes a SocketIO. The caller calls Close.
func NewSocketIO(opt SocketIOOptions) (*SocketIO, error) {
	svc := &SocketIO{opt: opt, conf: opt.Room.Config(), members: map[session.ID]member{}}
	opt.Server.Observe, opt.Server.OnRefused = svc.observe, svc.refused
	opt.Server.Recovery.RunMiddleware = true // it notes the membership
	svc.server = socketio.New(opt.Server)
	svc.namespace = svc.server.Of(opt.Namespace)
	svc.register()
	// What is said before the namespace knows where the log is waits for it.
	svc.mu.Lock()
	defer svc.mu.Unlock()
	offset, unfollow, err := opt.Room.Follow(svc)
	if err != nil {
		svc.server.Close(context.Background()) // nobody is connected
		return nil, err
	}
	svc.unfollow, svc.next = unfollow, offset+1
	svc.namespace.Follow(opt.Room.Epoch(), offset)
	return svc, nil
}

// ServeHTTP serves the connections.
func (svc *SocketIO) ServeHTTP(w http.ResponseWriter, r *http.Request) { svc.server.ServeHTTP(w, r) }

// Close ends every connection as "shutdown" and waits until they have finished, or until ctx ends.
func (svc *SocketIO) Close(ctx context.Context) error {
	svc.unfollow()
	return svc.server.Close(ctx)
}

// register says what becomes of what members do.
func (svc *SocketIO) register() {
	n := svc.namespace
	n.Use(func(s *socketio.Socket) error { // before anything is delivered
		of(s).join(s)
		return nil
	})
	n.OnConnect(svc.connected)
	n.OnDisconnect(svc.disconnected)
	n.OnLeft(func(s *socketio.Socket) { svc.opt.Room.Exit(s.ID()) })
	for from, to := range svc.opt.Events {
		if from == "*" {
			n.HandleOthers(svc.saysAny)
			continue
		}
		n.Handle(from, func(_ context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
			return nil, svc.say(s, to, args)
		})
	}
}

// connected runs when a socket has connected. One that is recovered never left.
func (svc *SocketIO) connected(s *socketio.Socket) {
	c := of(s)
	svc.mu.Lock()
	svc.members[c.session().ID()] = member{socket: s.ID()}
	svc.mu.Unlock()
	info := c.session().Info()
	if svc.conf.Welcome != "" && !s.Recovered() {
		s.EmitJSON(svc.conf.Mapping.AppendEvent(nil, []byte(svc.conf.Welcome))) // an error is the connection's end
	}
	svc.opt.Room.Enter(session.Present{ID: s.ID(), Session: info.ID, Name: info.Name, Transport: info.Transport,
		Remote: info.Remote}) // it fails only if the room is closed
}

func (svc *SocketIO) disconnected(s *socketio.Socket, _ socketio.Reason) {
	now := time.Now()
	svc.mu.Lock()
	defer svc.mu.Unlock()
	id := of(s).session().ID()
	svc.members[id] = member{socket: s.ID(), gone: true}
	svc.gone = append(svc.gone, parted{id, now})
	for len(svc.gone) > 0 && now.Sub(svc.gone[0].since) > room.Patience {
		if id := svc.gone[0].session; svc.members[id].gone { // else it has come again
			delete(svc.members, id)
		}
		svc.gone = svc.gone[1:]
	}
}

// saysAny is say of an event under its own name.
func (svc *SocketIO) saysAny(_ context.Context, s *socketio.Socket, event string, args socketio.Args) ([]any, error) {
	return nil, svc.say(s, event, args)
}

// say says an event to the room. It waits while the room is behind, and then the client is not read.
func (svc *SocketIO) say(s *socketio.Socket, event string, args socketio.Args) error {
	name, err := json.Marshal(event)
	if err != nil {
		return err
	}
	p := append([]byte{'['}, name...)
	if args.Len() == 0 {
		return svc.opt.Room.SayEvent(of(s).session().ID(), append(p, ']'))
	}
	start := len(p)
	p = args.AppendWhole(p)
	p[start] = ',' // in place of its bracket
	return svc.opt.Room.SayEvent(of(s).session().ID(), p)
}

// Said implements room.Follower: each message is encoded once, for all members.
func (svc *SocketIO) Said(m room.Message) {
	svc.mu.RLock()
	not := svc.members[m.From].socket
	svc.mu.RUnlock()
	if m.Offset != svc.next { // the log had let go of some
		svc.namespace.Missed(m.Offset - 1)
	}
	svc.next = m.Offset + 1
	b := socketio.Broadcast{Offset: m.Offset, Payload: m.Bytes,
		Place: socketio.Place{Log: string(m.Recording), Number: m.Number}}
	switch m.Kind {
	case session.SaidBytes:
		svc.scratch = svc.conf.Mapping.AppendEvent(svc.scratch[:0], m.Bytes)
		b.Payload = svc.scratch
	case session.SaidJoined:
		svc.scratch = appendPresence(svc.scratch[:0], "joined", m.Bytes)
		b.Payload = svc.scratch
	case session.SaidLeft:
		svc.scratch = appendPresence(svc.scratch[:0], "left", m.Bytes)
		b.Payload = svc.scratch
	}
	if svc.opt.ExcludeSender || m.Others {
		b.Not = not
	}
	svc.namespace.Deliver(b)
}

// appendPresence is the event that tells members of another.
func appendPresence(b []byte, event string, who []byte) []byte {
	b = append(append(append(b, '[', '"'), event...), '"', ',')
	return append(append(b, who...), ']')
}
