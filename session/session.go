// Package session holds the words of Switchboard: what a session is called, what happens in it, and how it ends.
// It does no I/O; every other package speaks in these words.
package session

import (
	"encoding/json"
	"strconv"
)

// Record says what becomes of a session's bytes.
type Record string

const (
	RecordOn     Record = "on"     // recorded; a recorder that lags slows the reader and never drops
	RecordStrict Record = "strict" // bytes pass on only once they are on disk
	RecordOff    Record = "off"    // counted, and watched from now on, but not kept
)

// OnFailure says what becomes of a session whose recording cannot be written.
type OnFailure string

const (
	OnFailureEnd      OnFailure = "end"      // the session ends as "recording failed"; new ones are refused
	OnFailureContinue OnFailure = "continue" // the session goes on, and the recording marks the gap
)

// Info is what is known of a session when it begins: the data of its Opened event.
type Info struct {
	ID        ID     `json:"id"`
	Listener  string `json:"listener"`
	Service   string `json:"service,omitempty"`
	Transport string `json:"transport"` // tcp, tls, udp, unix, room, …
	Local     string `json:"local,omitempty"`
	Remote    string `json:"remote"`
	Name      string `json:"name,omitempty"`
	Start     int64  `json:"start"` // Unix time in µs
	Record    Record `json:"record,omitempty"`
	Terminal  string `json:"terminal,omitempty"` // COLSxROWS, if what is sent is the screen of a terminal
	Telnet    bool   `json:"telnet,omitempty"`   // telnet's commands are in what is received and sent
	Fleet     string `json:"fleet,omitempty"`    // of a device: within which its name is its own
	Frame     string `json:"frame,omitempty"`    // of a device: how what it sends is cut into messages; frame.Spec as JSON. Lists leave it out
	// Mapping of a room's own recording says how its messages read as events, and its events as bytes.
	Mapping *Mapping `json:"mapping,omitempty"`
}

// Datagrams reports whether each event of the session's bytes is a message of its own.
func (i *Info) Datagrams() bool {
	switch i.Transport {
	case "udp", "ws", "wss", "socketio":
		return true
	}
	return false
}

// AppendJSON appends what json.Marshal writes, without its cost: every session begins with it.
func (i *Info) AppendJSON(b []byte) []byte {
	field := func(name, value string, always bool) {
		if value == "" && !always {
			return
		}
		b = append(b, name...)
		b = appendString(b, value)
	}
	field(`{"id":`, string(i.ID), true)
	field(`,"listener":`, i.Listener, true)
	field(`,"service":`, i.Service, false)
	field(`,"transport":`, i.Transport, true)
	field(`,"local":`, i.Local, false)
	field(`,"remote":`, i.Remote, true)
	field(`,"name":`, i.Name, false)
	b = append(b, `,"start":`...)
	b = strconv.AppendInt(b, i.Start, 10)
	field(`,"record":`, string(i.Record), false)
	field(`,"terminal":`, i.Terminal, false)
	if i.Telnet {
		b = append(b, `,"telnet":true`...)
	}
	field(`,"fleet":`, i.Fleet, false)
	field(`,"frame":`, i.Frame, false)
	if i.Mapping != nil {
		b = append(append(b, `,"mapping":`...), JSON(i.Mapping)...)
	}
	return append(b, '}')
}

// appendString appends a JSON string; plain ASCII, which is the rule, without detours.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return append(b, JSON(s)...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// Describe is the Info itself.
func (i *Info) Describe() Info { return *i }

// Totals counts what passed, seen from Switchboard: data events only.
type Totals struct {
	ReceivedBytes  uint64 `json:"received_bytes"`
	ReceivedEvents uint64 `json:"received_events"`
	SentBytes      uint64 `json:"sent_bytes"`
	SentEvents     uint64 `json:"sent_events"`
}

// Count adds an event of kind Received, Sent or SentErr with n bytes of data.
func (t *Totals) Count(k Kind, n int) {
	switch k {
	case Received:
		t.ReceivedBytes += uint64(n)
		t.ReceivedEvents++
	case Sent, SentErr:
		t.SentBytes += uint64(n)
		t.SentEvents++
	}
}

// CountEvent adds any event. Deliveries of a room count as sent; what was never sent after all is taken back.
func (t *Totals) CountEvent(k Kind, data []byte) {
	switch k {
	case Delivered:
		var ref RoomRef
		if json.Unmarshal(data, &ref) == nil {
			t.SentBytes += ref.Bytes
			t.SentEvents += ref.Messages
		}
	case Unsent:
		if n, err := strconv.ParseUint(string(data), 10, 63); err == nil {
			t.SentBytes -= min(n, t.SentBytes)
		}
	default:
		t.Count(k, len(data))
	}
}

// State says where a session is in its life.
type State string

const (
	Live     State = "live"     // connected now
	Recorded State = "recorded" // ended; its recording remains
)

// Summary is one session as lists show it.
type Summary struct {
	Info
	State  State  `json:"state"`
	End    int64  `json:"end,omitempty"` // Unix time in µs; 0 while live
	Cause  Cause  `json:"cause"`         // empty while live
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	Code   int    `json:"code,omitempty"` // see End
	Totals
	Events   uint64 `json:"events"`   // events in all, of every kind
	Watchers int    `json:"watchers"` // watching now
	Size     int64  `json:"size"`     // of the recording on disk, bytes; 0 while live
	Pinned   bool   `json:"pinned"`   // kept by retention
}

// SetEnd fills in how the session ended.
func (s *Summary) SetEnd(e End) {
	s.State, s.End, s.Cause, s.By, s.Reason, s.Detail, s.Code = Recorded, e.Time, e.Cause, e.By, e.Reason, e.Detail, e.Code
}

// Missing is the data of a Gap event.
type Missing struct {
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"`
	Reason string `json:"reason"` // lagged, recording failed, damaged
}

// JSON encodes the small values above, which cannot fail.
func JSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("session: " + err.Error())
	}
	return b
}
