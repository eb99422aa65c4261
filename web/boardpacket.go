package web

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

type rawJSON = json.RawMessage

// packet is a live packet that is being made. Its memory is used again for the next one.
type packet struct {
	adds, changed, names, ends list
	buf                        []byte
}

// list is the inside of a JSON array.
type list struct{ buf []byte }

// item begins an item.
func (l *list) item() []byte {
	if len(l.buf) > 0 {
		l.buf = append(l.buf, ',')
	}
	return l.buf
}

// boardBuffer is how large a buffer may be that is kept for the next packet, bytes.
const boardBuffer = 256 << 10

func (p *packet) begin() {
	for _, l := range []*list{&p.adds, &p.changed, &p.names, &p.ends} {
		if l.buf = l.buf[:0]; cap(l.buf) > boardBuffer {
			l.buf = nil
		}
	}
}

// changes reports whether there is anything to tell.
func (p *packet) changes() bool {
	return len(p.adds.buf)+len(p.changed.buf)+len(p.names.buf)+len(p.ends.buf) > 0
}

func (p *packet) add(r *row)    { p.adds.buf = r.append(p.adds.item()) }
func (p *packet) change(r *row) { p.changed.buf = r.appendChange(p.changed.item()) }

func (p *packet) rename(r *row) {
	b := strconv.AppendInt(append(p.names.item(), '['), int64(r.ref), 10)
	p.names.buf = append(append(append(b, ','), session.JSON(r.name)...), ']')
}

// end adds a session that ended; r is nil if viewers were never told of it.
func (p *packet) end(r *row, sum *session.Summary) {
	b := append(p.ends.item(), '{')
	if r != nil {
		b = append(strconv.AppendInt(append(b, `"ref":`...), int64(r.ref), 10), ',')
	}
	p.ends.buf = append(b, session.JSON(sum)[1:]...)
}

// finish is the whole packet, valid until the next one.
func (p *packet) finish(seq int, now time.Time, c *counts) rawJSON {
	b := appendStart(p.buf[:0], seq, now)
	for _, part := range []struct {
		name string
		list *list
	}{{"add", &p.adds}, {"change", &p.changed}, {"name", &p.names}, {"end", &p.ends}} {
		if len(part.list.buf) > 0 {
			b = append(append(append(b, `,"`...), part.name...), `":[`...)
			b = append(append(b, part.list.buf...), ']')
		}
	}
	p.buf = c.append(b)
	return rawJSON(p.buf)
}

// boardPart is how many rows one part of a reset has.
const boardPart = 1000

// whole makes the parts of a reset, each valid until the next.
func (p *packet) whole(seq int, now time.Time, c *counts, rows map[*hub.Session]*row, each func(part []byte)) {
	b := append(appendStart(p.buf[:0], seq, now), `,"reset":true`...)
	if len(rows) > boardPart {
		b = append(b, `,"more":true`...)
	}
	b = append(b, `,"add":[`...)
	n, left := 0, len(rows)
	for _, r := range rows {
		if n == boardPart {
			each(c.append(append(b, ']')))
			if b, n = appendStart(b[:0], seq, now), 0; left > boardPart {
				b = append(b, `,"more":true`...)
			}
			b = append(b, `,"add":[`...)
		}
		if n > 0 {
			b = append(b, ',')
		}
		b = r.append(b)
		n++
		left--
	}
	b = c.append(append(b, ']'))
	each(b)
	if p.buf = b; cap(b) > boardBuffer {
		p.buf = nil
	}
}

func appendStart(b []byte, seq int, now time.Time) []byte {
	b = strconv.AppendInt(append(b, `{"seq":`...), int64(seq), 10)
	return strconv.AppendInt(append(b, `,"now":`...), now.UnixMicro(), 10)
}

func newRow(ref int, s *hub.Session) *row {
	info := s.Info()
	r := &row{ref: ref, name: info.Name}
	b := strconv.AppendInt(make([]byte, 0, 192), int64(ref), 10)
	for _, text := range []string{string(info.ID), info.Listener, info.Service, info.Transport, info.Local, info.Remote} {
		b = append(append(b, ','), session.JSON(text)...)
	}
	r.first = len(b)
	b = strconv.AppendInt(append(b, ','), info.Start, 10)
	for _, text := range []string{string(info.Record), info.Terminal} {
		b = append(append(b, ','), session.JSON(text)...)
	}
	r.static = b
	return r
}

// append appends the row as "add" has it.
func (r *row) append(b []byte) []byte {
	b = append(append(b, '['), r.static[:r.first]...)
	b = append(append(b, ','), session.JSON(r.name)...)
	b = append(b, r.static[r.first:]...)
	return append(r.appendNumbers(b), ']')
}

func (r *row) appendChange(b []byte) []byte {
	b = strconv.AppendInt(append(b, '['), int64(r.ref), 10)
	return append(r.appendNumbers(b), ']')
}

func (r *row) appendNumbers(b []byte) []byte {
	for _, n := range [...]uint64{r.totals.ReceivedBytes, r.totals.SentBytes, r.totals.ReceivedEvents, r.totals.SentEvents,
		uint64(r.watchers)} {
		b = strconv.AppendUint(append(b, ','), n, 10)
	}
	return b
}

// counts are those of the node.
type counts struct {
	live     session.Totals // of live sessions
	watchers int

	now            hub.Counts
	received, sent uint64 // never less than before: for a moment a session that ends is in neither of the sums
	listeners      []hub.ListenerStatus
}

func (c *counts) read(h *hub.Hub) {
	c.now = h.Counts()
	c.received = max(c.received, c.now.Received+c.live.ReceivedBytes)
	c.sent = max(c.sent, c.now.Sent+c.live.SentBytes)
	c.listeners = h.Listeners()
}

// append ends a packet.
func (c *counts) append(b []byte) []byte {
	b = append(b, `,"counts":{`...)
	for _, n := range [...]struct {
		name  string
		value uint64
	}{{`"live":`, uint64(c.now.Live)}, {`,"opened":`, c.now.Opened}, {`,"ended":`, c.now.Ended},
		{`,"received_bytes":`, c.received}, {`,"sent_bytes":`, c.sent}, {`,"watchers":`, uint64(c.watchers)}} {
		b = strconv.AppendUint(append(b, n.name...), n.value, 10)
	}
	b = append(b, `,"listeners":{`...)
	for i, l := range c.listeners {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, session.JSON(l.Name)...), ':')
		b = strconv.AppendInt(b, int64(l.Live), 10)
	}
	return append(b, "}}}"...)
}
