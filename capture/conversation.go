package capture

import (
	"net/netip"
)

// Ends are the addresses of a conversation, both of IPv4 or both of IPv6.
type Ends [2]netip.AddrPort // of Client and Server

func (e Ends) from(s Side) pair { return pair{e[s], e[s.Other()]} }

const windowScale = 7 // windows are 2^7 times as large as the header says: 8 MiB

// ackEvery is how many segments are sent before the far end says that it has them: far below a window.
const ackEvery = 16

// TCP writes one connection. Each side acknowledges at once what the other one says, so nothing is ever said twice.
type TCP struct {
	w    *Writer
	ends Ends
	mss  int
	seq  [2]uint32 // of each side's next byte
	over [2]bool   // the side has ended its direction
}

// TCP begins a connection, with the three packets of its handshake, at a time of Unix µs. The sequence numbers of both sides
// begin at first.
func (w *Writer) TCP(at int64, ends Ends, first [2]uint32) *TCP {
	t := &TCP{w: w, ends: ends, seq: first, mss: ends.from(Client).room() - tcpHeader}
	hello := []byte{2, 4, byte(t.mss >> 8), byte(t.mss), 1, 3, 3, windowScale} // largest segment; nothing; scale of windows
	t.send(at, Client, tcp{flags: flagSYN, options: hello}, nil)
	t.seq[Client]++
	t.send(at, Server, tcp{flags: flagSYN | flagACK, options: hello}, nil)
	t.seq[Server]++
	t.ack(at, Client)
	return t
}

// send writes a packet of a side. It does not count what is in it.
func (t *TCP) send(at int64, from Side, h tcp, data []byte) {
	h.seq = t.seq[from]
	if h.flags&flagACK != 0 {
		h.ack = t.seq[from.Other()]
	}
	b := t.w.beginPacket(at)
	t.w.endPacket(t.ends.from(from).appendTCP(b, h, data), from)
}

func (t *TCP) ack(at int64, from Side) { t.send(at, from, tcp{flags: flagACK}, nil) }

// Data writes what a side said, in one segment if there is room.
func (t *TCP) Data(at int64, from Side, data []byte) {
	for n := 1; len(data) > 0; n++ {
		part := data[:min(len(data), t.mss)]
		data = data[len(part):]
		flags := byte(flagACK)
		if len(data) == 0 {
			flags |= flagPSH
		}
		t.send(at, from, tcp{flags: flags}, part)
		t.seq[from] += uint32(len(part))
		if len(data) == 0 || n%ackEvery == 0 {
			t.ack(at, from.Other())
		}
	}
}

// maxMissing is how many bytes are left out at once, so that what follows is not yet farAhead while readers wait for them.
const maxMissing = farAhead / 2

// Missing leaves out n bytes that a side said: readers of the file see that they were not captured. Of more than half a GiB, behind
// which readers take what follows for something else, it leaves out so many.
func (t *TCP) Missing(from Side, n uint64) { t.seq[from] += uint32(min(n, maxMissing)) }

// End says that a side will say no more.
func (t *TCP) End(at int64, from Side) {
	if t.over[from] {
		return
	}
	t.over[from] = true
	t.send(at, from, tcp{flags: flagFIN | flagACK}, nil)
	t.seq[from]++
	t.ack(at, from.Other())
}

// Reset says that a side broke the connection. Behind the end of both there is nothing to break.
func (t *TCP) Reset(at int64, from Side) {
	if t.over[Client] && t.over[Server] {
		return
	}
	t.over = [2]bool{true, true}
	t.send(at, from, tcp{flags: flagRST | flagACK}, nil)
}

// UDP writes datagrams between two ends.
type UDP struct {
	w    *Writer
	ends Ends
}

// UDP begins a conversation.
func (w *Writer) UDP(ends Ends) *UDP { return &UDP{w, ends} }

// Data writes what a side said at a time of Unix µs, as one datagram; more than one can hold (65,507 bytes over IPv4, 20 more over IPv6) as several.
func (u *UDP) Data(at int64, from Side, data []byte) {
	way := u.ends.from(from)
	most := way.room() - udpHeader
	for {
		part := data[:min(len(data), most)]
		data = data[len(part):]
		u.w.endPacket(way.appendUDP(u.w.beginPacket(at), part), from)
		if len(data) == 0 {
			return
		}
	}
}
