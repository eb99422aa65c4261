//go:build unix

package transport_test

import (
	"net"

	"golang.org/x/sys/unix"
)

// sendUrgent sends a byte as TCP's urgent data.
func sendUrgent(c *net.TCPConn, b byte) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte{b}, unix.MSG_OOB, nil) })
	return err
}
