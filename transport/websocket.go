package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// WebSocketOptions are how a WebSocket behaves. Zero values mean the defaults.
type WebSocketOptions struct {
	MaxMessage int         // bytes of one message received; 1 MiB
	WriteLimit int         // bytes that may wait for the far end; 1 MiB
	OnFailed   func(error) // called once, in a goroutine of its own, if what waits cannot be written
}

const defaultWebSocketLimit = 1 << 20

// WebSocket is a connection of RFC 6455, at the server's end, as a Conn of messages: each piece received is one message, and
// so is each Write.
type WebSocket struct {
	conn  Conn // fixed after the handshake
	queue Queue
	max   int

	// owned by who receives
	rest     []byte // input that is not handled yet
	ready    bool   // rest may hold a whole frame
	message  []byte // the fragments so far
	kind     Op     // of the message that is in fragments; 0 if none is
	pong     []byte // the newest ping that was not answered
	pinged   bool
	received error // io.EOF after a close frame

	closing atomic.Bool // a close frame is on its way, or the connection is closed
}

// UpgradeWebSocket answers a WebSocket handshake (RFC 6455, section 4.2) and takes the connection over: the handler returns,
// and nothing of net/http stays. If it fails, the request has been answered. Whether the request's origin may connect is the
// caller's to check. There is no compression.
func UpgradeWebSocket(w http.ResponseWriter, r *http.Request, opt WebSocketOptions) (*WebSocket, error) {
	raw, rw, _, err := ws.HTTPUpgrader{}.Upgrade(r, w)
	if err != nil {
		return nil, fmt.Errorf("websocket handshake: %w", err)
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		raw.Close()
		return nil, fmt.Errorf("websocket handshake: %w", err)
	}
	s := &WebSocket{conn: own(raw), max: opt.MaxMessage}
	if s.max <= 0 {
		s.max = defaultWebSocketLimit
	}
	limit := opt.WriteLimit
	if limit <= 0 {
		limit = defaultWebSocketLimit
	}
	s.queue.Init(s.conn, limit, opt.OnFailed)
	if n := rw.Reader.Buffered(); n > 0 { // the client did not wait for the answer
		s.rest = make([]byte, n)
		io.ReadFull(rw.Reader, s.rest) // what is buffered is there
		s.ready = true
	}
	return s, nil
}

// CloseError is what the far end did against the protocol.
type CloseError struct {
	Code   uint16 // of RFC 6455, section 7.4
	Reason string
}

func (e *CloseError) Error() string { return fmt.Sprintf("websocket: %s (%d)", e.Reason, e.Code) }

// Codes of close frames.
const (
	CloseNormal      = 1000
	CloseGoingAway   = 1001
	CloseProtocol    = 1002
	CloseBadText     = 1007
	ClosePolicy      = 1008
	CloseTooLarge    = 1009
	CloseServerError = 1011
)

// broken says goodbye for what the far end did, and is the error of that.
func (s *WebSocket) broken(code uint16, reason string) error {
	s.CloseWith(code, reason)
	return &CloseError{Code: code, Reason: reason}
}

// Receive implements Conn: one message is one piece.
func (s *WebSocket) Receive(sink Sink) error {
	got := false
	for {
		err := s.receive(true, func(_ bool, p []byte) error {
			got = true
			return sink.Put(p)
		})
		if got || err != nil {
			return err
		}
	}
}

// ReceiveMessages waits until bytes are there, holding no buffer while it waits, and calls take for each message that they
// complete; there may be none. The bytes are borrowed. It returns io.EOF after the far end said goodbye, what take returned,
// or a *CloseError when the far end broke the protocol.
func (s *WebSocket) ReceiveMessages(take func(binary bool, p []byte) error) error {
	return s.receive(false, take)
}

// Wait implements Waiter.
func (s *WebSocket) Wait() error {
	w, waits := s.conn.(Waiter)
	if s.ready || !waits {
		return nil
	}
	return w.Wait()
}

// Write sends a message, as text if it is UTF-8, and waits until it is on its way.
func (s *WebSocket) Write(p []byte) (int, error) {
	n, err := s.TryWrite(p)
	if err == nil && s.queue.Waiting() > 0 {
		err = s.queue.Flush(stallLimit)
	}
	return n, err
}

// TryWrite sends a message, as text if it is UTF-8: all of it, or an error is returned.
func (s *WebSocket) TryWrite(p []byte) (int, error) {
	op := OpBinary
	if utf8.Valid(p) {
		op = OpText
	}
	frame := frames.Get().(*[]byte)
	defer frames.Put(frame)
	*frame = AppendFrame((*frame)[:0], op, p)
	if err := s.Push(*frame); err != nil {
		return 0, err
	}
	return len(p), nil
}

var frames = sync.Pool{New: func() any { return new([]byte) }}

// Push sends frames that AppendFrame made, whole ones only. It never waits.
func (s *WebSocket) Push(frames []byte) error {
	if s.closing.Load() {
		return net.ErrClosed
	}
	return s.queue.Push(frames)
}

// Waiting is how many bytes wait for the far end.
func (s *WebSocket) Waiting() int { return s.queue.Waiting() }

// goodbyeLimit bounds how long what waits, and the close frame behind it, may take.
const goodbyeLimit = 2 * time.Second

// CloseWith sends a close frame behind what waits, and closes the connection once it is out, but soon. It does not wait.
func (s *WebSocket) CloseWith(code uint16, reason string) error {
	if s.closing.Swap(true) {
		return net.ErrClosed
	}
	err := s.queue.Push(AppendClose(nil, code, reason))
	go func() { // ends within goodbyeLimit
		s.queue.Flush(goodbyeLimit)
		s.conn.Close()
	}()
	return err
}

// Close closes the connection at once.
func (s *WebSocket) Close() error {
	s.closing.Store(true)
	return s.conn.Close()
}

// CloseWrite implements Conn: a WebSocket has no half-close.
func (s *WebSocket) CloseWrite() error { return ErrUnsupported }

// Datagrams implements Conn.
func (s *WebSocket) Datagrams() bool { return true }

// Read is Receive for those who bring a buffer; what does not fit is lost.
func (s *WebSocket) Read(p []byte) (n int, err error) {
	err = s.Receive(putFunc(func(message []byte) error {
		n = copy(p, message)
		return nil
	}))
	return n, err
}

type putFunc func(p []byte) error

func (f putFunc) Put(p []byte) error { return f(p) }
func (f putFunc) Take(read func(p []byte) (int, error)) error {
	return errors.ErrUnsupported
}

func (s *WebSocket) LocalAddr() net.Addr                { return s.conn.LocalAddr() }
func (s *WebSocket) RemoteAddr() net.Addr               { return s.conn.RemoteAddr() }
func (s *WebSocket) SetDeadline(t time.Time) error      { return s.conn.SetDeadline(t) }
func (s *WebSocket) SetReadDeadline(t time.Time) error  { return s.conn.SetReadDeadline(t) }
func (s *WebSocket) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }

var _ Conn = (*WebSocket)(nil)
