//go:build amd64 || arm64

package transport

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchSize  = 64       // datagrams of one system call
	batchBytes = 64 << 10 // of answers that are sent with one call
)

// packetBatch reads and writes many datagrams with one system call each. What flows write while a batch is being
// handled goes out together at its end, or as soon as there is much of it.
type packetBatch struct {
	raw  syscall.RawConn
	ipv6 bool

	in      [batchSize]mmsghdr
	inIov   [batchSize]unix.Iovec
	inName  [batchSize]unix.RawSockaddrInet6
	buffers []byte // batchSize of MaxDatagram+1, touched as far as datagrams reach

	mu       sync.Mutex
	handling bool // a batch is being handled: writes wait for its end
	count    int
	arena    []byte
	ends     [batchSize]int
	out      [batchSize]mmsghdr
	outIov   [batchSize]unix.Iovec
	outName  [batchSize]unix.RawSockaddrInet6
}

// mmsghdr is the kernel's struct mmsghdr: see recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

func newPacketBatch(c *net.UDPConn) *packetBatch {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	b := &packetBatch{raw: raw, buffers: make([]byte, batchSize*(MaxDatagram+1))}
	if err := raw.Control(func(fd uintptr) {
		domain, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		b.ipv6 = err == nil && domain == unix.AF_INET6
	}); err != nil {
		return nil
	}
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
	return b
}

// serveBatches is Serve, many datagrams at a time.
func (p *Packets) serveBatches(open func(f *Flow) bool) error {
	b := p.batch
	var n int
	var errno syscall.Errno
	receive := func(fd uintptr) bool {
		for i := range b.in {
			b.in[i].hdr.Namelen = unix.SizeofSockaddrInet6
		}
		r, _, e := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.in[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
		n, errno = int(r), e
		return e != unix.EAGAIN
	}
	for {
		err := b.raw.Read(receive)
		if errors.Is(err, net.ErrClosed) {
			return net.ErrClosed
		}
		if err != nil || errno != 0 {
			continue // an ICMP error of some peer: not ours
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

// defers takes a datagram that can go out with others; false means that the caller writes it.
func (b *packetBatch) defers(data []byte, to netip.AddrPort) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.handling || len(data) > batchBytes/4 {
		return false
	}
	b.arena = append(b.arena, data...)
	b.ends[b.count] = len(b.arena)
	b.setName(b.count, to)
	b.count++
	if b.count == batchSize || len(b.arena) > batchBytes {
		b.flush()
	}
	return true
}

// flush sends what waits; b.mu is held. A datagram that the system does not take is lost, as any can be.
func (b *packetBatch) flush() {
	if b.count == 0 {
		return
	}
	start := 0
	var empty [1]byte
	for i := range b.count {
		b.outIov[i].Base = &empty[0]
		if b.ends[i] > start {
			b.outIov[i].Base = &b.arena[start]
		}
		b.outIov[i].SetLen(b.ends[i] - start)
		start = b.ends[i]
	}
	sent := 0
	send := func(fd uintptr) bool {
		for sent < b.count {
			r, _, e := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.out[sent])), uintptr(b.count-sent), unix.MSG_DONTWAIT, 0, 0)
			switch {
			case e == unix.EAGAIN:
				return false // the socket's buffer is full: it empties by itself
			case e != 0:
				sent++ // this one cannot be sent; the others can
			default:
				sent += int(r)
			}
		}
		return true
	}
	b.raw.Write(send) // an error means that the socket is closed
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

// setName writes the kernel's form of an address.
func (b *packetBatch) setName(i int, to netip.AddrPort) {
	name := &b.outName[i]
	*name = unix.RawSockaddrInet6{}
	if b.ipv6 {
		name.Family, name.Addr = unix.AF_INET6, to.Addr().As16()
		scope, _ := strconv.ParseUint(to.Addr().Zone(), 10, 32)
		name.Scope_id = uint32(scope)
		b.out[i].hdr.Namelen = unix.SizeofSockaddrInet6
	} else {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		v4.Family, v4.Addr = unix.AF_INET, to.Addr().Unmap().As4()
		b.out[i].hdr.Namelen = unix.SizeofSockaddrInet4
	}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&name.Port))[:], to.Port())
}
