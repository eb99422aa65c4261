//go:build !linux || (!amd64 && !arm64)

package transport

import (
	"net"
	"net/netip"
)

// packetBatch: elsewhere each datagram is a system call of its own.
type packetBatch struct{}

func newPacketBatch(*net.UDPConn) (*packetBatch, error)     { return nil, nil }
func (b *packetBatch) defers([]byte, netip.AddrPort) bool   { return false }
func (b *packetBatch) writeTo([]byte, netip.AddrPort) error { return net.ErrClosed }
func (b *packetBatch) Close() error                         { return net.ErrClosed }
func (p *Packets) serveBatches(func(f *Flow) bool) error    { return net.ErrClosed }
