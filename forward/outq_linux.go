package forward

import (
	"net"

	"golang.org/x/sys/unix"
)

// outq is how many bytes of a TCP connection its far end's kernel has not acknowledged: see SIOCOUTQ in tcp(7).
func outq(conn *net.TCPConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	n := 0
	var errno error
	if err := raw.Control(func(fd uintptr) {
		if n, errno = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); errno == nil {
			if state, err := unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO); err == nil && state.State == tcpClose {
				errno = unix.ECONNRESET // what was not acknowledged was thrown away, and is not counted
			}
		}
	}); err != nil {
		return 0, err
	}
	return n, errno
}

const tcpClose = 7 // of the kernel's states of a connection
