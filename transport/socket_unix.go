//go:build unix

package transport

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// rawConn is what *net.TCPConn and *net.UnixConn have in common.
type rawConn interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// socket is a TCP or Unix connection. It waits for readability in the runtime's poller and borrows a buffer only when
// bytes are there: a parked connection holds none, which halves what an idle one costs.
type socket struct {
	rawConn
	raw    syscall.RawConn
	writer atomic.Pointer[tryWriter] // made at the first TryWrite
	own    bool                      // nobody else can close it
	inq    atomic.Int32              // see tellsInq
}

func newSocket(c rawConn, own bool) Conn {
	raw, err := c.SyscallConn()
	if err != nil {
		return &stream{Conn: c}
	}
	return &socket{rawConn: c, raw: raw, own: own}
}

// reading is what one Receive needs, with the closures that RawConn.Read wants, so that reading allocates nothing.
// Whoever waits holds one, so it is small.
type reading struct {
	sink     Sink
	err      error
	fd       uintptr
	again    *repeating // of ReceiveWhile
	readable func(fd uintptr) bool
	read     func(p []byte) (int, error)
}

// repeating is what one ReceiveWhile needs.
type repeating struct {
	reading
	more   func() bool
	steady int // reads that said EAGAIN, as was told before
	inq    inqReader
}

var readings = sync.Pool{New: func() any {
	r := &reading{}
	r.readable, r.read = r.onReadable, r.readFD
	return r
}}

var repeatings = sync.Pool{New: func() any {
	a := &repeating{}
	a.again, a.readable, a.read = a, a.onReadable, a.readFD
	return a
}}

func (s *socket) Receive(sink Sink) error {
	r := readings.Get().(*reading)
	err := s.receive(r, sink)
	readings.Put(r)
	return err
}

// ReceiveWhile implements Repeater.
func (s *socket) ReceiveWhile(sink Sink, more func() bool) error {
	a := repeatings.Get().(*repeating)
	a.more, a.steady, a.inq.on = more, 0, s.tellsInq()
	err := s.receive(&a.reading, sink)
	a.more = nil
	repeatings.Put(a)
	return err
}

func (s *socket) receive(r *reading, sink Sink) error {
	r.sink = sink
	err := s.raw.Read(r.readable)
	if err == nil {
		err = r.err
	}
	r.sink, r.err = nil, nil
	return err
}

// onReadable runs when bytes may be there, and once before the first wait.
func (r *reading) onReadable(fd uintptr) bool {
	r.fd = fd
	if r.again != nil {
		return r.whileMore()
	}
	r.err = r.sink.Take(r.read)
	return r.err != unix.EAGAIN
}

// steadyAfter is how many pieces in a row must have come by themselves until it is believed that nothing is behind one:
// a reset that comes together with bytes is not told with them, so a short conversation is read to its end.
const steadyAfter = 8

// whileMore stays for as long as pieces are taken: the runtime then keeps the readiness that comes meanwhile, and a
// read that would only say EAGAIN can be left out.
func (r *reading) whileMore() bool {
	a := r.again
	a.inq.left = -1
	for {
		drained := a.inq.on && a.inq.left == 0
		if drained && a.steady >= steadyAfter {
			return false
		}
		r.err = r.sink.Take(r.read)
		if r.err == unix.EAGAIN {
			r.err = nil
			if drained {
				a.steady++
			}
			return false
		}
		if r.err != nil || !a.more() {
			return true
		}
	}
}

func (r *reading) readFD(p []byte) (int, error) {
	for {
		n, err := r.readOnce(p)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, unix.EAGAIN
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (r *reading) readOnce(p []byte) (int, error) {
	if r.again != nil && r.again.inq.on {
		return r.again.inq.read(r.fd, p)
	}
	return unix.Read(int(r.fd), p)
}

// Wait implements Waiter. It goes through as few calls as can be: those who wait here have the smallest stack. The
// first look is needed: RawConn.Read forgets readiness that came before it.
func (s *socket) Wait() error {
	return s.raw.Read(readableNow)
}

// readableNow asks the system, without waiting.
func readableNow(fd uintptr) bool {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p[:], 0)
	return n > 0 || err != nil
}

// tryWriter is what TryWrite needs. Of a socket that is ours alone it knows the descriptor, and its lock keeps Close
// away while it is used; any other is written by the runtime's leave.
type tryWriter struct {
	mu      sync.Mutex
	closed  bool
	fd      int32
	byLeave *leaveWriter // of a socket that is not ours alone
}

// leaveWriter keeps the closure that RawConn.Write wants, so that writing allocates nothing.
type leaveWriter struct {
	p     []byte
	n     int
	err   error
	write func(fd uintptr) bool
}

// closedWriter is of sockets that were closed before their first TryWrite.
var closedWriter = &tryWriter{closed: true}

func (s *socket) newTryWriter() *tryWriter {
	w := &tryWriter{}
	if !s.own {
		w.byLeave = &leaveWriter{}
		w.byLeave.write = w.byLeave.once
		s.writer.Store(w)
		return w
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !s.writer.CompareAndSwap(nil, w) {
		return s.writer.Load()
	}
	w.closed = s.raw.Control(func(fd uintptr) { w.fd = int32(fd) }) != nil
	return w
}

// TryWrite must not be called at the same time as Write: Write holds the descriptor's lock while it waits.
func (s *socket) TryWrite(p []byte) (int, error) {
	w := s.writer.Load()
	if w == nil {
		w = s.newTryWriter()
	}
	if w.byLeave != nil {
		return w.byLeave.tryWrite(s.raw, p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, net.ErrClosed
	}
	return tryWrite(int(w.fd), p)
}

// Close closes the connection. It waits for nobody but a TryWrite, which does not wait.
func (s *socket) Close() error {
	if s.own && !s.writer.CompareAndSwap(nil, closedWriter) {
		w := s.writer.Load()
		w.mu.Lock()
		w.closed = true
		w.mu.Unlock()
	}
	return s.rawConn.Close()
}

func (w *leaveWriter) tryWrite(raw syscall.RawConn, p []byte) (int, error) {
	w.p, w.n, w.err = p, 0, nil
	err := raw.Write(w.write)
	w.p = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

func (w *leaveWriter) once(fd uintptr) bool {
	w.n, w.err = tryWrite(int(fd), w.p)
	return true
}

// tryWrite writes until the socket takes no more. A short write says so: asking again would only say EAGAIN.
func tryWrite(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Write(fd, p)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, os.NewSyscallError("write", err)
		}
	}
}

func (s *socket) Datagrams() bool { return false }
