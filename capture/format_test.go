package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
)

var orders = []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian}

// small is a conversation, in packets and as told tells it.
func small(t *testing.T, ends Ends) ([]raw, string) {
	t.Helper()
	return packetsOf(t, story(ends, [2]uint32{5, 9}, func(c *TCP) {
		c.Data(someday+1_000_000, Client, []byte("ping"))
		c.Data(someday+2_000_001, Server, []byte("pong"))
		c.End(someday+3_000_000, Client)
	})), "c:ping s:pong c."
}

func TestPcapIsReadInEveryOrderAndUnit(t *testing.T) {
	list, want := small(t, pairs)
	for _, order := range orders {
		for _, nanos := range []bool{false, true} {
			c := sorted(t, pcap(order, nanos, linkRaw, list)).Conversations
			if len(c) != 1 || told(t, c[0]) != want || c[0].Start != someday*1000 || c[0].End != (someday+3_000_000)*1000 {
				t.Errorf("%v, ns %v: got %+v", order, nanos, c)
			}
		}
	}
}

// interfaceOf describes an interface of pcapng.
func interfaceOf(order binary.AppendByteOrder, kind linkType, snap uint32, options ...byte) []byte {
	b := order.AppendUint32(order.AppendUint16(order.AppendUint16(nil, uint16(kind)), 0), snap)
	return block(order, blockInterface, append(b, options...))
}

func TestPcapngIsReadWithAllItsSectionsInterfacesAndBlocks(t *testing.T) {
	list, _ := small(t, pairs)
	for _, order := range orders {
		option := func(code uint16, value ...byte) []byte {
			return pad(append(order.AppendUint16(order.AppendUint16(nil, code), uint16(len(value))), value...))
		}
		packet := func(kind, on uint32, ticks uint64, p raw, options ...byte) []byte {
			var b []byte
			if kind == blockPacket {
				b = order.AppendUint32(nil, on)
			} else {
				b = order.AppendUint16(order.AppendUint16(nil, uint16(on)), 7) // of which some were dropped
			}
			b = order.AppendUint32(order.AppendUint32(b, uint32(ticks>>32)), uint32(ticks))
			b = order.AppendUint32(order.AppendUint32(b, uint32(len(p.data))), uint32(len(p.data)))
			return block(order, kind, append(pad(append(b, p.data...)), options...))
		}
		ethernet := func(p raw) raw {
			return raw{data: append([]byte("\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00"), p.data...)}
		}
		offset := order.AppendUint64(nil, 1_700_000_000)
		file := bytes.Join([][]byte{
			section(order),
			block(order, 0x0BAD, []byte("an unknown block")),
			interfaceOf(order, linkRaw, 0, append(option(2, []byte("eth0")...), option(optResolution, 9)...)...), // ns
			interfaceOf(order, linkEthernet, 0, append(option(optResolution, 0x80|20), option(optOffset, offset...)...)...),
			packet(blockPacket, 0, uint64(list[0].at), list[0], option(optComment, []byte("the first")...)...),
			packet(blockPacket, 1, 1<<19, ethernet(list[1])), // half a second behind the offset
			packet(blockOldPacket, 0, uint64(list[2].at)+6e8, list[2]),
			section(order), // another, whose interfaces count from 0 again
			interfaceOf(order, linkRaw, 0),
			packet(blockPacket, 0, uint64(list[3].at/1000), list[3]),
			block(order, blockSimple, append(order.AppendUint32(nil, uint32(len(list[4].data))), list[4].data...)),
			packet(blockPacket, 0, uint64(list[5].at/1000), list[5]),
		}, nil)
		f := sorted(t, file)
		if got := told(t, f.Conversations[0]); got != "c:ping s:pong" || f.Packets != 6 || f.Ignored != 0 {
			t.Errorf("%v: got %q of %d packets, %d ignored", order, got, f.Packets, f.Ignored)
		}
		var times []int64
		r, err := newReader(bytes.NewReader(file))
		for ; err == nil; err = r.next() {
			times = append(times, r.packet.at-someday*1000)
		}
		if len(times) != 7 || times[2] != 5e8 || times[3] != 6e8 || times[5] != times[4] {
			t.Errorf("%v: times %v", order, times)
		}
	}
}

func TestTimesOfAnyResolution(t *testing.T) {
	for _, c := range []struct {
		link  link
		ticks uint64
		want  int64 // -1: none
	}{
		{link{ticks: 6}, 1_700_000_000_123_456, 1_700_000_000_123_456_000},
		{link{ticks: 0}, 1_700_000_000, 1_700_000_000_000_000_000},
		{link{ticks: 12}, 1_700_000_000_123_456, 1_700_000_000_123},
		{link{ticks: 0x80 | 32}, 1_700_000_000<<32 | 1<<31, 1_700_000_000_500_000_000},
		{link{ticks: 3, seconds: -5}, 5_001, 1_000_000},
		{link{ticks: 3, seconds: -6}, 5_001, -1},
		{link{ticks: 0}, math.MaxUint64, -1},
		{link{ticks: 0, seconds: math.MaxInt64}, 1, -1},
		{link{ticks: 20}, 1, -1},
		{link{ticks: 0xff}, 1, -1},
	} {
		at, ok := c.link.time(c.ticks)
		if ok != (c.want >= 0) || ok && at != c.want {
			t.Errorf("%+v, %d: got %d, %v; want %d", c.link, c.ticks, at, ok, c.want)
		}
	}
}

func TestEveryKindOfLinkIsRead(t *testing.T) {
	mac := "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"
	six := Ends{netip.MustParseAddrPort("[2001:db8::7]:5000"), netip.MustParseAddrPort("[2001:db8::1]:9000")}
	for _, c := range []struct {
		name   string
		kind   linkType
		v4, v6 string
	}{
		{"Ethernet", linkEthernet, mac + "\x08\x00", mac + "\x86\xdd"},
		{"VLAN", linkEthernet, mac + "\x81\x00\x00\x07\x08\x00", mac + "\x81\x00\x00\x07\x86\xdd"},
		{"QinQ", linkEthernet, mac + "\x88\xa8\x00\x07\x81\x00\x00\x08\x08\x00", mac + "\x91\x00\x00\x07\x81\x00\x00\x08\x86\xdd"},
		{"raw", linkRaw, "", ""},
		{"raw of BSD", linkRawBSD, "", ""},
		{"IPv4", linkIPv4, "", ""},
		{"IPv6", linkIPv6, "", ""},
		{"null, little-endian", linkNull, "\x02\x00\x00\x00", "\x1e\x00\x00\x00"},
		{"null, big-endian", linkNull, "\x00\x00\x00\x02", "\x00\x00\x00\x18"},
		{"loop", linkLoop, "\x00\x00\x00\x02", "\x00\x00\x00\x18"},
		{"cooked", linkCooked, "\x00\x00\x03\x04\x00\x06" + mac[:8] + "\x08\x00", "\x00\x00\x03\x04\x00\x06" + mac[:8] + "\x86\xdd"},
		{"cooked, with a VLAN", linkCooked, "\x00\x00\x03\x04\x00\x06" + mac[:8] + "\x81\x00\x00\x07\x08\x00", "\x00\x00\x03\x04\x00\x06" + mac[:8] + "\x81\x00\x00\x07\x86\xdd"},
		{"cooked 2", linkCooked2, "\x08\x00" + strings.Repeat("\x00", 18), "\x86\xdd" + strings.Repeat("\x00", 18)},
	} {
		for i, ends := range []Ends{pairs, six} {
			list, want := small(t, ends)
			for j := range list {
				list[j].data = append([]byte([]string{c.v4, c.v6}[i]), list[j].data...)
				if c.kind == linkEthernet { // short frames are filled up, and some have a check sum behind
					list[j].data = append(list[j].data, "\x00\x00\x00\x00\xde\xad\xbe\xef"...)
				}
			}
			got := sorted(t, pcap(binary.LittleEndian, false, c.kind, list)).Conversations
			if len(got) != 1 || told(t, got[0]) != want || got[0].Client != ends[Client] {
				t.Errorf("%s, IPv%d: got %d, %q", c.name, 4+2*i, len(got), told(t, got[0]))
			}
		}
	}
}

func TestHeadersOfIPv6AndOptionsOfIPv4ArePassedOver(t *testing.T) {
	six := Ends{netip.MustParseAddrPort("[2001:db8::7]:5000"), netip.MustParseAddrPort("[2001:db8::1]:9000")}
	packet := six.from(Client).appendUDP(nil, []byte("hello"))
	between := "\x2b\x00" + strings.Repeat("\x00", 6) + // hop by hop, then routing
		"\x33\x01" + strings.Repeat("\x00", 14) + // routing, then authentication
		"\x3c\x01" + strings.Repeat("\x00", 10) + // authentication, then destinations
		"\x11\x00" + strings.Repeat("\x00", 6) // destinations, then UDP
	data := append(append(bytes.Clone(packet[:40]), between...), packet[40:]...)
	data[6] = 0
	binary.BigEndian.PutUint16(data[4:], uint16(len(data)-40))
	c := sorted(t, pcap(binary.LittleEndian, false, linkRaw, []raw{{data: data}})).Conversations
	if got := told(t, c[0]); got != "c:hello" {
		t.Errorf("IPv6: got %q", got)
	}
	packet = pairs.from(Client).appendUDP(nil, []byte("hello"))
	data = append(append(bytes.Clone(packet[:20]), "\x94\x04\x00\x00"...), packet[20:]...)
	data[0] = 0x46
	binary.BigEndian.PutUint16(data[2:], uint16(len(data)))
	c = sorted(t, pcap(binary.LittleEndian, false, linkRaw, []raw{{data: data}})).Conversations
	if got := told(t, c[0]); got != "c:hello" {
		t.Errorf("IPv4: got %q", got)
	}
}

func TestFragmentsArePutTogetherInAnyOrder(t *testing.T) {
	want := strings.Repeat("0123456789abcdef", 250)
	packet := pairs.from(Client).appendUDP(nil, []byte(want))
	var list []raw
	for at := 20; at < len(packet); at += 800 {
		part := packet[at:min(at+824, len(packet))] // they overlap
		data := append(bytes.Clone(packet[:20]), part...)
		binary.BigEndian.PutUint16(data[2:], uint16(len(data)))
		flags := uint16((at - 20) / 8)
		if at+824 < len(packet) {
			flags |= 0x2000
		}
		binary.BigEndian.PutUint16(data[6:], flags)
		list = append([]raw{{at: int64(at), data: data}}, list...) // the last first
	}
	f := sorted(t, pcap(binary.LittleEndian, false, linkRaw, append(list, list[1]))) // and one twice
	if got := saidOf(t, f.Conversations[0]); len(f.Conversations) != 1 || got[0] != want {
		t.Errorf("got %d conversations, %d bytes; want %d", len(f.Conversations), len(got[0]), len(want))
	}
	if _, err := Read(bytes.NewReader(pcap(binary.LittleEndian, false, linkRaw, list[2:])), nil, Options{}); err == nil {
		t.Error("a packet without its last fragment was read")
	}
}

func TestADamagedFileIsRefusedAndSaysWhere(t *testing.T) {
	list, _ := small(t, pairs)
	good := pcap(binary.LittleEndian, false, linkRaw, list)
	ng := story(pairs, [2]uint32{}, func(c *TCP) { c.Data(someday, Client, []byte("x")) })
	damaged := func(b []byte, at int, value byte) []byte {
		b = bytes.Clone(b)
		b[at] = value
		return b
	}
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "the beginning: there is nothing in it"},
		{"text", []byte("hello, this is no capture"), "the beginning: it is neither a pcap nor a pcapng"},
		{"header alone", good[:24], "the file: there are no packets in it"},
		{"header cut", good[:20], "the file ends within it"},
		{"pcap cut", good[:len(good)-3], "behind packet 8, at byte 496: the file ends within it"},
		{"pcapng cut", ng[:len(ng)-3], "the file ends within it"},
		{"length of a packet", damaged(good, 24+11, 0x7f), "behind packet 0, at byte 24: a packet of 2130706480 bytes is larger than any"},
		{"fraction", damaged(good, 24+7, 0x7f), "more than a second"},
		{"length of a block", damaged(ng, 4, 0x61), "behind packet 0, at byte 0: a block cannot have 97 bytes"},
		{"order of bytes", damaged(ng, 8, 0), "its mark of the order of bytes"},
		{"802.11", pcap(binary.LittleEndian, false, 105, list), "its 9 packets are of link type 105, which is not read"},
		{"nothing of ours", pcap(binary.LittleEndian, false, linkRaw, []raw{{data: []byte("\x45")}}), "none of its 1 packets is of a conversation over TCP or UDP"},
		{"an interface that is not there", append(section(binary.LittleEndian), block(binary.LittleEndian, blockSimple, []byte("\x00\x00\x00\x00"))...), "came over interface 0, which is not described"},
	} {
		_, err := Read(bytes.NewReader(c.file), nil, Options{})
		var wrong *Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v; want %q", c.name, err, c.want)
		}
	}
}

func TestErrorsOfTheReaderAndTheSpoolComeBack(t *testing.T) {
	broken := errors.New("broken")
	list, _ := small(t, pairs)
	if _, err := Read(&failing{bytes.NewReader(pcap(binary.LittleEndian, false, linkRaw, list)), broken}, nil, Options{}); !errors.Is(err, broken) {
		t.Errorf("reader: %v", err)
	}
	closed := spooling(t)
	closed.Close()
	large := story(pairs, [2]uint32{}, func(c *TCP) { c.Data(someday, Client, make([]byte, maxUnspooled+1)) })
	if _, err := Read(bytes.NewReader(large), closed, Options{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("spool: %v", err)
	}
}

// failing is a reader that breaks at its end.
type failing struct {
	*bytes.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.Len() == 0 {
		return 0, f.err
	}
	return f.Reader.Read(p)
}

func TestMoreConversationsThanAreReadAreRefused(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, About{})
	for i := range MaxConversations + 1 {
		w.UDP(Ends{netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 5000), pairs[Server]}).Data(someday, Client, []byte("x"))
	}
	w.Close(someday)
	var wrong *Error
	if _, err := Read(bytes.NewReader(out.Bytes()), nil, Options{}); !errors.As(err, &wrong) || !errors.Is(err, errMany) {
		t.Errorf("got %v", err)
	}
}
