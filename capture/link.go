package capture

import "encoding/binary"

// linkType says what a packet of a file begins with: LINKTYPE_ of https://www.tcpdump.org/linktypes.html.
type linkType uint16

const (
	linkNull     linkType = 0 // BSD's loopback: the family of the addresses, in the order of bytes of the machine
	linkEthernet linkType = 1
	linkRawBSD   linkType = 12 // raw IP, as some systems number it
	linkRawOpen  linkType = 14
	linkRaw      linkType = 101
	linkLoop     linkType = 108 // OpenBSD's loopback: the same as linkNull, big-endian
	linkCooked   linkType = 113 // Linux, of any device
	linkIPv4     linkType = 228
	linkIPv6     linkType = 229
	linkCooked2  linkType = 276
)

// known reports whether packets of that type are read.
func (l linkType) known() bool {
	switch l {
	case linkNull, linkEthernet, linkRawBSD, linkRawOpen, linkRaw, linkLoop, linkCooked, linkIPv4, linkIPv6, linkCooked2:
		return true
	}
	return false
}

// Ethernet's numbers of protocols.
const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86DD
	etherVLAN = 0x8100
	etherQinQ = 0x88A8
	etherOld  = 0x9100 // VLANs in VLANs, before there was a standard
)

// network is what of a packet is IP; nil if it is of another protocol, or too short.
func (p *packet) network() []byte {
	head, protocol := 0, 0 // bytes before what comes next, and what that is
	data, be := p.data, binary.BigEndian
	switch p.link {
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		return data
	case linkNull, linkLoop:
		if len(data) < 4 || !isFamily(be.Uint32(data)) && !isFamily(binary.LittleEndian.Uint32(data)) {
			return nil
		}
		return data[4:]
	case linkEthernet:
		head, protocol = 14, 12
	case linkCooked:
		head, protocol = 16, 14
	case linkCooked2:
		head, protocol = 20, 0
	default:
		return nil
	}
	if len(data) < head {
		return nil
	}
	kind := be.Uint16(data[protocol:])
	data = data[head:]
	for range maxTags {
		if kind != etherVLAN && kind != etherQinQ && kind != etherOld || len(data) < 4 {
			break
		}
		kind, data = be.Uint16(data[2:]), data[4:]
	}
	if kind != etherIPv4 && kind != etherIPv6 {
		return nil
	}
	return data
}

// isFamily reports whether a system numbers the addresses of IP so.
func isFamily(n uint32) bool {
	switch n {
	case 2, 10, 23, 24, 28, 30:
		return true
	}
	return false
}
