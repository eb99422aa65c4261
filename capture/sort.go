package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// Options say what of a file is read.
type Options struct {
	Port uint16 // of either end; 0: any
}

// File is what a capture file holds, put in order.
type File struct {
	Conversations []*Conversation // in the order of their first packets
	Packets       uint64          // in the file
	Ignored       uint64          // of them: neither TCP nor UDP, or cut within their headers, or not chosen
}

// sorter sorts the packets of a file.
type sorter struct {
	opt       Options
	file      *File
	shelf     shelf
	flows     map[flowKey]*Conversation // the newest of each
	all       []*Conversation
	fragments fragments
	held      int // bytes that wait in all streams
	unknown   linkType
	strangers uint64 // packets of a kind of link that is not known
}

// flowKey is a pair of ends, whichever way a packet goes.
type flowKey struct {
	protocol byte
	a, b     netip.AddrPort
}

// Read reads a whole file, and sorts its packets into conversations: connections of TCP in which anything was said, or whose
// handshake was seen, and flows of UDP. What was said is in memory, up to a limit, and in the spool, which must stay for as long as
// conversations are read. What is wrong with the file is an *Error.
func Read(in io.Reader, spool Spool, opt Options) (*File, error) {
	r, err := newReader(in)
	if err != nil {
		return nil, err
	}
	s := &sorter{opt: opt, file: &File{}, shelf: shelf{spool: spool}, flows: map[flowKey]*Conversation{}}
	for {
		err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			s.file.Packets++
			err = s.add(&r.packet)
			if errors.Is(err, errMany) {
				err = r.wrong(err)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if err := s.finish(r.names); err != nil {
		return nil, err
	}
	if len(s.file.Conversations) == 0 {
		return nil, &Error{"the file", s.nothing()}
	}
	return s.file, nil
}

// nothing says why there is no conversation.
func (s *sorter) nothing() error {
	switch {
	case s.file.Packets == 0:
		return errors.New("there are no packets in it")
	case s.strangers == s.file.Packets:
		return fmt.Errorf("its %d packets are of link type %d, which is not read: use Ethernet, Linux cooked, loopback or raw IP",
			s.file.Packets, s.unknown)
	case s.opt.Port != 0:
		return fmt.Errorf("none of its %d packets is of a conversation over TCP or UDP at port %d", s.file.Packets, s.opt.Port)
	}
	return fmt.Errorf("none of its %d packets is of a conversation over TCP or UDP", s.file.Packets)
}

// add sorts one packet.
func (s *sorter) add(p *packet) error {
	s.file.Ignored++
	if !p.link.known() {
		s.unknown = p.link
		s.strangers++
		return nil
	}
	b := p.network()
	d, ok := parseIP(b, p.wire-(len(p.data)-len(b)))
	if !ok {
		return nil
	}
	if d.part.is && !s.fragments.add(&d) {
		s.file.Ignored--
		return nil
	}
	switch d.protocol {
	case protocolTCP:
		return s.addTCP(p, &d)
	case protocolUDP:
		return s.addUDP(p, &d)
	}
	return nil
}

// conversation is the newest between two ends, nil if there is none, and which of its sides the packet is from.
func (s *sorter) conversation(protocol byte, from, to netip.AddrPort) (key flowKey, f *Conversation, side int) {
	key = flowKey{protocol, from, to}
	if to.Compare(from) < 0 {
		key.a, key.b, side = to, from, 1
	}
	return key, s.flows[key], side
}

func (s *sorter) wanted(from, to netip.AddrPort) bool {
	return s.opt.Port == 0 || from.Port() == s.opt.Port || to.Port() == s.opt.Port
}

// begin begins a conversation, which replaces an older one between the same ends.
func (s *sorter) begin(key flowKey, p *packet) (*Conversation, error) {
	if old := s.flows[key]; old != nil {
		if err := old.settle(); err != nil {
			return nil, err
		}
	}
	if len(s.all) == maxFlows {
		return nil, errMany
	}
	f := &Conversation{all: s, key: key, Start: p.at, End: p.at}
	s.flows[key] = f
	s.all = append(s.all, f)
	return f, nil
}

func (s *sorter) addUDP(p *packet, d *datagram) error {
	b, be := d.data, binary.BigEndian
	if len(b) < udpHeader {
		return nil
	}
	from, to := netip.AddrPortFrom(d.from, be.Uint16(b)), netip.AddrPortFrom(d.to, be.Uint16(b[2:]))
	if !s.wanted(from, to) {
		return nil
	}
	data, missing := b[udpHeader:], d.missing
	if n := int(be.Uint16(b[4:])) - udpHeader; n >= 0 { // of more than 64 KiB it is 0
		missing = min(missing, max(n-len(data), 0))
		data = data[:min(len(data), n)]
	}
	key, f, side := s.conversation(protocolUDP, from, to)
	if f == nil {
		var err error
		if f, err = s.begin(key, p); err != nil {
			return err
		}
		f.client = side
		if from.Port() < 1024 && to.Port() >= 1024 { // the capture began with an answer
			f.client = 1 - side
		}
	}
	s.file.Ignored--
	f.see(p)
	l := &f.sides[side]
	l.said = true
	if err := s.shelf.put(&l.lane, p.at, p.number, Said, data); err != nil || missing == 0 {
		return err
	}
	return f.lose(l, p.at, p.number, uint64(missing))
}

func (s *sorter) addTCP(p *packet, d *datagram) error {
	b, be := d.data, binary.BigEndian
	if len(b) < tcpHeader {
		return nil
	}
	head := int(b[12]>>4) * 4
	from, to := netip.AddrPortFrom(d.from, be.Uint16(b)), netip.AddrPortFrom(d.to, be.Uint16(b[2:]))
	if head < tcpHeader || !s.wanted(from, to) {
		return nil
	}
	h := tcp{seq: be.Uint32(b[4:]), ack: be.Uint32(b[8:]), flags: b[13]}
	key, f, side := s.conversation(protocolTCP, from, to)
	if f == nil || f.isOver(side, h) {
		var err error
		if f, err = s.begin(key, p); err != nil {
			return err
		}
		f.client = clientOf(side, h, from.Port(), to.Port())
	}
	s.file.Ignored--
	f.see(p)
	seg := segment{seq: h.seq, missing: d.missing, fin: h.flags&flagFIN != 0, at: p.at, packet: p.number}
	if head <= len(b) {
		seg.data = b[head:]
	} else { // its options were not captured whole
		seg.missing = max(seg.missing-(head-len(b)), 0)
	}
	return f.segment(side, h, seg)
}

// clientOf is the side that opened a connection, by a packet that one side sent: its SYN, or the one that answers it; else the one
// with the higher port.
func clientOf(side int, h tcp, from, to uint16) int {
	isServer := from < to
	if h.flags&flagSYN != 0 {
		isServer = h.flags&flagACK != 0
	}
	if isServer {
		return 1 - side
	}
	return side
}

// finish completes all conversations, and leaves out those in which nothing happened.
func (s *sorter) finish(names map[netip.Addr]string) error {
	for _, f := range s.all {
		if err := f.settle(); err != nil {
			return err
		}
		if f.key.protocol == protocolTCP && !f.sides[0].said && !f.sides[1].said && f.Missing == 0 && !(f.sides[0].opened && f.sides[1].opened) {
			continue
		}
		if len(s.file.Conversations) == MaxConversations {
			return &Error{"the file", errMany}
		}
		f.complete(names)
		s.file.Conversations = append(s.file.Conversations, f)
	}
	s.flows = nil
	return nil
}
