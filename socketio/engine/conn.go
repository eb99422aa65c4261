package engine

import (
	"context"
	"net/http"
)

// Server serves Engine.IO over HTTP.
type Server struct{}

// New makes a Server.
func New(opt Options, h Handler) *Server { return &Server{} }

// ServeHTTP serves any path: who mounts it chooses.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {}

// Close ends every connection as ServerShutdown and waits for them.
func (s *Server) Close(ctx context.Context) error { return nil }

// Len is how many connections there are.
func (s *Server) Len() int { return 0 }

// Conn is one client's connection.
type Conn struct {
	User any // the handler's own; set in Open
}

// ID is 20 unguessable characters.
func (c *Conn) ID() string { return "" }

// Revision is 3 or 4.
func (c *Conn) Revision() int { return 4 }

// Transport is "polling" or "websocket".
func (c *Conn) Transport() string { return "" }

// Remote is the client's address.
func (c *Conn) Remote() string { return "" }

// Send sends m behind what was sent before. It does not wait.
func (c *Conn) Send(m *Message) error { return nil }

// SendVolatile sends m only if nothing waits for the client.
func (c *Conn) SendVolatile(m *Message) bool { return false }

// SendBatch sends many messages at once.
func (c *Conn) SendBatch(b *Batch) error { return nil }

// Waiting is how many bytes wait for the client.
func (c *Conn) Waiting() int { return 0 }

// Close ends the connection. It does not wait.
func (c *Conn) Close(reason Reason) {}

// Closed reports whether the connection has ended or is ending.
func (c *Conn) Closed() bool { return false }

// Message is one Engine.IO message, or several that belong together, encoded once for all who get it.
type Message struct{}

// NewMessage is a text message and the binary ones behind it.
func NewMessage(text []byte, attachments ...[]byte) *Message { return &Message{} }

// NewBinary is a binary message.
func NewBinary(p []byte) *Message { return &Message{} }

// Size is how many bytes of payload there are.
func (m *Message) Size() int { return 0 }

// Batch is messages that go to many connections together.
type Batch struct{}

// Add appends a message.
func (b *Batch) Add(m *Message) {}

// Reset empties the batch.
func (b *Batch) Reset() {}

// Size is how many bytes of payload there are.
func (b *Batch) Size() int { return 0 }

// Len is how many messages there are.
func (b *Batch) Len() int { return 0 }
