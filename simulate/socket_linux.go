package simulate

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// manyPorts lets one address have as many connections as it has ports, for each server.
func manyPorts(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { // an old kernel does without
		unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
}

// canVanish reports whether muteClose works here.
func canVanish() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, unix.TCP_REPAIR_ON) == nil
}

// muteClose closes a connection of TCP without a FIN or a RST: as a program that moves its connections elsewhere does.
func muteClose(conn net.Conn) bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	done := false
	if raw.Control(func(fd uintptr) {
		done = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, unix.TCP_REPAIR_ON) == nil
	}) != nil || !done {
		return false
	}
	conn.Close()
	return true
}
