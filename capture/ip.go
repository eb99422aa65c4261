package capture

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// datagram is a packet of IP.
type datagram struct {
	from, to netip.Addr
	protocol byte
	data     []byte // behind all headers of IP
	missing  int    // bytes at its end that were not captured
	part     part   // if it is a fragment
}

// part says which part of a packet a fragment is.
type part struct {
	is     bool
	id     uint32
	offset int // bytes
	more   bool
}

// Headers of IPv6 that stand before the one of the protocol.
const (
	headerHopByHop     = 0
	headerRouting      = 43
	headerFragment     = 44
	headerAuthentic    = 51
	headerDestinations = 60
	headerMobility     = 135
	headerIdentity     = 139
	headerShim         = 140
)

// parseIP reads the headers of a packet that has as many bytes on the wire as wire says.
func parseIP(b []byte, wire int) (d datagram, ok bool) {
	if len(b) == 0 {
		return d, false
	}
	switch b[0] >> 4 {
	case 4:
		return parseIPv4(b, wire)
	case 6:
		return parseIPv6(b, wire)
	}
	return d, false
}

// within is b without what stands behind a packet of n bytes, and how many of them are missing. Where the length is not said, as of
// segments that a network card is to divide, it is the wire's.
func within(b []byte, n, wire int, said bool) (data []byte, missing int) {
	if !said {
		n = max(wire, len(b))
	}
	if n <= len(b) {
		return b[:n], 0
	}
	return b, min(n-len(b), maxPacket)
}

func parseIPv4(b []byte, wire int) (d datagram, ok bool) {
	be := binary.BigEndian
	if len(b) < ip4Header {
		return d, false
	}
	head, total := int(b[0]&15)*4, int(be.Uint16(b[2:]))
	if head < ip4Header || head > len(b) || total != 0 && total < head {
		return d, false
	}
	d.from, d.to = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	d.protocol = b[9]
	flags := be.Uint16(b[6:])
	if d.part = (part{id: uint32(be.Uint16(b[4:])), offset: int(flags&0x1fff) * 8, more: flags&0x2000 != 0}); d.part.offset > 0 || d.part.more {
		d.part.is = true
	}
	d.data, d.missing = within(b, total, wire, total != 0)
	d.data = d.data[head:]
	return d, true
}

func parseIPv6(b []byte, wire int) (d datagram, ok bool) {
	if len(b) < ip6Header {
		return d, false
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	d.from, d.to = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	d.protocol = b[6]
	d.data, d.missing = within(b[ip6Header:], n, wire-ip6Header, n != 0)
	return d, d.pastHeaders()
}

// pastHeaders goes past the headers that stand before the one of the protocol, up to that of a fragment. It reports whether the
// protocol's was reached, or a fragment's.
func (d *datagram) pastHeaders() bool {
	be := binary.BigEndian
	for range maxHeaders {
		b, n := d.data, 0
		switch d.protocol {
		case headerHopByHop, headerRouting, headerDestinations, headerMobility, headerIdentity, headerShim:
			if len(b) < 8 {
				return false
			}
			n = int(b[1])*8 + 8
		case headerAuthentic:
			if len(b) < 8 {
				return false
			}
			n = int(b[1])*4 + 8
		case headerFragment:
			if len(b) < 8 {
				return false
			}
			n = 8
			at := be.Uint16(b[2:])
			if d.part = (part{id: be.Uint32(b[4:]), offset: int(at &^ 7), more: at&1 != 0}); d.part.offset > 0 || d.part.more {
				d.part.is = true
			}
		default:
			return true
		}
		if n > len(b) {
			return false
		}
		d.protocol, d.data = b[0], b[n:]
		if d.part.is {
			return true
		}
	}
	return false
}

const ip6Header = 40

// fragments puts packets together of their fragments.
type fragments struct {
	whole map[fragmentKey]*fragmented
	order []fragmentKey // of their first fragments, the oldest first
}

type fragmentKey struct {
	from, to netip.Addr
	protocol byte // of IPv4
	id       uint32
}

// fragmented is a packet of which some fragments are there.
type fragmented struct {
	pieces   []piece // in order of their offsets, without overlaps
	length   int     // of all, if the last is there
	protocol byte    // that the first fragment names
}

type piece struct {
	offset int
	data   []byte
}

// add takes a fragment. It completes d and reports so if all of the packet is there now.
func (f *fragments) add(d *datagram) bool {
	if d.missing > 0 || d.part.offset+len(d.data) > maxPacket {
		return false
	}
	key := fragmentKey{d.from, d.to, d.protocol, d.part.id}
	if d.from.Is6() {
		key.protocol = 0 // which the first fragment alone names
	}
	p := f.whole[key]
	if p == nil {
		if len(f.order) == maxFragmented {
			delete(f.whole, f.order[0])
			f.order = f.order[1:]
		}
		if f.whole == nil {
			f.whole = map[fragmentKey]*fragmented{}
		}
		p = &fragmented{length: -1}
		f.whole[key] = p
		f.order = append(f.order, key)
	}
	if d.part.offset == 0 {
		p.protocol = d.protocol
	}
	if !d.part.more {
		p.length = d.part.offset + len(d.data)
	}
	if len(p.pieces) >= maxFragments {
		return false
	}
	p.put(d.part.offset, d.data)
	data, ok := p.join()
	if !ok {
		return false
	}
	delete(f.whole, key)
	for i := range f.order {
		if f.order[i] == key {
			f.order = slices.Delete(f.order, i, i+1)
			break
		}
	}
	d.data, d.protocol, d.part = data, p.protocol, part{}
	return d.from.Is4() || d.pastHeaders() && !d.part.is
}

// put keeps what of the data no earlier fragment has.
func (p *fragmented) put(offset int, data []byte) {
	i := 0
	for ; i < len(p.pieces) && len(data) > 0; i++ {
		have := p.pieces[i]
		end := have.offset + len(have.data)
		if end <= offset {
			continue
		}
		if offset < have.offset {
			n := min(len(data), have.offset-offset)
			p.insert(i, offset, data[:n])
			i++
			offset, data = offset+n, data[n:]
		}
		n := min(len(data), end-offset)
		offset, data = offset+n, data[n:]
	}
	if len(data) > 0 {
		p.insert(i, offset, data)
	}
}

func (p *fragmented) insert(i, offset int, data []byte) {
	p.pieces = slices.Insert(p.pieces, i, piece{offset, slices.Clone(data)})
}

// join is the whole, if it is there.
func (p *fragmented) join() ([]byte, bool) {
	if p.length < 0 {
		return nil, false
	}
	at := 0
	for _, piece := range p.pieces {
		if piece.offset != at {
			return nil, false
		}
		at += len(piece.data)
	}
	if at < p.length {
		return nil, false
	}
	whole := make([]byte, 0, at)
	for _, piece := range p.pieces {
		whole = append(whole, piece.data...)
	}
	return whole[:p.length], true
}
