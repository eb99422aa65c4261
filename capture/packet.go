package capture

import (
	"encoding/binary"
	"net/netip"
)

const (
	protocolTCP = 6
	protocolUDP = 17

	ip4Header = 20
	tcpHeader = 20
	udpHeader = 8
	maxPacket = 65_535 // bytes of a packet of IPv4, and behind the header of one of IPv6
)

// Flags of TCP.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// pair is the way of a packet.
type pair struct{ from, to netip.AddrPort }

// room is how many bytes a packet has behind the header of IP.
func (p pair) room() int {
	if p.from.Addr().Is4() {
		return maxPacket - ip4Header
	}
	return maxPacket
}

// appendIP appends the header of IP for n bytes of a protocol behind it.
func (p pair) appendIP(b []byte, protocol byte, n int) []byte {
	be := binary.BigEndian
	if p.from.Addr().Is4() {
		at := len(b)
		b = append(b, 0x45, 0)
		b = be.AppendUint16(b, uint16(ip4Header+n))
		b = append(b, 0, 0, 0x40, 0, 64, protocol, 0, 0) // id 0, must not be divided, 64 hops
		from, to := p.from.Addr().As4(), p.to.Addr().As4()
		b = append(append(b, from[:]...), to[:]...)
		be.PutUint16(b[at+10:], fold(sum(0, b[at:])))
		return b
	}
	b = append(b, 0x60, 0, 0, 0)
	b = be.AppendUint16(b, uint16(n))
	b = append(b, protocol, 64)
	from, to := p.from.Addr().As16(), p.to.Addr().As16()
	return append(append(b, from[:]...), to[:]...)
}

// pseudo is the sum of what a check sum of TCP and UDP covers of IP's header.
func (p pair) pseudo(protocol byte, n int) uint64 {
	s := uint64(protocol) + uint64(n)
	if p.from.Addr().Is4() {
		from, to := p.from.Addr().As4(), p.to.Addr().As4()
		return sum(sum(s, from[:]), to[:])
	}
	from, to := p.from.Addr().As16(), p.to.Addr().As16()
	return sum(sum(s, from[:]), to[:])
}

// tcp is what a header of TCP says beside the ports.
type tcp struct {
	seq, ack uint32
	flags    byte
	options  []byte // of whole words
}

// appendTCP appends a packet.
func (p pair) appendTCP(b []byte, h tcp, data []byte) []byte {
	n := tcpHeader + len(h.options) + len(data)
	b = p.appendIP(b, protocolTCP, n)
	at := len(b)
	be := binary.BigEndian
	b = be.AppendUint16(b, p.from.Port())
	b = be.AppendUint16(b, p.to.Port())
	b = be.AppendUint32(b, h.seq)
	b = be.AppendUint32(b, h.ack)
	b = append(b, byte(tcpHeader+len(h.options))<<2, h.flags, 0xff, 0xff, 0, 0, 0, 0)
	b = append(append(b, h.options...), data...)
	be.PutUint16(b[at+16:], fold(sum(p.pseudo(protocolTCP, n), b[at:])))
	return b
}

// appendUDP appends a packet.
func (p pair) appendUDP(b []byte, data []byte) []byte {
	n := udpHeader + len(data)
	b = p.appendIP(b, protocolUDP, n)
	at := len(b)
	be := binary.BigEndian
	b = be.AppendUint16(b, p.from.Port())
	b = be.AppendUint16(b, p.to.Port())
	b = be.AppendUint16(b, uint16(n))
	b = append(append(b, 0, 0), data...)
	check := fold(sum(p.pseudo(protocolUDP, n), b[at:]))
	if check == 0 {
		check = 0xffff // 0 would mean that there is none
	}
	be.PutUint16(b[at+6:], check)
	return b
}

// sum adds words of 16 bits, big-endian, to s; an odd byte is the first of a word. Carries are kept above them.
func sum(s uint64, b []byte) uint64 {
	be := binary.BigEndian
	for len(b) >= 8 {
		w := be.Uint64(b)
		s += w>>48 + w>>32&0xffff + w>>16&0xffff + w&0xffff
		b = b[8:]
	}
	for len(b) >= 2 {
		s += uint64(be.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

// fold makes a check sum of a sum (RFC 1071).
func fold(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}
