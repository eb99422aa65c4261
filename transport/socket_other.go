//go:build !unix

package transport

import "net"

// newSocket: without raw reads a socket is a stream like any other, which holds a buffer while it waits.
func newSocket(c net.Conn, _ bool) Conn { return &stream{Conn: c} }
