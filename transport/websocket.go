package transport

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// WebSocketOptions are how a WebSocket behaves. Zero values mean the defaults.
type WebSocketOptions struct {
	MaxMessage int         // bytes of one message received; 1 MiB
	WriteLimit int         // bytes that may wait for the far end; 1 MiB
	OnFailed   func(error) // called once, in a goroutine of its own, if what waits cannot be written
	RemoteAddr net.Addr    // where the far end is, behind a proxy; default the connection's
	Protocol   string      // the subprotocol that is agreed to, one of those that were offered; none if it is empty
}

const (
	defaultWebSocketLimit = 1 << 20
	handshakeLimit        = 10 * time.Second // for writing the answer
)

// WebSocket is the server's end of a connection of RFC 6455, as a Conn of messages: each piece received is one message,
// and so is each Write. Whoever receives is one goroutine at a time; all else can be called by anybody at any time.
type WebSocket struct {
	conn   Conn     // fixed after the handshake
	remote net.Addr // nil: the connection's
	max    int
	queue  Queue

	// owned by who receives
	in       *input // while what came in is handled
	got      int    // bytes in it
	rest     []byte // what is not handled yet: the beginning of a frame
	message  []byte // the fragments so far
	ping     []byte // the newest that was not answered
	received error  // why nothing more will be received
	ready    bool   // rest is more than the beginning of a frame
	kind     Op     // of the message that comes in fragments; 0 if none does
	goodbye  bool   // the far end has said it

	leaving atomic.Bool // what comes in is thrown away
}

// UpgradeWebSocket answers a WebSocket handshake (RFC 6455, section 4.2) and takes the connection over: the handler
// returns, and nothing of net/http stays. If it fails, the request has been answered. Whether the request's origin may
// connect is the caller's to check. There is no compression.
func UpgradeWebSocket(w http.ResponseWriter, r *http.Request, opt WebSocketOptions) (*WebSocket, error) {
	upgrader := ws.HTTPUpgrader{Timeout: handshakeLimit}
	if opt.Protocol != "" {
		upgrader.Protocol = func(offered string) bool { return offered == opt.Protocol }
	}
	raw, rw, _, err := upgrader.Upgrade(r, w)
	if err != nil {
		if raw != nil {
			raw.Close()
		}
		return nil, fmt.Errorf("websocket handshake: %w", err)
	}
	var early []byte
	if n := rw.Reader.Buffered(); n > 0 { // the client did not wait for the answer
		early = make([]byte, n)
		io.ReadFull(rw.Reader, early) // all of it is there
	}
	return newWebSocket(own(raw), early, opt), nil
}

func newWebSocket(c Conn, early []byte, opt WebSocketOptions) *WebSocket {
	if opt.MaxMessage <= 0 {
		opt.MaxMessage = defaultWebSocketLimit
	}
	if opt.WriteLimit <= 0 {
		opt.WriteLimit = defaultWebSocketLimit
	}
	s := &WebSocket{conn: c, remote: opt.RemoteAddr, max: opt.MaxMessage, rest: early, ready: len(early) > 0}
	s.queue.Init(c, opt.WriteLimit, opt.OnFailed)
	s.queue.framed = true
	return s
}

// CloseError is what the far end did against the protocol, as it was told.
type CloseError struct {
	Code   uint16 // of RFC 6455, section 7.4
	Reason string
}

func (e *CloseError) Error() string { return fmt.Sprintf("websocket: %s (%d)", e.Reason, e.Code) }

// Codes of close frames (RFC 6455, section 7.4.1).
const (
	CloseNormal      = 1000
	CloseGoingAway   = 1001
	CloseProtocol    = 1002
	CloseBadText     = 1007
	ClosePolicy      = 1008
	CloseTooLarge    = 1009
	CloseServerError = 1011
)

// Datagrams implements Conn.
func (s *WebSocket) Datagrams() bool { return true }

// LocalAddr implements net.Conn.
func (s *WebSocket) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s *WebSocket) RemoteAddr() net.Addr {
	if s.remote != nil {
		return s.remote
	}
	return s.conn.RemoteAddr()
}

// NamedAddr is the address of a far end of TCP that is known by somebody's word: "HOST:PORT" or "HOST".
type NamedAddr string

// Network implements net.Addr.
func (NamedAddr) Network() string { return "tcp" }

// String implements net.Addr.
func (a NamedAddr) String() string { return string(a) }

// SetDeadline implements net.Conn.
func (s *WebSocket) SetDeadline(t time.Time) error {
	s.SetWriteDeadline(t)
	return s.SetReadDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (s *WebSocket) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// SetWriteDeadline ends a waiting Write at t with os.ErrDeadlineExceeded. What it took still goes out.
func (s *WebSocket) SetWriteDeadline(t time.Time) error {
	s.queue.setDeadline(t)
	return nil
}

var (
	_ Conn   = (*WebSocket)(nil)
	_ Waiter = (*WebSocket)(nil)
)
