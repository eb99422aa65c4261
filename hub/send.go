package hub

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/switchboard-relay/switchboard/session"
)

// Write sends p to the far end and records it as Sent. It waits until the socket took all of it; ending the session
// ends the wait. Writes of several goroutines are recorded and sent in one order.
func (s *Session) Write(p []byte) (int, error) {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	if err := s.recordOut(session.Sent, p); err != nil {
		return 0, err
	}
	return s.writeOut(p)
}

// recordOut records what is about to be sent; s.sendMu is held.
func (s *Session) recordOut(k session.Kind, p []byte) error {
	number, err := s.log.Append(k, p)
	if err == nil {
		err = s.awaitStrict(number)
	}
	if err != nil {
		return s.ended(err)
	}
	return nil
}

// TwoVoiced is a connection that has a second stream to its far end, for what a program writes to its stderr.
type TwoVoiced interface {
	WriteErr(p []byte) (int, error)
}

// WriteErr is Write to the second stream of a TwoVoiced connection, recorded as SentErr.
func (s *Session) WriteErr(p []byte) (int, error) {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	if err := s.recordOut(session.SentErr, p); err != nil {
		return 0, err
	}
	n, err := s.conn.(TwoVoiced).WriteErr(p)
	s.showed(p[:n])
	if err != nil {
		s.unsent(len(p) - n)
		return n, s.ended(err)
	}
	return n, nil
}

// writeRecorded is Write of bytes that are on the record already.
func (s *Session) writeRecorded(p []byte) (int, error) {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	return s.writeOut(p)
}

// tryRecorded sends what can be sent without waiting of bytes that are on the record already, and returns how many they
// are. An error comes again with the rest.
func (s *Session) tryRecorded(p []byte) int {
	if !s.sendMu.TryLock() {
		return 0
	}
	defer s.sendMu.Unlock()
	if s.box.Load() != nil {
		return 0
	}
	n, _ := s.conn.TryWrite(p)
	s.showed(p[:n])
	return n
}

// writeOut writes all of p; s.sendMu is held. What the socket did not take is put on the record.
func (s *Session) writeOut(p []byte) (n int, err error) {
	if o := s.box.Load(); o != nil {
		n, err = o.write(s, p)
	} else {
		n, err = s.conn.Write(p)
		s.showed(p[:n])
	}
	if err != nil {
		s.unsent(len(p) - n)
		return n, s.ended(err)
	}
	return n, nil
}

func (s *Session) unsent(n int) {
	if n > 0 {
		s.log.Append(session.Unsent, strconv.AppendInt(nil, int64(n), 10))
	}
}

// ended prefers the session's end to the error that it led to.
func (s *Session) ended(err error) error {
	if e := s.over.Load(); e != nil {
		return e
	}
	return err
}

// CloseWrite tells the far end that nothing more will be sent, and records that.
func (s *Session) CloseWrite() error {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.hush()
	s.log.Append(session.SentEnd, nil)
	return s.conn.CloseWrite()
}

// Speechless is a connection whose far end takes nothing.
type Speechless interface{ TakesNothing() (why string) }

// sendNoted sends, and notes for whom. Only a Speaker knows whether it can, so that its note comes behind.
func (s *Session) sendNoted(by string, p []byte) error {
	if c, says := s.conn.(Speechless); says {
		return fmt.Errorf("%w: %s", ErrCannotSend, c.TakesNothing())
	}
	if c, speaks := s.conn.(Speaker); speaks {
		err := c.Speak(p)
		if err == nil {
			s.Note(fmt.Sprintf("%s sent %d bytes", by, len(p)))
		}
		return err
	}
	s.Note(fmt.Sprintf("%s sends %d bytes", by, len(p)))
	_, err := s.Write(p)
	return err
}

// send is Write for an operator: in a goroutine of its own, so that a far end that does not read never holds up the
// one who asks. The goroutine ends with the write, at the latest when the session does.
func (s *Session) send(ctx context.Context, by string, p []byte) error {
	done := make(chan error, 1)
	p = append([]byte(nil), p...)
	go func() { done <- s.sendNoted(by, p) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.New("the far end does not read: the bytes wait behind what was sent before, and will go out when it does")
	}
}
