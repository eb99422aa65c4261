package hub

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Next waits for the next piece that the far end sends, records it as Received and returns it: what one read of the
// socket gave, or one datagram. The bytes are the recording's own and valid until the next call; they must not be
// changed. It returns io.EOF when the far end sends no more, and the *session.End when the session is ended.
func (s *Session) Next() ([]byte, error) { return s.next(0, nil) }

// next is Next. With soon it gives up as NextSoon does; with more, pieces that more disposes of are not returned.
func (s *Session) next(soon time.Duration, more func() bool) ([]byte, error) {
	if rest := s.rest(); len(rest) > 0 {
		s.unread = 0
		return rest, nil
	}
	s.held.Release()
	for {
		s.arm(s.conn, &s.armed, soon)
		err := receive(s.conn, (*receivedSink)(s), more)
		if err == nil {
			return s.held.Data, s.awaitStrict(s.held.Number)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || s.over.Load() != nil || s.armed == 0 {
			return nil, s.explain(err)
		}
		s.armed = 0
		if err := s.lull(soon, session.Received); err != nil {
			return nil, err
		}
	}
}

// receive is c.Receive, or c.ReceiveWhile where there is more.
func receive(c transport.Conn, sink transport.Sink, more func() bool) error {
	if r, repeats := c.(transport.Repeater); repeats && more != nil {
		return r.ReceiveWhile(sink, more)
	}
	return c.Receive(sink)
}

// awaitStrict holds bytes back until they are on disk, where the listener says so.
func (s *Session) awaitStrict(number uint64) error {
	if s.conf.Record != session.RecordStrict {
		return nil
	}
	s.log.Flush()
	if err := s.log.WaitDurable(s.Context(), number); err != nil {
		return s.explain(err)
	}
	return nil
}

// LastReceived is the time of the newest Received event, Unix µs; 0 if there is none.
func (s *Session) LastReceived() int64 { return s.log.LastActivity(session.Received) }

// LastSent is the time of the newest Sent event, Unix µs; 0 if there is none.
func (s *Session) LastSent() int64 { return s.log.LastActivity(session.Sent) }

// WaitStored waits until all that is on record by now is on disk. It returns the session's end if that comes first, and nil at
// once where nothing is recorded. Who sends has the disk do it for all that waits at once.
func (s *Session) WaitStored() error {
	if s.conf.Record == session.RecordOff {
		return nil
	}
	s.log.Flush()
	if err := s.log.WaitDurable(context.Background(), s.log.Events()); err != nil {
		return s.ended(err)
	}
	return nil
}

// quietFor is how long nothing has passed in either direction.
func (s *Session) quietFor() time.Duration {
	last := max(s.start, s.log.LastActivity(session.Received), s.log.LastActivity(session.Sent))
	last = max(last, s.delivered().at)
	return max(0, time.Duration(now()-last)*time.Microsecond)
}

// Read is Next for those who bring a buffer.
func (s *Session) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if s.unread == 0 {
		data, err := s.Next()
		if err != nil {
			return 0, err
		}
		s.unread = len(data)
	}
	n := copy(p, s.rest())
	s.unread -= n
	if s.Datagrams() {
		s.unread = 0 // as with any datagram socket, what does not fit is lost
	}
	return n, nil
}

func (s *Session) rest() []byte { return s.held.Data[len(s.held.Data)-s.unread:] }

// explain says why receiving ended: the session's end, if it has one.
func (s *Session) explain(err error) error {
	if e := s.over.Load(); e != nil {
		return e
	}
	if errors.Is(err, io.EOF) && !s.hung.Swap(true) {
		s.log.Append(session.ReceivedEnd, nil)
	}
	return err
}

// receivedSink records what the session's own connection received.
type receivedSink Session

func (r *receivedSink) Take(read func([]byte) (int, error)) error {
	h, err := r.log.Fill(session.Received, read)
	r.held = h
	return err
}

func (r *receivedSink) Put(p []byte) error {
	n, err := r.log.Append(session.Received, p)
	x := (*Session)(r).more()
	x.scratch = append(x.scratch[:0], p...)
	r.held = recording.Held{Data: x.scratch, Number: n}
	return err
}
