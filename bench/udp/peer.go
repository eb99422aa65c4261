//go:build linux

package main

import (
	"net/netip"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	peerRole   = "peer"
	peerBatch  = 64
	roomForOne = 2048 // bytes of one datagram
)

// servePeer is an echo of nothing but recvmmsg and sendmmsg: no flows, no sessions, no record.
func servePeer(p *benchkit.Parent) error {
	at := netip.MustParseAddrPort(benchkit.FreeAddr("udp"))
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}); err != nil {
		return err
	}
	go func() { // ends with the process
		runtime.LockOSThread()
		b := newBatch(peerBatch, roomForOne, true)
		for {
			n, err := b.receive(fd, peerBatch, unix.MSG_WAITFORONE)
			if err == nil {
				b.send(fd, n)
			}
		}
	}()
	if err := p.Reply(at.String()); err != nil {
		return err
	}
	return benchkit.Serve(p, func(struct{}) (bool, error) { return true, nil })
}
