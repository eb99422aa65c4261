package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
)

// Kind says what an Event tells of.
type Kind uint8

const (
	Said  Kind = iota + 1 // a side said something: one segment or datagram, or what of it was new
	Ended                 // a side says no more
	Lost                  // bytes that a side said were not captured
)

// Event is something that happened in a conversation that was captured.
type Event struct {
	Time    int64 // Unix µs; it never falls
	Kind    Kind
	From    Side
	Data    []byte // of Said; borrowed until the next event
	Missing uint64 // of Lost, bytes
}

// Ending says how a conversation ended.
type Ending uint8

const (
	Unended   Ending = iota // it went on when the capture ended; all of UDP
	ByClient                // the client ended its direction first
	ByServer                // the server did
	Broken                  // a side broke it
	HalfEnded               // one side ended its direction, and the other went on when the capture ended
)

// Conversation is a connection of TCP, or a flow of UDP, that was captured.
type Conversation struct {
	all    *sorter
	key    flowKey
	client int // of sides
	sides  [2]stream
	reset  bool

	Transport      string // tcp or udp
	Client, Server netip.AddrPort
	Name           string // that the file has for the client's address
	Start, End     int64  // Unix ns, of the first and the last packet by their times
	Ending         Ending
	Missing        uint64 // bytes that were not captured, as far as is known
}

// see notes that a packet is of the conversation.
func (f *Conversation) see(p *packet) { f.Start, f.End = min(f.Start, p.at), max(f.End, p.at) }

// isOver reports whether a packet begins another connection between the same ends.
func (f *Conversation) isOver(side int, h tcp) bool {
	s := &f.sides[side]
	if h.flags&flagSYN == 0 || s.opened && s.first == h.seq {
		return false
	}
	if s.opened || f.reset || f.sides[0].ended && f.sides[1].ended {
		return true
	}
	// The connection was seen before its beginning: packets may have changed places.
	return s.placed && s.next-h.seq > maxHeld
}

// segment takes a packet of a side.
func (f *Conversation) segment(side int, h tcp, seg segment) error {
	s, other := &f.sides[side], &f.sides[1-side]
	if h.flags&flagRST != 0 {
		f.reset = true
		return nil // what is in it is for people
	}
	if h.flags&flagSYN != 0 {
		seg.seq++
		seg.fin = false
		if !s.opened {
			s.opened, s.first = true, h.seq
			f.client = clientOf(side, h, 0, 0)
			if !s.placed {
				s.place(seg.seq)
			}
		}
		if h.flags&flagACK != 0 && !other.placed {
			other.place(h.ack)
			if err := f.drain(other); err != nil {
				return err
			}
		}
		if err := f.drain(s); err != nil {
			return err
		}
	}
	return f.take(s, seg)
}

// complete fills in what is known once all packets are.
func (f *Conversation) complete(names map[netip.Addr]string) {
	ends := [2]netip.AddrPort{f.key.a, f.key.b}
	f.Client, f.Server = ends[f.client], ends[1-f.client]
	f.Name = names[f.Client.Addr()]
	f.Transport = "udp"
	if f.key.protocol != protocolTCP {
		return
	}
	f.Transport = "tcp"
	client, server := &f.sides[f.client], &f.sides[1-f.client]
	switch {
	case f.reset:
		f.Ending = Broken
	case client.ended && server.ended && server.endedBefore(client):
		f.Ending = ByServer
	case client.ended && server.ended:
		f.Ending = ByClient
	case client.ended || server.ended:
		f.Ending = HalfEnded
	}
}

// endedBefore reports whether a stream ended before another: its end is the newest thing in its lane.
func (s *stream) endedBefore(t *stream) bool {
	return s.at < t.at || s.at == t.at && s.packet < t.packet
}

// Events reads what happened in a conversation, in order.
func (f *Conversation) Events() *Events {
	e := &Events{client: f.client}
	for i := range e.lanes {
		e.lanes[i] = f.all.shelf.read(&f.sides[i].lane)
	}
	return e
}

// Events are a conversation's, one after the other.
type Events struct {
	client int
	lanes  [2]*laneReader
	begun  bool
	newest int // the lane of the newest event
}

// Next is the next event; io.EOF behind the last.
func (e *Events) Next() (Event, error) {
	for i, l := range e.lanes {
		if e.begun && i != e.newest || l.over {
			continue
		}
		if err := l.next(); err != nil && !l.over {
			return Event{}, unexpected(err)
		}
	}
	e.begun = true
	a, b := e.lanes[0], e.lanes[1]
	switch {
	case a.over && b.over:
		return Event{}, io.EOF
	case a.over, !b.over && (b.at < a.at || b.at == a.at && b.packet < a.packet):
		e.newest = 1
	default:
		e.newest = 0
	}
	l := e.lanes[e.newest]
	event := Event{Time: l.at / 1000, Kind: l.kind, From: Client, Data: l.data}
	if e.newest != e.client {
		event.From = Server
	}
	if l.kind == Lost {
		event.Missing, event.Data = binary.LittleEndian.Uint64(l.data), nil
	}
	return event, nil
}

// unexpected keeps an end within a record, which would be the spool's, from looking like the end of all.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
