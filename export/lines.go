package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/session"
)

// Lines writes events as lines that people read. What crossed the wire stands in quotes, with control characters and
// bytes that are no UTF-8 as escapes, or in a hex dump: nothing of it can command a terminal. It is for one goroutine.
type Lines struct {
	// fixed before the first event
	Out       io.Writer // gets all lines of an event with one Write
	Direction Direction
	Hex       bool                            // bytes as hexdump -C shows them; offsets count the bytes of one direction
	Datagrams bool                            // each event is a message of its own; an Opened event says so as well
	ID        bool                            // the line of an Opened event names the session
	Zone      *time.Location                  // of dates; nil means UTC
	Stamp     func(b []byte, us int64) []byte // appends what a line begins with; nil: the time since the first event

	started bool
	start   int64 // Unix µs of the first event
	streams [4]stream

	head []byte // of the line that is being written
	pad  []byte // as wide as the head
	text []byte // of the event
}

// stream is what crossed the wire in one kind of event.
type stream struct {
	decoder Decoder
	heldAt  int64  // when what the decoder holds came, Unix µs
	offset  uint64 // of the next byte
}

// stream is that of a kind of event.
func (l *Lines) stream(k session.Kind) *stream {
	switch k {
	case session.Received:
		return &l.streams[0]
	case session.SentErr:
		return &l.streams[2]
	case session.Typed:
		return &l.streams[3]
	}
	return &l.streams[1]
}

// Event writes what an event tells. The bytes that begin a character whose rest has not come are held back for the next
// event of the same direction. The error is that of Out.
func (l *Lines) Event(e session.Event) error {
	l.begin(e)
	if !l.Direction.Shows(e.Kind) {
		return nil
	}
	switch e.Kind {
	case session.Received, session.Sent, session.SentErr:
		l.data(e)
	case session.Message:
		l.message(e)
	case session.Typed:
		l.typed(e)
	case session.ReceivedEnd:
		l.release(session.Received)
		l.tell(e)
	case session.SentEnd, session.Unsent:
		l.release(session.Sent)
		l.release(session.SentErr)
		l.tell(e)
	case session.Gap, session.Closed:
		l.releaseAll()
		l.tell(e)
	default:
		l.tell(e)
	}
	return l.flush()
}

// End writes what is held back, when no more events come.
func (l *Lines) End() error {
	l.releaseAll()
	return l.flush()
}

// Forget drops what is held back: the next event is from another place.
func (l *Lines) Forget() {
	for i := range l.streams {
		l.streams[i].decoder.Release()
		l.streams[i].offset = 0
	}
}

func (l *Lines) flush() error {
	if len(l.text) == 0 {
		return nil
	}
	_, err := l.Out.Write(l.text)
	l.text = l.text[:0]
	return err
}

// begin takes what the first events say of the whole session.
func (l *Lines) begin(e session.Event) {
	if !l.started {
		l.started, l.start = true, e.Time
	}
	if e.Kind == session.Opened {
		var info session.Info
		if json.Unmarshal(e.Data, &info) == nil {
			l.Datagrams = info.Datagrams()
		}
	}
}

func (l *Lines) data(e session.Event) {
	if len(e.Data) == 0 && !l.Datagrams {
		return // it had telnet's commands alone
	}
	if l.Hex {
		l.dump(e, e.Data)
		return
	}
	data, held := e.Data, false
	if !l.Datagrams {
		s := l.stream(e.Kind)
		if data, held = s.decoder.Take(e.Data); held {
			s.heldAt = e.Time
		}
	}
	l.heading(e.Time, e.Kind)
	l.quoted(data, held)
}

// message writes what somebody said in a room.
func (l *Lines) message(e session.Event) {
	m, err := session.ParseRoomMessage(e.Data)
	switch {
	case err != nil && l.Hex:
		l.dump(e, e.Data)
	case err != nil:
		l.heading(e.Time, e.Kind)
		l.quoted(e.Data, false)
	case l.Hex:
		l.dump(e, m.Bytes)
	default:
		from := "nobody"
		if id, err := session.ParseID(string(m.From)); err == nil {
			from = id.Short()
		}
		l.heading(e.Time, e.Kind)
		l.head = append(append(l.head, from...), ' ')
		if m.Kind == session.SaidEvent {
			l.json(m.Bytes)
			return
		}
		l.quoted(m.Bytes, false)
	}
}

// typed writes what somebody who joined the session typed, and who it was.
func (l *Lines) typed(e session.Event) {
	by, data := session.SplitTyped(e.Data)
	if l.Hex {
		l.dump(e, data)
		return
	}
	l.heading(e.Time, e.Kind)
	l.head = append(appendQuoted(l.head, []byte(by)), ' ')
	l.quoted(data, false)
}

// heading makes the beginning of an event's first line: when, which way, what.
func (l *Lines) heading(at int64, k session.Kind) {
	b := l.head[:0]
	if l.Stamp != nil {
		b = l.Stamp(b, at)
	} else {
		b = appendOffset(b, at-l.start)
	}
	b = append(append(append(b, ' '), arrow(k)...), ' ')
	b = append(b, k.String()...)
	for n := len(k.String()); n < 9; n++ {
		b = append(b, ' ')
	}
	l.head = append(b, ' ')
}

// quoted writes data under the heading, each line of it on a line. If its end is held back, that is marked.
func (l *Lines) quoted(data []byte, held bool) {
	head := l.head
	for {
		i := bytes.IndexByte(data, '\n') + 1
		last := i == 0 || i == len(data)
		part := data
		if !last {
			part, data = data[:i], data[i:]
		}
		l.text = appendQuoted(append(l.text, head...), part)
		if last && held {
			l.text = append(l.text, " …"...)
		}
		l.text = append(l.text, '\n')
		if last {
			return
		}
		head = l.padding()
	}
}

// json writes JSON under the heading: it has escapes of its own for most of what cannot be shown.
func (l *Lines) json(p []byte) {
	quoted := strconv.AppendQuote(nil, string(p))
	text := bytes.ReplaceAll(quoted[1:len(quoted)-1], []byte(`\\`), []byte(`\`))
	l.text = append(append(l.text, l.head...), bytes.ReplaceAll(text, []byte(`\"`), []byte(`"`))...)
	l.text = append(l.text, '\n')
}

// padding is as wide as the heading, whose arrow is of more bytes than columns.
func (l *Lines) padding() []byte {
	width := utf8.RuneCount(l.head)
	for len(l.pad) < width {
		l.pad = append(l.pad, ' ')
	}
	return l.pad[:width]
}

func (l *Lines) release(k session.Kind) {
	s := l.stream(k)
	if rest := s.decoder.Release(); len(rest) > 0 {
		l.heading(s.heldAt, k)
		l.quoted(rest, false)
	}
}

func (l *Lines) releaseAll() {
	l.release(session.Received)
	l.release(session.Sent)
	l.release(session.SentErr)
}

// tell writes a line about an event that carries no bytes of the wire.
func (l *Lines) tell(e session.Event) {
	l.heading(e.Time, e.Kind)
	quoted := strconv.AppendQuote(nil, l.tale(e))
	text := bytes.ReplaceAll(quoted[1:len(quoted)-1], []byte(`\"`), []byte(`"`))
	l.text = append(append(l.text, l.head...), text...)
	l.text = append(bytes.TrimRight(l.text, " "), '\n')
}

// tale is what an event that carries no bytes of the wire tells.
func (l *Lines) tale(e session.Event) string {
	switch e.Kind {
	case session.Opened:
		var info session.Info
		if json.Unmarshal(e.Data, &info) == nil {
			return l.opening(info)
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
		return ofRoom(e)
	case session.Watched:
		return watching(e)
	case session.Upgraded:
		return "goes on over " + string(e.Data)
	case session.ReceivedEnd:
		return "the far end sends no more"
	case session.SentEnd:
		return "nothing more is sent to the far end"
	case session.Unsent:
		return "the far end never took the last " + string(e.Data) + " bytes"
	}
	return string(e.Data)
}

// watching tells who looks on, or does no more.
func watching(e session.Event) string {
	var w session.Watch
	switch err := json.Unmarshal(e.Data, &w); {
	case err != nil:
		return string(e.Data)
	case w.Left:
		return w.By + " has left"
	case w.Types:
		return w.By + " types along"
	}
	return w.By + " looks on"
}

// ofRoom names the room that a session is a member of; in a room's own recording, the member.
func ofRoom(e session.Event) string {
	var ref session.RoomRef
	if json.Unmarshal(e.Data, &ref) == nil && ref.Room != "" {
		return "room " + ref.Room
	}
	var who session.Present
	if json.Unmarshal(e.Data, &who) != nil {
		return string(e.Data)
	}
	text := who.ID
	for _, more := range []string{who.Name, who.Transport, who.Remote} {
		if more != "" {
			text += " " + more
		}
	}
	return text
}

func (l *Lines) opening(info session.Info) string {
	text, zone := "", time.UTC
	if l.ID {
		text = string(info.ID) + ", "
	}
	if l.Zone != nil {
		zone = l.Zone
	}
	text += fmt.Sprintf("%s %s on %s, %s", info.Transport, info.Remote, info.Listener,
		time.UnixMicro(info.Start).In(zone).Format("2006-01-02 15:04:05.000 MST"))
	if info.Record == session.RecordOff {
		text += ", not recorded: only what comes from now on"
	}
	return text
}

// arrow shows the way as seen from Switchboard: ← came in from the far end, → went out to it, · is neither.
func arrow(k session.Kind) string {
	switch k {
	case session.Received, session.ReceivedEnd, session.Typed:
		return "←"
	case session.Sent, session.SentErr, session.SentEnd, session.Unsent:
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
