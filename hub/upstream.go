package hub

import (
	"errors"
	"io"
	"os"
	"sync"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Upstream is the connection that a relayed session is joined with: what comes from it is recorded as Sent, before the
// far end gets it. Each direction is carried by one goroutine at a time.
type Upstream struct {
	conn    transport.Conn
	session *Session

	up sync.Mutex // orders what is written to conn

	// owned by whoever carries up
	passUp func() bool
	begun  bool // a part of a piece is written, and up held
	telnet *overTelnet

	// owned by whoever carries down
	passDown func() bool
	armed    int64 // when the read deadline of conn comes, Unix µs; 0: none is set
	held     recording.Held
	scratch  []byte
}

// Upstream joins the session with a connection.
func (s *Session) Upstream(conn transport.Conn) *Upstream {
	u := &Upstream{conn: conn, session: s}
	if s.conf.Record != session.RecordStrict { // where bytes wait for the disk, they are not passed on without waiting
		u.passUp, u.passDown = u.tryUp, u.tryDown
	}
	return u
}

// CarryUp passes on to the upstream what the far end sends, until something ends that or, with ErrQuiet, nothing came
// for a while. io.EOF says that the far end sends no more; an error of the upstream is an *UpstreamError.
func (u *Upstream) CarryUp() error {
	s := u.session
	soon := soonFor(s.conn, u.passUp)
	for {
		data, err := s.next(soon, u.passUp)
		if err == nil {
			if err = u.writeUp(data); err != nil {
				err = u.failed(err)
			}
		}
		if u.begun {
			u.begun = false
			u.up.Unlock()
		}
		if err != nil {
			return err
		}
	}
}

func (u *Upstream) writeUp(p []byte) error {
	if !u.begun {
		u.up.Lock()
		defer u.up.Unlock()
	}
	if u.telnet != nil {
		u.telnet.hear(p)
	}
	_, err := u.conn.Write(p)
	return err
}

// Type writes to the upstream what somebody types along, between two pieces of what the far end sends.
func (u *Upstream) Type(p []byte) error {
	u.up.Lock()
	defer u.up.Unlock()
	if u.telnet != nil {
		if err := u.telnet.await(); err != nil {
			return err
		}
		p = u.telnet.typed(p)
	}
	_, err := u.conn.Write(p)
	return err
}

// tryUp passes a piece on if that needs no waiting. An error comes again with the rest of it.
func (u *Upstream) tryUp() bool {
	held := &u.session.held
	u.up.Lock()
	n, _ := u.conn.TryWrite(held.Data)
	held.Data = held.Data[n:]
	if len(held.Data) > 0 {
		u.begun = n > 0
		if !u.begun {
			u.up.Unlock()
		}
		return false
	}
	u.up.Unlock()
	held.Release()
	return true
}

// CarryDown is CarryUp the other way. io.EOF says that the upstream sends no more.
func (u *Upstream) CarryDown() error {
	for {
		data, err := u.next()
		if err != nil {
			return err
		}
		if _, err := u.session.writeRecorded(data); err != nil {
			return err
		}
	}
}

func (u *Upstream) next() ([]byte, error) {
	s := u.session
	soon := soonFor(u.conn, u.passDown)
	u.held.Release()
	for {
		s.arm(u.conn, &u.armed, soon)
		err := receive(u.conn, (*sentSink)(u), u.passDown)
		if err == nil {
			return u.held.Data, s.awaitStrict(u.held.Number)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || s.over.Load() != nil || u.armed == 0 {
			return nil, u.failed(err)
		}
		u.armed = 0
		if err := s.lull(soon, session.Sent); err != nil {
			return nil, err
		}
	}
}

// tryDown is tryUp the other way.
func (u *Upstream) tryDown() bool {
	n := u.session.tryRecorded(u.held.Data)
	u.held.Data = u.held.Data[n:]
	if len(u.held.Data) > 0 {
		return false
	}
	u.held.Release()
	return true
}

// failed prefers the session's end to the error that it led to.
func (u *Upstream) failed(err error) error {
	if e := u.session.over.Load(); e != nil {
		return e
	}
	var end *session.End
	if errors.Is(err, io.EOF) || errors.As(err, &end) {
		return err
	}
	return &UpstreamError{Err: err}
}

// ParkDown is the session's Park for what comes from the upstream.
func (u *Upstream) ParkDown() { u.session.park(u.conn) }

// CloseWrite tells the upstream that nothing more will be sent, where the transport can say so.
func (u *Upstream) CloseWrite() error { return u.conn.CloseWrite() }

// Release gives back what CarryDown holds, at its end.
func (u *Upstream) Release() { u.held.Release() }

// sentSink records what an upstream sent.
type sentSink Upstream

func (k *sentSink) Take(read func([]byte) (int, error)) error {
	h, err := k.session.log.Fill(session.Sent, read)
	k.held = h
	return err
}

func (k *sentSink) Put(p []byte) error {
	n, err := k.session.log.Append(session.Sent, p)
	k.scratch = append(k.scratch[:0], p...)
	k.held = recording.Held{Data: k.scratch, Number: n}
	return err
}
