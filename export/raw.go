package export

import (
	"bufio"
	"encoding/json"
	"strconv"

	"github.com/switchboard-relay/switchboard/session"
)

// span is a part of the bytes on record as sent, by their offset.
type span struct{ from, to uint64 }

// raw writes the bytes that crossed the wire. A room's own record has messages instead: what a member over TCP got of
// them is written.
type raw struct {
	out       *bufio.Writer
	direction Direction
	room      room
	cut       cutter
}

func (r *raw) event(e session.Event) {
	if !r.direction.Shows(e.Kind) {
		return
	}
	switch e.Kind {
	case session.Received:
		r.out.Write(e.Data)
	case session.Sent, session.SentErr:
		r.cut.each(e.Data, func(part []byte) { r.out.Write(part) })
	case session.Opened:
		r.room.opened(e.Data)
	case session.Message:
		r.out.Write(r.room.said(e.Data))
	}
}

func (r *raw) end() {}

// room knows how a room's messages read as bytes, from the Opened event of its own record.
type room struct{ mapping *session.Mapping }

func (r *room) opened(data []byte) {
	var info session.Info
	if json.Unmarshal(data, &info) == nil {
		r.mapping = info.Mapping
	}
}

// said is what a member over TCP got of a message.
func (r *room) said(data []byte) []byte {
	m, err := session.ParseRoomMessage(data)
	if err != nil {
		return nil
	}
	if m.Kind == session.SaidEvent {
		return r.mapping.AppendBytes(nil, m.Bytes, true)
	}
	return m.Bytes
}

// cutter leaves out what is on record as sent and never was.
type cutter struct {
	cuts []span // in order
	sent uint64 // bytes on record as sent so far
}

// each gives f what of the sent data lies outside of the cuts.
func (c *cutter) each(data []byte, f func(part []byte)) {
	for len(data) > 0 {
		n := uint64(len(data))
		if len(c.cuts) == 0 || c.sent+n <= c.cuts[0].from {
			f(data)
			c.sent += n
			return
		}
		cut := c.cuts[0]
		if c.sent < cut.from {
			n = cut.from - c.sent
			f(data[:n])
		} else {
			n = min(n, cut.to-c.sent)
		}
		data = data[n:]
		c.sent += n
		if c.sent == cut.to {
			c.cuts = c.cuts[1:]
		}
	}
}

// cutUnsent cuts what an Unsent event says.
func cutUnsent(cuts []span, sent uint64, data []byte) []span {
	n, err := strconv.ParseUint(string(data), 10, 63)
	if err != nil {
		return cuts
	}
	return cutLast(cuts, sent, n)
}

// cutLast cuts the last n of the sent bytes that are not cut yet. cuts are in order and do not touch.
func cutLast(cuts []span, sent, n uint64) []span {
	from := sent
	for n > 0 && from > 0 {
		k := len(cuts)
		if k > 0 && cuts[k-1].to == from {
			from, cuts = cuts[k-1].from, cuts[:k-1]
			continue
		}
		floor := uint64(0)
		if k > 0 {
			floor = cuts[k-1].to
		}
		step := min(n, from-floor)
		from, n = from-step, n-step
	}
	if k := len(cuts); k > 0 && cuts[k-1].to == from {
		from, cuts = cuts[k-1].from, cuts[:k-1]
	}
	if from == sent {
		return cuts
	}
	return append(cuts, span{from, sent})
}
