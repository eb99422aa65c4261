package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"net/netip"
)

// packet is one of a file's packets. Its data is valid until the next one is read.
type packet struct {
	number uint64 // 1 for the first
	at     int64  // Unix ns
	link   linkType
	data   []byte
	wire   int // bytes that it had, of which data are the first
}

// reader reads a file packet by packet, of either format.
type reader struct {
	in     *bufio.Reader
	read   int64 // bytes so far
	where  int64 // where the block or packet begins that is being read, bytes
	packet packet
	buf    []byte
	next   func() error // reads r.packet; io.EOF behind the last
	order  binary.ByteOrder
	names  map[netip.Addr]string

	// of pcap
	classic link
	nanos   bool

	// of a section of pcapng
	links []link
	last  int64 // time of the newest packet, ns
}

// link is where packets passed.
type link struct {
	kind    linkType
	snap    uint32 // bytes that were kept of each packet; 0: all
	ticks   byte   // in a second: 10 to this power, or with the upper bit 2
	seconds int64  // to be added to times
}

const (
	magicMicros = 0xA1B2C3D4 // of pcap
	magicNanos  = 0xA1B23C4D
)

// Begins reports whether a file that begins with head is a capture file.
func Begins(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	le, be := binary.LittleEndian.Uint32(head), binary.BigEndian.Uint32(head)
	return le == blockSection || le == magicMicros || le == magicNanos || be == magicMicros || be == magicNanos
}

func newReader(in io.Reader) (*reader, error) {
	r := &reader{in: bufio.NewReaderSize(in, 64<<10), names: map[netip.Addr]string{}}
	head, err := r.in.Peek(4)
	switch {
	case len(head) == 0 && errors.Is(err, io.EOF):
		return nil, r.wrong(errEmpty)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case !Begins(head):
		return nil, r.wrong(errors.New("it is neither a pcap nor a pcapng; if it is packed, unpack it first"))
	}
	if binary.LittleEndian.Uint32(head) == blockSection {
		r.order, r.next = binary.LittleEndian, r.nextBlock
		return r, nil
	}
	return r, r.beginClassic()
}

// take reads n bytes, which are valid until the next call.
func (r *reader) take(n int) ([]byte, error) {
	for got := 0; got < n; {
		step := min(n-got, max(got, 64<<10)) // no more memory than there is in the file, however much it promises
		if len(r.buf) < got+step {
			r.buf = append(r.buf, make([]byte, got+step-len(r.buf))...)
		}
		k, err := io.ReadFull(r.in, r.buf[got:got+step])
		got += k
		r.read += int64(k)
		if err != nil {
			return nil, r.cut(err, got)
		}
	}
	return r.buf[:n], nil
}

// skip passes over n bytes.
func (r *reader) skip(n int) error {
	k, err := r.in.Discard(n)
	r.read += int64(k)
	if err != nil {
		return r.cut(err, k)
	}
	return nil
}

// cut is the error of a file that ends after n of the bytes that are to come. At the beginning of a block that is no error.
func (r *reader) cut(err error, n int) error {
	switch {
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case n == 0 && r.read == r.where:
		return io.EOF
	}
	return r.wrong(errors.New("the file ends within it"))
}

func (r *reader) wrong(err error) error {
	if r.read == 0 {
		return &Error{"the beginning", err}
	}
	return &Error{fmt.Sprintf("behind packet %d, at byte %d", r.packet.number, r.where), err}
}

// beginClassic reads the header of a pcap.
func (r *reader) beginClassic() error {
	b, err := r.take(24)
	if err != nil {
		return err
	}
	r.order = binary.LittleEndian
	if magic := binary.BigEndian.Uint32(b); magic == magicMicros || magic == magicNanos {
		r.order = binary.BigEndian
	}
	r.nanos = r.order.Uint32(b) == magicNanos
	r.classic = link{kind: linkType(r.order.Uint32(b[20:]))} // what stands above tells of a check sum behind each packet
	r.next = r.nextClassic
	return nil
}

func (r *reader) nextClassic() error {
	r.where = r.read
	b, err := r.take(16)
	if err != nil {
		return err
	}
	at := int64(r.order.Uint32(b)) * 1e9
	fraction, kept, wire := int64(r.order.Uint32(b[4:])), r.order.Uint32(b[8:]), r.order.Uint32(b[12:])
	if !r.nanos {
		fraction *= 1000
	}
	if fraction >= 1e9 {
		return r.wrong(fmt.Errorf("a fraction of %d ns is more than a second: the file is damaged here", fraction))
	}
	return r.keep(at+fraction, r.classic.kind, int64(kept), wire)
}

// keep reads the data of a packet of a pcap.
func (r *reader) keep(at int64, kind linkType, kept int64, wire uint32) error {
	if kept > maxBlock {
		return r.wrong(fmt.Errorf("a packet of %d bytes is larger than any: the file is damaged here", kept))
	}
	data, err := r.take(int(kept))
	if err != nil {
		return err
	}
	r.packet = packet{r.packet.number + 1, at, kind, data, int(max(int64(wire), kept))}
	return nil
}

// nextBlock reads blocks of pcapng up to the next packet.
func (r *reader) nextBlock() error {
	for {
		r.where = r.read
		b, err := r.take(12)
		if err != nil {
			return err
		}
		kind := r.order.Uint32(b)
		if kind == blockSection {
			if r.order, err = orderOf(b[8:]); err != nil {
				return r.wrong(err)
			}
		}
		n := r.order.Uint32(b[4:])
		if n%4 != 0 || n < 12 || kind == blockSection && n < 28 {
			return r.wrong(fmt.Errorf("a block cannot have %d bytes: the file is damaged here", n))
		}
		if n == 12 {
			continue // an empty one: the last word was its length again
		}
		found, err := r.block(kind, int(n)-16, [4]byte(b[8:12]))
		if err != nil || found {
			return err
		}
	}
}

func orderOf(magic []byte) (binary.ByteOrder, error) {
	switch {
	case binary.LittleEndian.Uint32(magic) == byteOrder:
		return binary.LittleEndian, nil
	case binary.BigEndian.Uint32(magic) == byteOrder:
		return binary.BigEndian, nil
	}
	return nil, errors.New("a section begins without its mark of the order of bytes: the file is damaged here")
}

// block reads the rest of a block, of which the first word is read already, and n bytes and the length are to come.
func (r *reader) block(kind uint32, n int, first [4]byte) (found bool, err error) {
	switch kind {
	case blockSection, blockInterface, blockOldPacket, blockSimple, blockPacket, blockNames:
	default:
		return false, r.tail(n, r.skip(n))
	}
	if n > maxBlock {
		return false, r.wrong(fmt.Errorf("a block of %d bytes is larger than any: the file is damaged here", n))
	}
	b, err := r.take(n)
	if err != nil {
		return false, err
	}
	switch kind {
	case blockSection:
		r.links = r.links[:0]
	case blockInterface:
		err = r.interfaceBlock(first, b)
	case blockNames:
		r.nameBlock(first, b)
	default:
		err = r.packetBlock(kind, first, b)
		found = err == nil
	}
	if err != nil {
		return false, r.wrong(err)
	}
	if found { // what is taken next would overwrite the packet
		tail, err := r.in.Peek(4)
		if err != nil {
			return false, r.cut(err, 1)
		}
		again := r.order.Uint32(tail)
		r.in.Discard(4)
		r.read += 4
		return true, r.again(n, again)
	}
	return false, r.tail(n, nil)
}

// tail reads the length at the end of a block, unless it has failed already.
func (r *reader) tail(n int, err error) error {
	if err != nil {
		return err
	}
	b, err := r.take(4)
	if err != nil {
		return err
	}
	return r.again(n, r.order.Uint32(b))
}

func (r *reader) again(n int, length uint32) error {
	if int64(length) != int64(n)+16 {
		return r.wrong(fmt.Errorf("a block has %d bytes at its beginning and %d at its end: the file is damaged here", n+16, length))
	}
	return nil
}

func (r *reader) interfaceBlock(first [4]byte, b []byte) error {
	if len(b) < 4 {
		return errors.New("an interface is not described whole: the file is damaged here")
	}
	if len(r.links) == maxInterfaces {
		return fmt.Errorf("a section has more than %d interfaces", maxInterfaces)
	}
	l := link{kind: linkType(r.order.Uint16(first[:])), snap: r.order.Uint32(b), ticks: 6}
	r.options(b[4:], func(code uint16, value []byte) {
		switch {
		case code == optResolution && len(value) == 1:
			l.ticks = value[0]
		case code == optOffset && len(value) == 8:
			l.seconds = int64(r.order.Uint64(value))
		}
	})
	r.links = append(r.links, l)
	return nil
}

// options gives f each option, or record of names, up to the end or the first that is damaged.
func (r *reader) options(b []byte, f func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := r.order.Uint16(b), int(r.order.Uint16(b[2:]))
		if b = b[4:]; code == 0 || n > len(b) {
			return
		}
		f(code, b[:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}

// nameBlock learns names of addresses. The first record's code and length are in first.
func (r *reader) nameBlock(first [4]byte, b []byte) {
	r.options(append(first[:], b...), func(code uint16, value []byte) {
		n := map[uint16]int{nameIPv4: 4, nameIPv6: 16}[code]
		if n == 0 || len(value) < n || len(r.names) == maxNames {
			return
		}
		addr, _ := netip.AddrFromSlice(value[:n])
		name := value[n:]
		for i, c := range name {
			if c == 0 {
				name = name[:i]
				break
			}
		}
		if text := cut(string(name), 255); text != "" {
			r.names[addr] = text
		}
	})
}

// packetBlock reads one of the three blocks that hold packets.
func (r *reader) packetBlock(kind uint32, first [4]byte, b []byte) error {
	var on, kept, wire, head uint32
	var ticks uint64
	if head = map[uint32]uint32{blockSimple: 0, blockPacket: 16, blockOldPacket: 16}[kind]; len(b) < int(head) {
		return errors.New("a packet's header is not whole: the file is damaged here")
	}
	switch kind {
	case blockSimple:
		wire = r.order.Uint32(first[:])
	case blockPacket:
		on = r.order.Uint32(first[:])
	case blockOldPacket:
		on = uint32(r.order.Uint16(first[:]))
	}
	if int64(on) >= int64(len(r.links)) {
		return fmt.Errorf("a packet came over interface %d, which is not described: the file is damaged here", on)
	}
	l := r.links[on]
	at := r.last
	if kind == blockSimple {
		kept = min(wire, uint32(len(b)))
		if l.snap > 0 {
			kept = min(kept, l.snap)
		}
	} else {
		ticks = uint64(r.order.Uint32(b))<<32 | uint64(r.order.Uint32(b[4:]))
		kept, wire = r.order.Uint32(b[8:]), r.order.Uint32(b[12:])
		var ok bool
		if at, ok = l.time(ticks); !ok {
			return fmt.Errorf("a time of %d is none: the file is damaged here", ticks)
		}
	}
	if b = b[head:]; int64(kept) > int64(len(b)) {
		return fmt.Errorf("a packet of %d bytes does not go into its block: the file is damaged here", kept)
	}
	r.last = at
	r.packet = packet{r.packet.number + 1, at, l.kind, b[:kept], int(min(max(wire, kept), math.MaxInt32))}
	return nil
}

// time is a time of an interface as Unix ns; false if it lies before 1970 or after 2261.
func (l *link) time(ticks uint64) (int64, bool) {
	var seconds, rest, per uint64 // of per ticks in a second
	if power := l.ticks &^ 0x80; l.ticks&0x80 != 0 {
		if power > 63 {
			return 0, false
		}
		per = 1 << power
	} else {
		if power > 19 {
			return 0, false
		}
		per = 1
		for range power {
			per *= 10
		}
	}
	seconds, rest = ticks/per, ticks%per
	high, low := bits.Mul64(rest, 1e9)
	nanos, _ := bits.Div64(high, low, per)
	total := float64(seconds) + float64(l.seconds)
	if total < 0 || total > math.MaxInt64/1e9-1 {
		return 0, false
	}
	return (int64(seconds)+l.seconds)*1e9 + int64(nanos), true
}
