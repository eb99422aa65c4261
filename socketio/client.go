package socketio

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

// Client is one connection, on which a client may have a socket in each of several namespaces.
type Client struct {
	// fixed after Open
	server    *Server
	conn      *engine.Conn
	shard     *shard
	observer  Observer
	handshake *Handshake

	partial *packet // waits for attachments; owned by the connection's reader

	// sending keeps what the observer is told in the order of what is sent.
	sending sync.Mutex
	ended   bool // the observer is told nothing more

	awaited atomic.Int32 // acknowledgements

	mu      sync.Mutex
	sockets []*Socket
	queue   []task
	queued  int           // bytes
	space   chan struct{} // closed when the queue has been taken; nil while nobody waits
	working bool
	over    bool
	closed  bool // its handlers know
	ctx     context.Context
	cancel  context.CancelCauseFunc
}

// Handshake is the request with which a connection began.
type Handshake struct {
	Time   time.Time
	Path   string
	query  string
	header string
}

// Limits of what is kept of a client for as long as it is there, or may come back.
const (
	maxHandshake = 32 << 10 // bytes of the request
	maxAuth      = 16 << 10 // bytes of what a CONNECT brings
)

func newHandshake(r *http.Request) (*Handshake, error) {
	var b strings.Builder
	r.Header.Write(&b) // writing to a Builder does not fail
	h := &Handshake{Time: time.Now(), Path: r.URL.Path, query: r.URL.RawQuery, header: b.String()}
	if h.size() > maxHandshake {
		return nil, &engine.Refusal{Status: http.StatusRequestHeaderFieldsTooLarge,
			Message: fmt.Sprintf("the request's header and query have more than %d bytes", maxHandshake)}
	}
	return h, nil
}

func (h *Handshake) size() int { return len(h.Path) + len(h.query) + len(h.header) }

// Query is the request's query; what a client gives as its query option is in it.
func (h *Handshake) Query() url.Values {
	v, _ := url.ParseQuery(h.query) // what is malformed is left out
	return v
}

// Header is the request's header.
func (h *Handshake) Header() http.Header {
	m, _ := textproto.NewReader(bufio.NewReader(strings.NewReader(h.header + "\r\n"))).ReadMIMEHeader()
	return http.Header(m)
}

// ID is the connection's; sockets have others.
func (c *Client) ID() string { return c.conn.ID() }

// Revision is 3 for clients of Engine.IO 3 (socket.io-client 1 and 2), else 4.
func (c *Client) Revision() int { return c.conn.Revision() }

// Transport is "polling" or "websocket".
func (c *Client) Transport() string { return c.conn.Transport() }

// Remote is the client's address.
func (c *Client) Remote() string { return c.conn.Remote() }

// Handshake is the request with which the connection began.
func (c *Client) Handshake() *Handshake { return c.handshake }

// Observer is what Options.Observe gave for the connection.
func (c *Client) Observer() Observer { return c.observer }

// Closed reports whether the connection has ended, or is ending.
func (c *Client) Closed() bool { return c.conn.Closed() }

// Waiting is how many bytes wait for the client to read them.
func (c *Client) Waiting() int { return c.conn.Waiting() }

// Unsent is how many bytes of packets were sent and never went out, to Observer.Closed and later.
func (c *Client) Unsent() int { return c.conn.Unsent() }

// Sockets are the client's sockets.
func (c *Client) Sockets() []*Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*Socket(nil), c.sockets...)
}

// Close disconnects every socket on the connection, and ends it. It does not wait; what was sent before goes out first.
func (c *Client) Close() {
	for _, s := range c.Sockets() {
		s.Disconnect()
	}
	c.shard.add(op{kind: opClose, client: c})
}

// task is a packet that waits for its handler, or the connection's end.
type task struct {
	packet packet
	left   *Socket // it was disconnected by the server
	closed *closing
}

type closing struct {
	sockets []*Socket
	reason  Reason
	err     error
}

// text takes a text message: the first or only part of a packet.
func (c *Client) text(p []byte) error {
	if c.partial != nil {
		return malformed("text came where %d more attachments were due", c.partial.attachments-len(c.partial.binary))
	}
	k, err := parsePacket(p, c.server.opt.MaxAttachments)
	if err != nil {
		return err
	}
	if k.attachments == 0 {
		return c.received(k)
	}
	if err := checkPlaceholders(k.data, k.attachments); err != nil {
		return err
	}
	k.data = bytes.Clone(k.data)
	c.partial = &k
	c.server.owes(c, debtAttachments)
	return nil
}

// attachment takes a binary message: it belongs to the packet before it.
func (c *Client) attachment(p []byte) error {
	k := c.partial
	if k == nil {
		return malformed("an attachment of no packet")
	}
	k.binary = append(k.binary, bytes.Clone(p))
	if len(k.binary) < k.attachments {
		return nil
	}
	c.partial = nil
	c.server.gave(c, debtAttachments)
	return c.received(*k)
}

// received takes a whole packet. Acknowledgements are handled at once, so that a handler may wait for one; all else in order,
// in a goroutine of the client's own that lives while there is anything to do.
func (c *Client) received(k packet) error {
	if k.kind == typeAck || k.kind == typeBinaryAck {
		if s := c.socket(k.namespace); s != nil {
			s.acknowledged(k.id, Args{list: k.data[1:], binary: k.binary}.clone())
		}
		return nil
	}
	if k.kind == typeDisconnect {
		if s := c.socket(k.namespace); s != nil {
			s.leaving.Store(true) // though the connection's end may overtake the packet
		}
	}
	if k.attachments == 0 {
		k.data = bytes.Clone(k.data)
	}
	c.enqueue(task{packet: k})
	return nil
}

// perTask is what a queued task takes besides its bytes.
const perTask = 128

func (t *task) size() int {
	n := perTask + len(t.packet.data)
	for _, p := range t.packet.binary {
		n += len(p)
	}
	return n
}

// awaitedQueue is how many times as much may wait of a client that owes acknowledgements.
const awaitedQueue = 4

// enqueue waits while too much waits already: the client is not read then. It goes on reading one that owes acknowledgements,
// since what waits may be waiting for one of them, but not without end.
func (c *Client) enqueue(t task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.queued > c.server.opt.MaxQueue && t.closed == nil && t.left == nil {
		if c.awaited.Load() > 0 && c.queued <= awaitedQueue*c.server.opt.MaxQueue {
			break
		}
		if c.space == nil {
			c.space = make(chan struct{})
		}
		space := c.space
		c.mu.Unlock()
		select {
		case <-space: // the handlers go on
		case <-time.After(time.Second):
		}
		c.mu.Lock()
		if c.conn.Closed() {
			return // else a handler that waits for the client's end would never hear of it
		}
	}
	c.queue = append(c.queue, t)
	c.queued += t.size()
	if !c.working {
		c.working = true
		c.server.handlers.enter()
		go c.work() // ends when nothing waits; Server.Close waits for it
	}
}

func (c *Client) work() {
	defer c.server.handlers.leave()
	var batch []task
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			c.working, c.queue = false, nil
			c.mu.Unlock()
			return
		}
		clear(batch)
		batch, c.queue = c.queue, batch[:0]
		c.queued = 0
		if c.space != nil {
			close(c.space)
			c.space = nil
		}
		c.mu.Unlock()
		for i := range batch {
			c.handle(&batch[i])
		}
	}
}

func (c *Client) handle(t *task) {
	if t.closed != nil {
		c.finish(t.closed)
		return
	}
	if t.left != nil {
		t.left.disconnected(ServerDisconnect)
		return
	}
	k := &t.packet
	s := c.socket(k.namespace)
	switch {
	case k.kind == typeConnect && s == nil:
		c.connect(k)
	case k.kind == typeConnect, s == nil && !c.isOver():
		c.conn.Close(engine.ParseError) // as the reference implementation does
	case s == nil:
	case k.kind == typeDisconnect:
		s.leave()
	default:
		s.event(k)
	}
}

// socket is the client's socket in a namespace.
func (c *Client) socket(namespace string) *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.namespace.name == namespace {
			return s
		}
	}
	return nil
}

func (c *Client) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// context ends with the connection; handlers that run then have graceful for what they do.
func (c *Client) context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		c.ctx, c.cancel = context.WithCancelCause(context.Background())
		switch cancel := c.cancel; {
		case c.closed:
			cancel(ErrClosed)
		case c.over:
			time.AfterFunc(graceful, func() { cancel(ErrClosed) })
		}
	}
	return c.ctx
}

// graceful is how long a handler that runs when its client goes may go on with its context.
const graceful = 5 * time.Second

// closedBy runs when the connection has ended: its sockets leave at once, so that it can be recovered; their handlers hear of
// it behind what had come before.
func (c *Client) closedBy(reason Reason, err error) {
	c.server.gave(c, debtConnect, debtAttachments)
	c.mu.Lock()
	c.over = true
	sockets := c.sockets
	cancel := c.cancel
	c.mu.Unlock()
	for _, s := range sockets {
		s.namespace.remove(s, reason)
	}
	if cancel != nil {
		time.AfterFunc(graceful, func() { cancel(ErrClosed) })
	}
	c.enqueue(task{closed: &closing{sockets, reason, err}})
}

// finish runs behind everything that the client had sent.
func (c *Client) finish(end *closing) {
	for _, s := range end.sockets {
		s.disconnected(end.reason)
	}
	c.mu.Lock()
	cancel := c.cancel
	c.sockets, c.closed = nil, true
	c.mu.Unlock()
	if cancel != nil {
		cancel(ErrClosed)
	}
	c.observe(func(o Observer) {
		c.ended = true
		o.Closed(end.reason, end.err)
	})
}

// awaitTold waits until the observer has been told of what is being sent: the client may answer it already.
func (c *Client) awaitTold() {
	c.sending.Lock()
	defer c.sending.Unlock()
}

// observe tells the observer something, in its place among what is sent, unless it has been told of the end.
func (c *Client) observe(tell func(Observer)) {
	if c.observer == nil {
		return
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	if !c.ended {
		tell(c.observer)
	}
}

// send sends a message to this client alone. It does not wait.
func (c *Client) send(m *outgoing) error {
	if c.shard.later(op{kind: opSend, client: c, message: m}) {
		return nil
	}
	return c.sendNow(m)
}

// sendNow is send for those who know that nothing goes before it.
func (c *Client) sendNow(m *outgoing) error {
	if c.observer == nil {
		_, err := c.pass(m)
		return err
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	sent, err := c.pass(m)
	if sent && !c.ended {
		m.observe(c.observer)
	}
	return err
}

// pass gives a message to the connection, which does not take a volatile one that would have to wait.
func (c *Client) pass(m *outgoing) (sent bool, err error) {
	if m.volatile {
		return c.conn.SendVolatile(m.message), nil
	}
	err = c.conn.Send(m.message)
	return err == nil, err
}

// outgoing is one packet to send.
type outgoing struct {
	message  *engine.Message
	volatile bool
	secret   bool // it is the answer to a CONNECT, which has the private id
	mark     int  // bytes of the offset at its end
}

func newOutgoing(text []byte, binary [][]byte) *outgoing {
	return &outgoing{message: engine.NewMessage(text, binary...)}
}

func (m *outgoing) observe(o Observer) {
	text := m.message.Text()
	if m.secret {
		text = masked(text)
	}
	o.Sent(text, false)
	for _, p := range m.message.Binary() {
		o.Sent(p, true)
	}
}

func (m *outgoing) size() int { return m.message.Size() }
