//go:build unix

package transport

import (
	"io"
	"net"
	"os"
	"sync"
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
	writer *tryWriter // made at the first TryWrite
}

func newSocket(c rawConn) Conn {
	raw, err := c.SyscallConn()
	if err != nil {
		return &stream{Conn: c}
	}
	return &socket{rawConn: c, raw: raw}
}

// reading is what one Receive needs, with the closures that RawConn.Read wants, so that reading allocates nothing.
type reading struct {
	sink     Sink
	err      error
	fd       uintptr
	readable func(fd uintptr) bool
	read     func(p []byte) (int, error)
}

var readings = sync.Pool{New: func() any {
	r := &reading{}
	r.readable, r.read = r.onReadable, r.readFD
	return r
}}

func (s *socket) Receive(sink Sink) error {
	r := readings.Get().(*reading)
	r.sink = sink
	err := s.raw.Read(r.readable)
	if err == nil {
		err = r.err
	}
	r.sink, r.err = nil, nil
	readings.Put(r)
	return err
}

// onReadable runs when bytes may be there, and once before the first wait.
func (r *reading) onReadable(fd uintptr) bool {
	r.fd = fd
	r.err = r.sink.Take(r.read)
	return r.err != unix.EAGAIN
}

func (r *reading) readFD(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(r.fd), p)
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

// tryWriter keeps the closure that RawConn.Write wants, so that writing allocates nothing.
type tryWriter struct {
	p     []byte
	n     int
	err   error
	write func(fd uintptr) bool
}

// TryWrite must not be called at the same time as Write: Write holds the descriptor's lock while it waits.
func (s *socket) TryWrite(p []byte) (int, error) {
	w := s.writer
	if w == nil {
		w = &tryWriter{}
		w.write = w.once
		s.writer = w
	}
	w.p, w.n, w.err = p, 0, nil
	err := s.raw.Write(w.write)
	w.p = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

func (w *tryWriter) once(fd uintptr) bool {
	for w.n < len(w.p) {
		n, err := unix.Write(int(fd), w.p[w.n:])
		if n > 0 {
			w.n += n
		}
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return true
		case err != nil:
			w.err = os.NewSyscallError("write", err)
			return true
		case w.n < len(w.p):
			return true // the socket is full: asking again would only say EAGAIN
		}
	}
	return true
}

func (s *socket) Datagrams() bool { return false }
