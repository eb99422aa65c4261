//go:build linux

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is room for many datagrams that one system call receives or sends.
type batch struct {
	headers []header
	vectors []unix.Iovec
	names   []unix.RawSockaddrInet4
	bufs    [][]byte
}

// header is struct mmsghdr.
type header struct {
	unix.Msghdr
	length uint32
	_      [4]byte
}

func newBatch(n, size int, named bool) *batch {
	b := &batch{headers: make([]header, n), vectors: make([]unix.Iovec, n), names: make([]unix.RawSockaddrInet4, n),
		bufs: make([][]byte, n)}
	for i := range b.headers {
		b.bufs[i] = make([]byte, size)
		b.vectors[i].Base = &b.bufs[i][0]
		b.headers[i].Iov = &b.vectors[i]
		b.headers[i].SetIovlen(1)
		if named {
			b.headers[i].Name = (*byte)(unsafe.Pointer(&b.names[i]))
		}
	}
	return b
}

// receive is recvmmsg with room for n datagrams.
func (b *batch) receive(fd, n, flags int) (int, error) {
	for i := range n {
		b.vectors[i].SetLen(len(b.bufs[i]))
		if b.headers[i].Name != nil {
			b.headers[i].Namelen = unix.SizeofSockaddrInet4
		}
	}
	return b.call(unix.SYS_RECVMMSG, fd, n, flags)
}

// send is sendmmsg of the first n datagrams, each as long as it was received.
func (b *batch) send(fd, n int) (int, error) {
	for i := range n {
		b.vectors[i].SetLen(int(b.headers[i].length))
	}
	return b.call(unix.SYS_SENDMMSG, fd, n, 0)
}

func (b *batch) call(number uintptr, fd, n, flags int) (int, error) {
	for {
		done, _, errno := unix.Syscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&b.headers[0])), uintptr(n),
			uintptr(flags), 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(done), nil
	}
}
