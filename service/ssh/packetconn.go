package ssh

import (
	"bufio"
	"net"
	"sync"
	"time"
)

// packetConn is a connection under the library, which moves packets in pieces as small as its own buffers: what is large is
// read and written with fewer system calls here.
type packetConn struct {
	net.Conn

	// owned by who reads
	in    *bufio.Reader
	small int // reads in a row that brought little

	mu   sync.Mutex // guards all below
	skip int        // bytes that are written, but have been sent already
	held []byte     // the beginning of a packet whose rest is about to be written
	late *time.Timer
	err  error // of writing what was held for too long
}

// Sizes in bytes.
const (
	libraryBuffer = 4 << 10   // of the library: it writes a longer packet as so much, and then the rest
	readBuffer    = 256 << 10 // for reading, where much comes
)

const (
	heldAtMost = 500 * time.Microsecond // a packet that is as long as the library's buffer has no rest
	littleAt   = 256                    // small reads in a row, and the large buffer is given back
)

func newPacketConn(conn net.Conn) *packetConn {
	return &packetConn{Conn: conn, in: bufio.NewReaderSize(conn, libraryBuffer)}
}

// Read implements net.Conn. Only the middle of a long packet is read into more than the library's buffer.
func (s *packetConn) Read(p []byte) (int, error) {
	if s.in.Buffered() == 0 {
		switch large := s.in.Size() > libraryBuffer; {
		case !large && len(p) > libraryBuffer:
			s.in, s.small = bufio.NewReaderSize(s.Conn, readBuffer), 0
		case large && s.small >= littleAt:
			s.in = bufio.NewReaderSize(s.Conn, libraryBuffer)
		}
		defer func() {
			if s.in.Buffered() > 0 || len(p) > libraryBuffer {
				s.small = 0
				return
			}
			s.small++
		}()
	}
	return s.in.Read(p)
}

// Write implements net.Conn.
func (s *packetConn) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	n := len(p)
	sent := min(s.skip, n)
	s.skip -= sent
	p = p[sent:]
	switch {
	case len(p) == 0:
		return n, nil
	case len(s.held) > 0:
		s.late.Stop()
		s.held = append(s.held, p...)
		if err := s.writeHeld(); err != nil {
			return 0, err
		}
		return n, nil
	case len(p) == libraryBuffer:
		s.held = append(s.held, p...)
		if s.late == nil {
			s.late = time.AfterFunc(heldAtMost, s.release)
		} else {
			s.late.Reset(heldAtMost)
		}
		return n, nil
	}
	k, err := s.Conn.Write(p)
	return sent + k, err
}

// release writes what waited in vain for its rest.
func (s *packetConn) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) > 0 {
		s.writeHeld()
	}
}

// writeHeld writes what is held; s.mu is held.
func (s *packetConn) writeHeld() error {
	_, s.err = s.Conn.Write(s.held)
	s.held = s.held[:0]
	return s.err
}
