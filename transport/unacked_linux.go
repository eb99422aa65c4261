package transport

import (
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errNotConnected says that a connection broke before all that was written was acknowledged, or perhaps behind that.
var errNotConnected = errors.New("the connection broke")

// Unacknowledged is how many bytes the far end's system has not acknowledged of what was written, and how many it has acknowledged
// by then, or a moment later. known is false where the system cannot tell. An error says that the connection is no more, so that
// nobody knows.
func Unacknowledged(c Conn) (left int, acked uint64, known bool, err error) {
	raw := rawOf(c)
	if raw == nil {
		return 0, 0, false, nil
	}
	var info *unix.TCPInfo
	e := raw.Control(func(fd uintptr) {
		if left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
			info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		}
	})
	switch {
	case e != nil:
		return 0, 0, true, e
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOPROTOOPT):
		return 0, 0, false, nil // no TCP
	case err != nil:
		return 0, 0, true, err
	case info.State == unix.BPF_TCP_CLOSE:
		return 0, 0, true, errNotConnected
	}
	return left, info.Bytes_acked, true, nil
}

// SetDeadAfter changes for one connection what ListenOptions.DeadAfter said of data that is not acknowledged; 0: as long as the
// system tries.
func SetDeadAfter(c Conn, limit time.Duration) {
	if raw := rawOf(c); raw != nil {
		raw.Control(func(fd uintptr) {
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
		})
	}
}

// rawOf is the socket under a connection, nil if there is none.
func rawOf(c Conn) syscall.RawConn {
	switch c := c.(type) {
	case *socket:
		return c.raw
	case *stream:
		under := c.Conn
		if t, layered := under.(interface{ NetConn() net.Conn }); layered {
			under = t.NetConn()
		}
		if s, ok := under.(syscall.Conn); ok {
			if raw, err := s.SyscallConn(); err == nil {
				return raw
			}
		}
	}
	return nil
}
