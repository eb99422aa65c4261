package session

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// Kind says what an Event tells of. The numbers are part of the recording format and never change.
type Kind uint8

const (
	Opened      Kind = 1  // the session began; data: Info as JSON
	Received    Kind = 2  // bytes that the far end sent to Switchboard
	Sent        Kind = 3  // bytes that Switchboard sent to the far end
	ReceivedEnd Kind = 4  // the far end will send no more (half-close)
	SentEnd     Kind = 5  // Switchboard will send no more (half-close)
	Named       Kind = 6  // the session got its name; data: the name, UTF-8
	Resized     Kind = 7  // the terminal's size; data: COLSxROWS, ASCII
	Noted       Kind = 8  // a note; data: text, UTF-8
	Gap         Kind = 9  // events or bytes that are not recorded; data: Missing as JSON
	Unsent      Kind = 10 // the last bytes of Sent that the far end's socket never took; data: their count, decimal
	Joined      Kind = 11 // the session became a member of a room; data: RoomRef as JSON, in a room's recording Present
	Left        Kind = 12 // the session left a room; data: RoomRef as JSON, in a room's recording Present
	Delivered   Kind = 13 // messages of a room were sent to the session; data: RoomRef as JSON
	Message     Kind = 14 // in a room's own recording: one message; data: RoomMessage in its binary form
	Closed      Kind = 15 // the session ended; data: End as JSON
	Upgraded    Kind = 16 // the connection goes on over another transport; data: its name
	SentErr     Kind = 17 // bytes that Switchboard sent to the far end beside Sent: what a program wrote to its stderr
	Typed       Kind = 18 // what somebody who joined the session typed; data: see AppendTyped. It is not counted as received
	Watched     Kind = 19 // somebody joined the session, or left it; data: Watch as JSON
)

var kindNames = [...]string{
	Opened: "opened", Received: "received", Sent: "sent", ReceivedEnd: "received end", SentEnd: "sent end", Named: "named",
	Resized: "resized", Noted: "noted", Gap: "gap", Unsent: "unsent", Joined: "joined", Left: "left",
	Delivered: "delivered", Message: "message", Closed: "closed", Upgraded: "upgraded",
	SentErr: "sent on stderr", Typed: "typed", Watched: "watched",
}

// String is the kind's name in JSON, on the command line and on the screen.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ParseKind is the inverse of String.
func ParseKind(name string) (Kind, error) {
	for k, n := range kindNames {
		if n == name && n != "" {
			return Kind(k), nil
		}
	}
	return 0, fmt.Errorf("no kind of event is named %q", name)
}

// Event is one thing that happened in a session. A session is the ordered log of its events.
type Event struct {
	Number uint64 // 1 for the first, then one more each
	Time   int64  // Unix time in µs; never earlier than the event before
	Kind   Kind
	Data   []byte // by Kind; for Received, Sent and SentErr the raw bytes
}

// IsData reports whether the event carries bytes that crossed the wire.
func (e Event) IsData() bool { return e.Kind == Received || e.Kind == Sent || e.Kind == SentErr }

// eventJSON is an Event on the wire. Exactly one of Text, Base64 and Value is there if the event has data.
type eventJSON struct {
	Number uint64          `json:"number"`
	Time   string          `json:"time"`
	Kind   string          `json:"kind"`
	By     *string         `json:"by,omitempty"` // of Typed; the rest of its data follows
	Text   *string         `json:"text,omitempty"`
	Base64 *string         `json:"base64,omitempty"`
	Value  json.RawMessage `json:"value,omitempty"`
}

// TimeLayout is how times are written in JSON: RFC 3339 in UTC with microseconds.
const TimeLayout = "2006-01-02T15:04:05.000000Z07:00"

// FormatTime writes a Unix time in µs by TimeLayout, in UTC.
func FormatTime(us int64) string { return time.UnixMicro(us).UTC().Format(TimeLayout) }

// valueKinds hold JSON in their data.
func (k Kind) hasValue() bool {
	switch k {
	case Opened, Gap, Joined, Left, Delivered, Closed, Watched:
		return true
	}
	return false
}

// MarshalJSON writes number, time, kind, and the data: as value where it is JSON, else as text where it is valid UTF-8,
// else as base64. Text and base64 both give back the exact bytes. Of what was typed, by says by whom.
func (e Event) MarshalJSON() ([]byte, error) {
	out := eventJSON{Number: e.Number, Time: FormatTime(e.Time), Kind: e.Kind.String()}
	if e.Kind == Typed && hasAuthor(e.Data) {
		by, typed := SplitTyped(e.Data)
		out.By, e.Data = &by, typed
	}
	switch {
	case e.Kind.hasValue() && json.Valid(e.Data):
		out.Value = e.Data
	case e.Data == nil && !e.IsData():
	case utf8.Valid(e.Data):
		text := string(e.Data)
		out.Text = &text
	default:
		text := base64.StdEncoding.EncodeToString(e.Data)
		out.Base64 = &text
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Event) UnmarshalJSON(b []byte) error {
	var in eventJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339Nano, in.Time)
	if err != nil {
		return fmt.Errorf("time of event %d: %w", in.Number, err)
	}
	kind, err := ParseKind(in.Kind)
	if err != nil {
		return err
	}
	*e = Event{Number: in.Number, Time: at.UnixMicro(), Kind: kind}
	switch {
	case in.Value != nil:
		e.Data = []byte(in.Value)
	case in.Text != nil:
		e.Data = []byte(*in.Text)
	case in.Base64 != nil:
		e.Data, err = base64.StdEncoding.DecodeString(*in.Base64)
	}
	if kind == Typed && in.By != nil {
		e.Data = AppendTyped(nil, *in.By, e.Data)
	}
	return err
}
