package transport

import (
	"encoding/binary"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inqReader reads with the number of bytes that stay behind, which the kernel tells together with them: see TCP_INQ in
// tcp(7). Where it is 0, everything has been read, and the far end has sent no FIN.
type inqReader struct {
	on      bool
	left    int
	msg     unix.Msghdr
	iov     unix.Iovec
	control [24]byte // one message of an int32: unix.CmsgSpace(4)
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
	r.iov.Base = unsafe.SliceData(p)
	r.iov.SetLen(len(p))
	r.msg = unix.Msghdr{Iov: &r.iov, Control: &r.control[0]}
	r.msg.SetIovlen(1)
	r.msg.SetControllen(len(r.control))
	n, _, errno := unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&r.msg)), unix.MSG_DONTWAIT)
	r.iov.Base = nil
	if errno != 0 {
		return 0, errno
	}
	r.left = -1
	h := (*unix.Cmsghdr)(unsafe.Pointer(&r.control[0]))
	if int(r.msg.Controllen) >= unix.CmsgLen(4) && h.Level == unix.SOL_TCP && h.Type == unix.TCP_CM_INQ {
		r.left = int(int32(binary.NativeEndian.Uint32(r.control[unix.CmsgLen(0):])))
	}
	return int(n), nil
}
