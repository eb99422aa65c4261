//go:build linux

package benchkit

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Load generators hold their connections as raw descriptors: thousands of them in one thread, and nothing between the
// clock and the system call.

// Source is the i-th loopback address to connect from: each one has some 28,000 ports of its own.
func Source(i int) [4]byte { return [4]byte{127, 2 + byte(i>>14), byte(i >> 7), byte(i<<1) | 1} }

// Connect begins a TCP connection. The descriptor does not block; it is writable once connected. source may be zero.
func Connect(source [4]byte, to netip.AddrPort) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if source != [4]byte{} {
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: source}); err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("bind %v: %w", source, err)
		}
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	if err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, fmt.Errorf("connect to %v: %w", to, err)
	}
	return fd, nil
}

// ConnectNow is Connect that waits for the connection.
func ConnectNow(source [4]byte, to netip.AddrPort, limit time.Duration) (fd int, err error) {
	if fd, err = Connect(source, to); err != nil {
		return -1, err
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for end := time.Now().Add(limit); ; {
		n, err := unix.Poll(poll, int(max(0, time.Until(end).Milliseconds())))
		if err == unix.EINTR {
			continue
		}
		if n == 0 {
			unix.Close(fd)
			return -1, fmt.Errorf("connect to %v: not within %v", to, limit)
		}
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("connect to %v: %w", to, err)
		}
		return fd, nil
	}
}

// Listen opens a listening TCP socket on a free port of 127.0.0.1. The descriptor does not block.
func Listen() (fd int, at netip.AddrPort, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, at, fmt.Errorf("socket: %w", err)
	}
	at = netip.MustParseAddrPort(FreeAddr("tcp"))
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}); err != nil {
		return -1, at, fmt.Errorf("bind %v: %w", at, err)
	}
	if err := unix.Listen(fd, 4096); err != nil {
		return -1, at, fmt.Errorf("listen: %w", err)
	}
	return fd, at, nil
}

// CloseReset closes a connection by a reset, which leaves no port waiting.
func CloseReset(fd int) {
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.Close(fd)
}

// Poller is one epoll instance with room for its events.
type Poller struct {
	fd     int
	events [512]unix.EpollEvent
}

// NewPoller makes a Poller.
func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &Poller{fd: fd}, nil
}

// Watch has the events of fd reported, with tag to know it by.
func (p *Poller) Watch(fd int, events uint32, tag int32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: tag})
}

// Change changes what is reported of fd.
func (p *Poller) Change(fd int, events uint32, tag int32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: tag})
}

// Forget reports no more of fd, which stays open.
func (p *Poller) Forget(fd int) error { return unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil) }

// Wait waits for events until the deadline and returns none when it has passed.
func (p *Poller) Wait(deadline time.Time) ([]unix.EpollEvent, error) {
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return nil, nil
		}
		n, err := unix.EpollWait(p.fd, p.events[:], int(left.Milliseconds())+1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("epoll: %w", err)
		}
		if n > 0 {
			return p.events[:n], nil
		}
	}
}

// Close closes it.
func (p *Poller) Close() { unix.Close(p.fd) }
