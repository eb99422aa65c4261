//go:build amd64 || arm64

package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchSize  = 64       // datagrams of one system call
	batchBytes = 64 << 10 // of answers that are sent with one call
)

// packetBatch is a UDP socket that reads and writes many datagrams with one system call each. What flows write while a
// batch is being handled goes out together at its end, or as soon as there is much of it.
//
// The runtime's poller does not know the socket: it would be woken by whatever comes while a batch is being handled,
// which costs more than the thread that waits in recvmmsg(2).
type packetBatch struct {
	fd       int
	ipv6     bool
	closed   atomic.Bool
	down     chan struct{} // closed once the socket is shut down
	released chan struct{} // closed with the descriptor

	in      [batchSize]mmsghdr
	inIov   [batchSize]unix.Iovec
	inName  [batchSize]unix.RawSockaddrInet6
	buffers []byte // batchSize of MaxDatagram+1, touched as far as datagrams reach

	mu       sync.Mutex
	serving  bool // the reader closes the descriptor
	handling bool // a batch is being handled: writes wait for its end
	count    int
	arena    []byte
	ends     [batchSize]int
	out      [batchSize]mmsghdr
	outIov   [batchSize]unix.Iovec
	outName  [batchSize]unix.RawSockaddrInet6
	name     unix.RawSockaddrInet6 // of a datagram that goes out by itself
}

// mmsghdr is the kernel's struct mmsghdr: see recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// newPacketBatch takes the socket over from conn.
func newPacketBatch(conn *net.UDPConn) (*packetBatch, error) {
	b := &packetBatch{fd: -1, down: make(chan struct{}), released: make(chan struct{})}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		var domain int
		if domain, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil {
			return
		}
		b.ipv6 = domain == unix.AF_INET6
		b.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(controlErr, err); err != nil {
		return nil, fmt.Errorf("udp socket: %w", err)
	}
	conn.Close()
	if err := unix.SetNonblock(b.fd, false); err != nil {
		unix.Close(b.fd)
		return nil, fmt.Errorf("udp socket: %w", err)
	}
	b.buffers = make([]byte, batchSize*(MaxDatagram+1))
	for i := range b.in {
		b.inIov[i].Base = &b.buffers[i*(MaxDatagram+1)]
		b.inIov[i].SetLen(MaxDatagram + 1)
		b.in[i].hdr.Name = (*byte)(unsafe.Pointer(&b.inName[i]))
		b.in[i].hdr.Iov = &b.inIov[i]
		b.in[i].hdr.SetIovlen(1)
		b.out[i].hdr.Name = (*byte)(unsafe.Pointer(&b.outName[i]))
		b.out[i].hdr.Iov = &b.outIov[i]
		b.out[i].hdr.SetIovlen(1)
	}
	return b, nil
}

// closeLimit is how long Close waits for the reader to let go of the port.
const closeLimit = time.Second

// Close wakes the reader, and whoever waits to write.
func (b *packetBatch) Close() error {
	if b.closed.Swap(true) {
		return net.ErrClosed
	}
	unix.Shutdown(b.fd, unix.SHUT_RDWR) // ENOTCONN, and yet it wakes them
	close(b.down)
	b.mu.Lock()
	if !b.serving {
		b.release()
	}
	b.mu.Unlock()
	select {
	case <-b.released:
	case <-time.After(closeLimit):
	}
	return nil
}

// release closes the descriptor; b.mu is held.
func (b *packetBatch) release() {
	unix.Close(b.fd)
	close(b.released)
}

// serveBatches is Serve, many datagrams at a time.
func (p *Packets) serveBatches(open func(f *Flow) bool) error {
	b := p.batch
	b.mu.Lock()
	if b.closed.Load() {
		b.mu.Unlock()
		return net.ErrClosed
	}
	b.serving = true
	b.mu.Unlock()
	for {
		n, errno := b.receive()
		if b.closed.Load() { // what was received may be nothing but the shutdown
			<-b.down
			b.mu.Lock()
			b.release()
			b.mu.Unlock()
			return net.ErrClosed
		}
		if errno != 0 {
			continue // EINTR, or an ICMP error of some peer: not ours
		}
		b.mu.Lock()
		b.handling = true
		b.mu.Unlock()
		for i := range n {
			at := i * (MaxDatagram + 1)
			p.dispatch(addrPort(&b.inName[i]), b.buffers[at:at+int(b.in[i].len)], open)
		}
		b.mu.Lock()
		b.flush()
		b.handling = false
		b.mu.Unlock()
	}
}

// receive waits for at least one datagram.
func (b *packetBatch) receive() (int, unix.Errno) {
	for i := range b.in {
		b.in[i].hdr.Namelen = unix.SizeofSockaddrInet6
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(b.fd), uintptr(unsafe.Pointer(&b.in[0])), batchSize,
		unix.MSG_WAITFORONE, 0, 0)
	return int(n), errno
}

// writeTo sends one datagram by itself.
func (b *packetBatch) writeTo(data []byte, to netip.AddrPort) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return net.ErrClosed
	}
	size := b.setName(&b.name, to)
	for {
		_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(b.fd), uintptr(unsafe.Pointer(unsafe.SliceData(data))),
			uintptr(len(data)), 0, uintptr(unsafe.Pointer(&b.name)), uintptr(size))
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return os.NewSyscallError("sendto", errno)
		}
	}
}

// defers takes a datagram that can go out with others; false means that the caller writes it.
func (b *packetBatch) defers(data []byte, to netip.AddrPort) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.handling || len(data) > batchBytes/4 {
		return false
	}
	b.arena = append(b.arena, data...)
	b.ends[b.count] = len(b.arena)
	b.out[b.count].hdr.Namelen = b.setName(&b.outName[b.count], to)
	b.count++
	if b.count == batchSize || len(b.arena) > batchBytes {
		b.flush()
	}
	return true
}

// empty is where the bytes of a datagram without any lie.
var empty byte

// flush sends what waits; b.mu is held. A datagram that the system does not take is lost, as any can be.
func (b *packetBatch) flush() {
	if b.count == 0 {
		return
	}
	start := 0
	for i := range b.count {
		b.outIov[i].Base = &empty
		if b.ends[i] > start {
			b.outIov[i].Base = &b.arena[start]
		}
		b.outIov[i].SetLen(b.ends[i] - start)
		start = b.ends[i]
	}
	for sent := 0; sent < b.count && !b.closed.Load(); {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(b.fd), uintptr(unsafe.Pointer(&b.out[sent])),
			uintptr(b.count-sent), 0, 0, 0)
		switch errno {
		case 0:
			sent += int(n)
		case unix.EINTR:
		default:
			sent++ // this one cannot be sent; the others can
		}
	}
	b.count, b.arena = 0, b.arena[:0]
}

// addrPort reads a kernel address.
func addrPort(name *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
	if name.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port)
	}
	addr := netip.AddrFrom16(name.Addr)
	if name.Scope_id != 0 { // a link-local address means nothing without its interface
		addr = addr.WithZone(strconv.FormatUint(uint64(name.Scope_id), 10))
	}
	return netip.AddrPortFrom(addr, port)
}

// setName writes the kernel's form of an address and returns its size.
func (b *packetBatch) setName(name *unix.RawSockaddrInet6, to netip.AddrPort) (size uint32) {
	*name = unix.RawSockaddrInet6{}
	if b.ipv6 {
		name.Family, name.Addr = unix.AF_INET6, to.Addr().As16()
		scope, _ := strconv.ParseUint(to.Addr().Zone(), 10, 32)
		name.Scope_id = uint32(scope)
		size = unix.SizeofSockaddrInet6
	} else {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		v4.Family, v4.Addr = unix.AF_INET, to.Addr().Unmap().As4()
		size = unix.SizeofSockaddrInet4
	}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&name.Port))[:], to.Port())
	return size
}
