//go:build !linux

package simulate

import (
	"net"
	"syscall"
)

// manyPorts is for Linux.
func manyPorts(_, _ string, _ syscall.RawConn) error { return nil }

// canVanish reports whether muteClose works here.
func canVanish() bool { return false }

// muteClose is for Linux.
func muteClose(net.Conn) bool { return false }
