package transport

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
	"unicode/utf8"
)

// Write sends a message, as text if it is UTF-8, and waits until it is on its way, behind all that waits.
func (s *WebSocket) Write(p []byte) (int, error) {
	if err := s.queue.await(0); err != nil { // or else it might be more than may wait
		return 0, err
	}
	n, err := s.TryWrite(p)
	if err == nil {
		err = s.queue.await(0)
	}
	return n, err
}

// TryWrite sends a message, as text if it is UTF-8. It never waits, and takes all of p unless there is an error.
func (s *WebSocket) TryWrite(p []byte) (int, error) {
	op := OpBinary
	if utf8.Valid(p) {
		op = OpText
	}
	if err := s.send(op, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Push sends whole frames that AppendFrame made, as Queue.Push does. It never waits.
func (s *WebSocket) Push(frames []byte) error { return s.queue.Push(frames) }

// WriteFrames is Write of whole frames that AppendFrame made.
func (s *WebSocket) WriteFrames(frames []byte) error {
	err := s.queue.await(0) // or else it might be more than may wait
	if err == nil {
		err = s.Push(frames)
	}
	if err == nil {
		err = s.queue.await(0)
	}
	return err
}

// Waiting is how many bytes wait for the far end.
func (s *WebSocket) Waiting() int { return s.queue.Waiting() }

// Unsent is how many bytes of messages were taken and never written to the socket. It waits until nothing is written any
// more: after Close or CloseWith for 2 s at most.
func (s *WebSocket) Unsent() int { return s.queue.Unsent() }

// largestKept is the largest buffer that is kept for the next one who needs it.
const largestKept = 64 << 10

var frames = sync.Pool{New: func() any { return new([]byte) }}

func (s *WebSocket) send(op Op, p []byte) error {
	frame := frames.Get().(*[]byte)
	*frame = AppendFrame((*frame)[:0], op, p)
	err := s.Push(*frame)
	if cap(*frame) <= largestKept {
		frames.Put(frame)
	}
	return err
}

// goodbyeLimit bounds what comes between CloseWith and the end of the connection.
const goodbyeLimit = 2 * time.Second

// CloseWith sends a close frame behind what waits, and closes the connection when the far end has heard it, but after 2
// s in any case. It does not wait for that. Nothing can be sent behind it.
func (s *WebSocket) CloseWith(code uint16, reason string) error {
	err := s.queue.pushLast(AppendClose(nil, code, reason))
	switch {
	case err == nil:
		go s.leave() // ends within goodbyeLimit
	case !errors.Is(err, net.ErrClosed): // and not on its way out already
		s.conn.Close()
	}
	return err
}

// leave reads to the end of what comes in: unread bytes would make closing a reset, which may overtake the close frame.
func (s *WebSocket) leave() {
	defer s.conn.Close()
	limit := time.AfterFunc(goodbyeLimit, func() { s.conn.Close() })
	defer limit.Stop()
	if s.queue.Flush(goodbyeLimit) != nil {
		return
	}
	s.leaving.Store(true)
	if s.conn.CloseWrite() != nil {
		return
	}
	for {
		err := s.conn.Receive(discard{})
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded): // who received has set it
			s.conn.SetReadDeadline(time.Time{})
		default:
			return
		}
	}
}

// discard is a Sink that keeps nothing.
type discard struct{}

func (discard) Put([]byte) error { return nil }

func (discard) Take(read func(p []byte) (int, error)) error {
	buf := inputs.Get().(*input)
	defer inputs.Put(buf)
	_, err := read(buf[:])
	return err
}

// Close closes the connection at once, without a close frame.
func (s *WebSocket) Close() error {
	s.queue.shutNow()
	return s.conn.Close()
}

// CloseWrite implements Conn: a WebSocket has no half-close.
func (s *WebSocket) CloseWrite() error { return ErrUnsupported }
