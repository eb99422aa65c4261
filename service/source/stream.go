package source

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
	"github.com/switchboard-relay/switchboard/transport"
)

// reader is what a view needs to read.
type reader struct {
	socket func() // gives back the place that the connection has until it is a session's
	parser threeend.Parser
	said   threeend.Code // the control that came; 0: none
	piece  *buffer       // what was read and is not taken yet
	armed  time.Time     // when the read deadline comes; zero: none is set
	last   time.Time     // when something came
	size   session.Size  // as the source told it; zero: not yet
}

// buffer is borrowed while there is something to read: who waits holds none.
type buffer struct {
	n int
	b [32 << 10]byte
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Take implements transport.Sink.
func (r *reader) Take(read func(p []byte) (int, error)) error {
	b := buffers.Get().(*buffer)
	n, err := read(b.b[:])
	if n <= 0 {
		buffers.Put(b)
		return err
	}
	b.n, r.piece = n, b
	return nil
}

// Put implements transport.Sink.
func (r *reader) Put(p []byte) error {
	return r.Take(func(b []byte) (int, error) { return copy(b, p), nil })
}

// receive reads one piece and has h take what is in it.
func (r *reader) receive(conn transport.Conn, h threeend.Handler) error {
	if err := conn.Receive(r); err != nil {
		return err
	}
	b := r.piece
	r.piece = nil
	err := r.parser.Feed(b.b[:b.n], h)
	buffers.Put(b)
	return err
}

// greet reads until the source has answered, and there is a session; the rest of that piece is on record with it.
func (v *view) greet() error {
	for v.session == nil {
		if err := v.receive(v.conn, v); err != nil {
			return err
		}
		if v.parser.Ended() {
			return v.controlled()
		}
		if v.session == nil && v.parser.Frames() > 0 && v.parser.Between() { // an empty frame is an answer too
			return v.admit("")
		}
	}
	return nil
}

var never time.Time

const quietAfter = time.Second

// errQuiet says that nothing came for a while.
var errQuiet = errors.New("nothing came for a while")

// follow reads until the view is over; err is why it is already. While nothing comes, a fresh goroutine waits, whose stack is
// small.
func (v *view) follow(err error) {
	if err == nil {
		v.last = time.Now()
		err = v.read()
	}
	if errors.Is(err, errQuiet) {
		v.source.work.Go(v.park)
		return
	}
	v.session.EndWith(v.reason(err))
	v.session.Finish()
}

func (v *view) park() {
	v.conn.SetReadDeadline(never)
	v.armed = never
	v.conn.(transport.Waiter).Wait() // why it ended, the next read tells
	v.follow(nil)
}

func (v *view) read() error {
	_, parks := v.conn.(transport.Waiter)
	for {
		if parks && v.armed.IsZero() {
			v.armed = time.Now().Add(quietAfter)
			v.conn.SetReadDeadline(v.armed)
		}
		err := v.receive(v.conn, v)
		switch {
		case err == nil && v.parser.Ended():
			return v.controlled()
		case err == nil:
			v.last = time.Now()
		case errors.Is(err, os.ErrDeadlineExceeded) && v.session.Ended() == nil:
			v.armed = never
			if time.Since(v.last) >= quietAfter-quietAfter/10 {
				return errQuiet
			}
		default:
			return err
		}
	}
}

// Data implements threeend.Handler.
func (v *view) Data(t threeend.Type, p []byte) error {
	if v.session == nil {
		if err := v.admit(""); err != nil {
			return err
		}
	}
	if t == threeend.Input {
		return v.session.RecordReceived(p)
	}
	return v.session.RecordSent(p)
}

// View implements threeend.Handler.
func (v *view) View(cols, rows int) error {
	size := session.Size{Cols: cols, Rows: rows}
	if size == v.size {
		return nil // some sources say it again and again
	}
	v.size = size
	if v.session == nil {
		return v.admit(size.String())
	}
	v.session.Resize(cols, rows)
	return nil
}

// Control implements threeend.Handler.
func (v *view) Control(c threeend.Code) error {
	v.said = c
	return nil
}

// connection is a source's, as its session has it: nothing is sent to it.
type connection struct{ transport.Conn }

const takesNothing = "this is a session of a source, which only shows it: the protocol has nothing that is sent to it"

// TakesNothing implements hub.Speechless.
func (c *connection) TakesNothing() string { return takesNothing }

// Write refuses.
func (c *connection) Write([]byte) (int, error) { return 0, errWrite }

// TryWrite refuses.
func (c *connection) TryWrite([]byte) (int, error) { return 0, errWrite }

// CloseWrite does nothing: a source may take it for the viewer's leaving.
func (c *connection) CloseWrite() error { return nil }

// Conclude gives every end of a source's session its code.
func (c *connection) Conclude(e *session.End) {
	if e.Code == 0 {
		e.Code = threeend.Over.Answer().Code
	}
}

var errWrite = fmt.Errorf("%w: %s", hub.ErrCannotSend, takesNothing)
