package socketio

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Namespace is a part of a server with handlers, sockets and rooms of its own, over the same connections.
type Namespace struct {
	*registry
	server  *Server
	name    string
	dynamic bool // guarded by Server.mu

	mu      sync.Mutex
	sockets map[string]*Socket
	saved   map[string]*saved // sockets that may be recovered, by id
	log     log
	retired bool // a dynamic namespace that was dropped
}

func newNamespace(s *Server, name string, r *registry) *Namespace {
	n := &Namespace{registry: r, server: s, name: name, sockets: map[string]*Socket{}, saved: map[string]*saved{}}
	n.log.init(s.opt)
	return n
}

// Name begins with a slash.
func (n *Namespace) Name() string { return n.name }

// Server is whose namespace it is.
func (n *Namespace) Server() *Server { return n.server }

// Sockets are the sockets in the namespace, in no order.
func (n *Namespace) Sockets() []*Socket {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]*Socket, 0, len(n.sockets))
	for _, s := range n.sockets {
		list = append(list, s)
	}
	return list
}

// Socket is the socket of an id, nil if there is none.
func (n *Namespace) Socket(id string) *Socket {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sockets[id]
}

// Len is how many sockets there are.
func (n *Namespace) Len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.sockets)
}

// ConnectError is an error of a middleware that carries data to the client, which finds it in the data of its error.
type ConnectError struct {
	Message string
	Data    any
}

func (e *ConnectError) Error() string { return e.Message }

// connect takes a client into a namespace: it runs in the client's goroutine.
func (c *Client) connect(k *packet) {
	if len(k.data) > maxAuth {
		c.refuse(k.namespace, fmt.Errorf("auth has %d bytes, and %d at most", len(k.data), maxAuth))
		return
	}
	c.mu.Lock()
	count := len(c.sockets)
	c.mu.Unlock()
	if count >= c.server.opt.MaxNamespaces {
		c.refuse(k.namespace, errors.New("too many namespaces"))
		return
	}
	for {
		n := c.server.namespace(k.namespace)
		if n == nil {
			c.refuse(k.namespace, errUnknownNamespace)
			return
		}
		s := n.newSocket(c, authOf(c, k))
		lost := n.lost(k.data)
		if lost == nil || c.server.opt.Recovery.RunMiddleware {
			if err := n.admit(s); err != nil {
				c.refuse(k.namespace, err)
				return
			}
		}
		added, again := n.add(s, lost)
		if added {
			c.server.gave(c, debtConnect)
			n.connected(s)
		}
		if !again {
			return
		}
	}
}

// newSocket is a socket that is not connected yet.
func (n *Namespace) newSocket(c *Client, auth json.RawMessage) *Socket {
	s := &Socket{client: c, namespace: n, auth: auth, id: newID(), index: -1}
	switch {
	case c.Revision() == 3 && n.name == "/":
		s.id = c.ID()
	case c.Revision() == 3:
		s.id = n.name + "#" + c.ID()
	case n.log.keeps():
		s.secret = newID()
	}
	return s
}

// authOf is what the client gave as auth: a JSON object. Clients of revision 3 have a query instead.
func authOf(c *Client, k *packet) json.RawMessage {
	if len(k.data) > 0 {
		return json.RawMessage(k.data)
	}
	if c.Revision() != 3 {
		return nil
	}
	return queryObject(c.handshake, k.query)
}

// refuse answers a CONNECT with an error. Clients of revision 3 get the data, or else the message, by itself.
func (c *Client) refuse(namespace string, err error) {
	answer := map[string]any{"message": err.Error()}
	var with *ConnectError
	if errors.As(err, &with) && with.Data != nil {
		answer["data"] = with.Data
	}
	var payload any = answer
	if c.Revision() == 3 && err != errUnknownNamespace {
		if payload = err.Error(); with != nil && with.Data != nil {
			payload = with.Data
		}
	}
	p, jsonErr := json.Marshal(payload)
	if jsonErr != nil {
		p, _ = json.Marshal(map[string]any{"message": err.Error()})
	}
	c.send(newOutgoing(append(appendHead(nil, typeConnectError, 0, namespace), p...), nil))
}

// newID is 20 characters that nobody can guess.
func newID() string {
	var b [15]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// add makes the socket a member, as what it was before if it is recovered. From here on it gets broadcasts. If it is not
// added, its connection has ended; or it is to be tried again, since the namespace was dropped a moment ago and another takes
// its place, or since what was lost cannot be recovered, so that middleware has to be asked.
func (n *Namespace) add(s *Socket, lost *lost) (added, again bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.retired {
		return false, true
	}
	s.begin = n.log.head
	var missed []*entry
	if lost != nil {
		missed, s.recovered = n.recover(s, lost)
		if !s.recovered && !n.server.opt.Recovery.RunMiddleware {
			return false, true // what was lost is forgotten: it comes as a new one
		}
	}
	if !s.client.attach(s) {
		if s.recovered && !n.save(s, time.Now()) { // else it may come again
			n.leaves(s)
		}
		return false, false
	}
	n.sockets[s.id] = s
	s.client.shard.add(op{kind: opConnect, socket: s, missed: missed, rooms: s.Rooms()})
	return true, false
}

// attach enters the socket, unless the connection has ended.
func (c *Client) attach(s *Socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.sockets = append(c.sockets, s)
	return true
}

// detach is the end of attach, for a socket that leaves while its connection goes on.
func (c *Client) detach(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	for i := range c.sockets {
		if c.sockets[i] == s {
			c.sockets = append(c.sockets[:i:i], c.sockets[i+1:]...)
			return
		}
	}
}

// connectPacket is the answer to a CONNECT.
func (s *Socket) connectPacket() *outgoing {
	b := appendHead(nil, typeConnect, 0, s.namespace.name)
	if s.client.Revision() == 4 {
		b = append(b, `{"sid":`...)
		b = appendString(b, s.id)
		if s.secret != "" {
			b = append(b, `,"pid":`...)
			b = appendString(b, s.pid())
		}
		b = append(b, '}')
	}
	m := newOutgoing(b, nil)
	m.secret = s.secret != ""
	return m
}

// remove takes a socket out: broadcasts that were made before still reach it. It reports whether the socket was in.
func (n *Namespace) remove(s *Socket, reason Reason) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sockets[s.id] != s {
		return false
	}
	delete(n.sockets, s.id)
	if recoverable(reason) && s.secret != "" && !s.leaving.Load() {
		n.save(s, time.Now())
	}
	s.client.shard.add(op{kind: opRemove, socket: s})
	s.fail()
	return true
}

// sweep lets go of what is past its time; it reports whether nobody is here and nobody can come back.
func (n *Namespace) sweep(now time.Time) (empty bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, v := range n.saved {
		if now.After(v.until) {
			n.unsave(id)
			n.leaves(v.socket)
		}
	}
	n.log.trim(now)
	return len(n.sockets) == 0 && len(n.saved) == 0
}

// retire makes an empty namespace take nobody any more.
func (n *Namespace) retire() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.retired = len(n.sockets) == 0 && len(n.saved) == 0
	return n.retired
}
