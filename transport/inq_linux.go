package transport

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inqReader reads with the number of bytes that stay behind, which the kernel tells together with them: see TCP_INQ in
// tcp(7). Where it is 0, everything has been read, and the far end has sent no FIN.
type inqReader struct {
	on   bool
	left int
}

// States of socket.inq.
const (
	inqUnasked = iota
	inqOn
	inqOff
)

// tellsInq asks the kernel, once, to tell the number with every recvmsg(2).
func (s *socket) tellsInq() bool {
	if state := s.inq.Load(); state != inqUnasked {
		return state == inqOn
	}
	state := int32(inqOff)
	if _, tcp := s.rawConn.(*net.TCPConn); tcp {
		s.raw.Control(func(fd uintptr) {
			if unix.SetsockoptInt(int(fd), unix.SOL_TCP, unix.TCP_INQ, 1) == nil {
				state = inqOn
			}
		})
	}
	s.inq.Store(state)
	return state == inqOn
}

func (r *inqReader) read(fd uintptr, p []byte) (int, error) {
	var control [3]uint64 // one message of an int32: unix.CmsgSpace(4) bytes, aligned
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	msg := unix.Msghdr{Iov: &iov, Control: (*byte)(unsafe.Pointer(&control))}
	msg.SetIovlen(1)
	msg.SetControllen(int(unsafe.Sizeof(control)))
	n, _, errno := unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&msg)), unix.MSG_DONTWAIT)
	switch errno {
	case 0:
	case unix.EAGAIN:
		return 0, unix.EAGAIN // as a constant it needs no memory
	default:
		return 0, errno
	}
	r.left = -1
	h := (*struct {
		unix.Cmsghdr
		inq int32
	})(unsafe.Pointer(&control))
	if int(msg.Controllen) >= unix.CmsgLen(4) && h.Level == unix.SOL_TCP && h.Type == unix.TCP_CM_INQ {
		r.left = int(h.inq)
	}
	return int(n), nil
}
