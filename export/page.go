package export

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// page is what the formats for people have in common: the beginning of a line, and lines about what carries no bytes.
type page struct {
	out       *bufio.Writer
	direction Direction
	started   bool
	start     int64  // Unix µs of the first event
	datagrams bool   // each event is a message of its own
	head      []byte // of the line that is being written
}

// begin takes what the first events say of the whole session.
func (p *page) begin(e session.Event) {
	if !p.started {
		p.started, p.start = true, e.Time
	}
	if e.Kind == session.Opened {
		var info session.Info
		if json.Unmarshal(e.Data, &info) == nil {
			p.datagrams = info.Transport == "udp"
		}
	}
}

// heading makes the beginning of an event's first line: how long after the start, which way, what. It is as wide as
// p.head is long, less two bytes for the arrow.
func (p *page) heading(at int64, k session.Kind) {
	b := appendOffset(p.head[:0], at-p.start)
	b = append(append(append(b, ' '), arrow(k)...), ' ')
	b = append(b, k.String()...)
	for n := len(k.String()); n < 9; n++ {
		b = append(b, ' ')
	}
	p.head = append(b, ' ')
}

// tell writes a line about an event that carries no bytes of the wire.
func (p *page) tell(e session.Event) {
	p.heading(e.Time, e.Kind)
	quoted := strconv.AppendQuote(nil, tale(e))
	p.line(bytes.ReplaceAll(quoted[1:len(quoted)-1], []byte(`\"`), []byte(`"`)))
}

// line writes the heading and a text.
func (p *page) line(text []byte) {
	head := p.head
	for len(text) == 0 && len(head) > 0 && head[len(head)-1] == ' ' {
		head = head[:len(head)-1]
	}
	p.out.Write(head)
	p.out.Write(text)
	p.out.WriteByte('\n')
}

// arrow shows the way as seen from Switchboard: ← came in from the far end, → went out to it, · is neither.
func arrow(k session.Kind) string {
	switch k {
	case session.Received, session.ReceivedEnd:
		return "←"
	case session.Sent, session.SentEnd, session.Unsent:
		return "→"
	}
	return "·"
}

// appendOffset appends µs as h:mm:ss.mmm.
func appendOffset(b []byte, us int64) []byte {
	ms := max(us, 0) / 1000
	b = strconv.AppendInt(b, ms/3600_000, 10)
	b = append(b, ':')
	b = appendDigits(b, ms/60_000%60, 10)
	b = append(b, ':')
	b = appendDigits(b, ms/1000%60, 10)
	b = append(b, '.')
	return appendDigits(b, ms%1000, 100)
}

// appendDigits appends n with as many digits as unit has.
func appendDigits(b []byte, n, unit int64) []byte {
	for ; unit > 0; unit /= 10 {
		b = append(b, byte('0'+n/unit%10))
	}
	return b
}

// tale is what an event that carries no bytes of the wire tells, for people.
func tale(e session.Event) string {
	switch e.Kind {
	case session.Opened:
		var info session.Info
		if json.Unmarshal(e.Data, &info) == nil {
			return fmt.Sprintf("%s, %s %s on %s, %s", info.ID, info.Transport, info.Remote, info.Listener,
				time.UnixMicro(info.Start).UTC().Format(time.RFC3339Nano))
		}
	case session.Closed:
		var end session.End
		if json.Unmarshal(e.Data, &end) == nil {
			return end.Error()
		}
	case session.Gap:
		var missing session.Missing
		if json.Unmarshal(e.Data, &missing) == nil {
			return fmt.Sprintf("%d events with %d bytes are missing: %s", missing.Events, missing.Bytes, missing.Reason)
		}
	case session.Joined, session.Left, session.Delivered:
		var ref session.RoomRef
		if json.Unmarshal(e.Data, &ref) == nil {
			return "room " + ref.Room
		}
	case session.ReceivedEnd:
		return "the far end sends no more"
	case session.SentEnd:
		return "nothing more is sent to the far end"
	case session.Unsent:
		return "the far end never took the last " + string(e.Data) + " bytes"
	}
	return string(e.Data)
}
