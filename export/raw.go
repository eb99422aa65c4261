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
	mapping   *session.Mapping // of the room
	cuts      []span           // on record as sent, but never sent; in order
	sent      uint64           // bytes on record as sent so far
}

func (r *raw) event(e session.Event) {
	if !r.direction.Shows(e.Kind) {
		return
	}
	switch e.Kind {
	case session.Received:
		r.out.Write(e.Data)
	case session.Sent, session.SentErr:
		r.writeSent(e.Data)
	case session.Opened:
		var info session.Info
		if json.Unmarshal(e.Data, &info) == nil {
			r.mapping = info.Mapping
		}
	case session.Message:
		r.message(e.Data)
	}
}

func (r *raw) message(data []byte) {
	m, err := session.ParseRoomMessage(data)
	if err != nil {
		return
	}
	if m.Kind == session.SaidEvent {
		m.Bytes = r.mapping.AppendBytes(nil, m.Bytes, true)
	}
	r.out.Write(m.Bytes)
}

// writeSent writes what of the data lies outside of the cuts.
func (r *raw) writeSent(data []byte) {
	for len(data) > 0 {
		n := uint64(len(data))
		if len(r.cuts) == 0 || r.sent+n <= r.cuts[0].from {
			r.out.Write(data)
			r.sent += n
			return
		}
		cut := r.cuts[0]
		if r.sent < cut.from {
			n = cut.from - r.sent
			r.out.Write(data[:n])
		} else {
			n = min(n, cut.to-r.sent)
		}
		data = data[n:]
		r.sent += n
		if r.sent == cut.to {
			r.cuts = r.cuts[1:]
		}
	}
}

func (r *raw) end() {}

// findUnsent reads all events for the bytes that are on record as sent and never were. last is the number of the last
// event that it read: later ones may yet tell of more.
func findUnsent(open func() (Reader, error)) (cuts []span, last uint64, err error) {
	var sent uint64
	err = read(open, func(e session.Event) error {
		last = e.Number
		switch e.Kind {
		case session.Sent, session.SentErr:
			sent += uint64(len(e.Data))
		case session.Unsent:
			if n, err := strconv.ParseUint(string(e.Data), 10, 63); err == nil {
				cuts = cutLast(cuts, sent, n)
			}
		}
		return nil
	})
	return cuts, last, err
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
