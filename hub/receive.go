package hub

import (
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
func (s *Session) Next() ([]byte, error) {
	if len(s.rest) > 0 {
		p := s.rest
		s.rest = nil
		return p, nil
	}
	for {
		p, err := s.receive()
		if err == nil {
			return p, nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && s.over.Load() == nil && s.listener.idle() > 0 {
			if s.quietFor() < s.listener.idle() {
				continue // the other direction was busy
			}
			s.end(session.End{Cause: session.Idle})
			return nil, s.over.Load()
		}
		return nil, s.explain(err)
	}
}

// NextFrom waits for the next piece of an upstream and records it as Sent, before anybody writes it to the far end. It
// is for relays: the bytes go on with WriteRecorded, and are valid until release is called.
func (s *Session) NextFrom(upstream transport.Conn, u *Upstream) ([]byte, error) {
	if limit := s.listener.idle(); limit > 0 {
		upstream.SetReadDeadline(time.Now().Add(limit))
	}
	u.held.Release()
	u.session = s
	for {
		err := upstream.Receive(u)
		if err == nil {
			return u.held.Data, s.awaitStrict(u.held.Number)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && s.over.Load() == nil && s.listener.idle() > 0 {
			if quiet := s.quietFor(); quiet < s.listener.idle() {
				upstream.SetReadDeadline(time.Now().Add(s.listener.idle() - quiet))
				continue
			}
			s.end(session.End{Cause: session.Idle})
			return nil, s.over.Load()
		}
		if e := s.over.Load(); e != nil {
			return nil, e
		}
		return nil, err
	}
}

func (s *Session) receive() ([]byte, error) {
	s.held.Release()
	s.rest = nil
	if limit := s.listener.idle(); limit > 0 {
		s.conn.SetReadDeadline(time.Now().Add(max(limit-s.quietFor(), time.Millisecond)))
	}
	if err := s.conn.Receive((*receivedSink)(s)); err != nil {
		return nil, err
	}
	p := s.held.Data
	return p, s.awaitStrict(s.held.Number)
}

// awaitStrict holds bytes back until they are on disk, where the listener says so.
func (s *Session) awaitStrict(number uint64) error {
	if s.info.Record != session.RecordStrict {
		return nil
	}
	s.log.Flush()
	if err := s.log.WaitDurable(s.Context(), number); err != nil {
		return s.explain(err)
	}
	return nil
}

// quietFor is how long nothing has passed in either direction.
func (s *Session) quietFor() time.Duration {
	last := max(s.info.Start, s.log.LastActivity(session.Received), s.log.LastActivity(session.Sent))
	if x := s.extra.Load(); x != nil {
		last = max(last, x.delivery.at.Load())
	}
	return max(0, time.Duration(now()-last)*time.Microsecond)
}

// Read is Next for those who bring a buffer.
func (s *Session) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(s.rest) == 0 {
		data, err := s.Next()
		if err != nil {
			return 0, err
		}
		s.rest = data
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	if s.Datagrams() {
		s.rest = nil // as with any datagram socket, what does not fit is lost
	}
	return n, nil
}

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
	r.scratch = append(r.scratch[:0], p...)
	r.held = recording.Held{Data: r.scratch, Number: n}
	return err
}

// Upstream records what an upstream sent as Sent. Its zero value is ready; Release gives the last bytes back.
type Upstream struct {
	session *Session
	held    recording.Held
	scratch []byte
}

// Release gives back the bytes of the last NextFrom.
func (u *Upstream) Release() { u.held.Release() }

// Take implements transport.Sink.
func (u *Upstream) Take(read func([]byte) (int, error)) error {
	h, err := u.session.log.Fill(session.Sent, read)
	u.held = h
	return err
}

// Put implements transport.Sink.
func (u *Upstream) Put(p []byte) error {
	n, err := u.session.log.Append(session.Sent, p)
	u.scratch = append(u.scratch[:0], p...)
	u.held = recording.Held{Data: u.scratch, Number: n}
	return err
}
