package frame

import (
	"encoding/binary"
	"hash/crc32"
)

// sum is a check sum of bytes.
type sum struct {
	width int // bytes
	of    func(p []byte) uint32
}

// sums are the check sums by name. crc16-ccitt begins with FFFF (also called CCITT-FALSE), crc16-ibm with 0 (ARC).
var sums = map[string]sum{
	"xor":          {1, func(p []byte) uint32 { return uint32(xorSum(p)) }},
	"sum8":         {1, func(p []byte) uint32 { return uint32(sum8(p)) }},
	"crc16-modbus": {2, func(p []byte) uint32 { return uint32(crcModbus(p)) }},
	"crc16-ibm":    {2, func(p []byte) uint32 { return uint32(crcIBM(p)) }},
	"crc16-x25":    {2, func(p []byte) uint32 { return uint32(crcX25(p)) }},
	"crc16-ccitt":  {2, func(p []byte) uint32 { return uint32(crcCCITT(p)) }},
	"crc32":        {4, crc32.ChecksumIEEE},
}

func xorSum(p []byte) byte {
	var wide uint64
	for ; len(p) >= 8; p = p[8:] {
		wide ^= binary.LittleEndian.Uint64(p)
	}
	wide ^= wide >> 32
	wide ^= wide >> 16
	wide ^= wide >> 8
	x := byte(wide)
	for _, c := range p {
		x ^= c
	}
	return x
}

func sum8(p []byte) (x byte) {
	for _, c := range p {
		x += c
	}
	return x
}

// reflected is a CRC-16 whose lowest bit is the first, by eight tables: table k is what a byte does that k others follow.
type reflected [8][256]uint16

func makeReflected(polynomial uint16) *reflected {
	t := new(reflected)
	for i := range 256 {
		c := uint16(i)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ polynomial
			} else {
				c >>= 1
			}
		}
		t[0][i] = c
	}
	for i := range 256 {
		for k := 1; k < 8; k++ {
			c := t[k-1][i]
			t[k][i] = c>>8 ^ t[0][c&0xff]
		}
	}
	return t
}

func (t *reflected) update(c uint16, p []byte) uint16 {
	for ; len(p) >= 8; p = p[8:] {
		c ^= uint16(p[0]) | uint16(p[1])<<8
		c = t[7][c&0xff] ^ t[6][c>>8] ^ t[5][p[2]] ^ t[4][p[3]] ^ t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]]
	}
	for _, b := range p {
		c = c>>8 ^ t[0][byte(c)^b]
	}
	return c
}

var (
	tableIBM   = makeReflected(0xa001) // x¹⁶+x¹⁵+x²+1
	tableX25   = makeReflected(0x8408) // x¹⁶+x¹²+x⁵+1
	tableCCITT = makeForward(0x1021)   // the same, the highest bit first
)

func crcModbus(p []byte) uint16 { return tableIBM.update(0xffff, p) }
func crcIBM(p []byte) uint16    { return tableIBM.update(0, p) }
func crcX25(p []byte) uint16    { return ^tableX25.update(0xffff, p) }

// forward is a CRC-16 whose highest bit is the first, by eight tables.
type forward [8][256]uint16

func makeForward(polynomial uint16) *forward {
	t := new(forward)
	for i := range 256 {
		c := uint16(i) << 8
		for range 8 {
			if c&0x8000 != 0 {
				c = c<<1 ^ polynomial
			} else {
				c <<= 1
			}
		}
		t[0][i] = c
	}
	for i := range 256 {
		for k := 1; k < 8; k++ {
			c := t[k-1][i]
			t[k][i] = c<<8 ^ t[0][c>>8]
		}
	}
	return t
}

func crcCCITT(p []byte) uint16 {
	t, c := tableCCITT, uint16(0xffff)
	for ; len(p) >= 8; p = p[8:] {
		c ^= uint16(p[0])<<8 | uint16(p[1])
		c = t[7][c>>8] ^ t[6][c&0xff] ^ t[5][p[2]] ^ t[4][p[3]] ^ t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]]
	}
	for _, b := range p {
		c = c<<8 ^ t[0][byte(c>>8)^b]
	}
	return c
}

// check says where in a message its check sum lies, and over what.
type check struct {
	sum
	from, to int // to is negative where it counts from the end
	little   bool
}

// holds reports whether the check sum is that of the bytes. A message that has no room for one is wrong.
func (c *check) holds(p []byte) bool {
	to := c.to
	if to < 0 {
		to += len(p)
	}
	if to < c.from || to+c.width > len(p) {
		return false
	}
	var said uint32
	for i := range c.width {
		if c.little {
			said |= uint32(p[to+i]) << (8 * i)
		} else {
			said = said<<8 | uint32(p[to+i])
		}
	}
	return c.of(p[c.from:to]) == said
}
