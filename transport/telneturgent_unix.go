//go:build unix

package transport

import "golang.org/x/sys/unix"

// keepUrgentInline leaves urgent data in its place (RFC 854, page 9): the data mark of a synch would be missing else, and what
// follows would be taken for it. TLS and Unix sockets have none.
func keepUrgentInline(c Conn) {
	if s, ok := c.(*socket); ok {
		s.raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_OOBINLINE, 1) })
	}
}
