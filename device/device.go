// Package device has the words about devices: their names and states, what they said, and what they are to be told. It
// does no I/O.
package device

import (
	"encoding/json"

	"github.com/switchboard-relay/switchboard/session"
)

// Unknown is the name of a device that has none yet: protocol document, section 5.
const Unknown = "unknown"

// State says whether a device is connected.
type State string

// States of a device.
const (
	Online  State = "online"
	Offline State = "offline"
	Held    State = "held" // connected, and not known: recorded, and nothing of it is forwarded until somebody admits it
)

// Status is a device as lists show it. Times are Unix µs, 0 where there is none.
type Status struct {
	Fleet       string       `json:"fleet"` // within which its name is its own
	Name        string       `json:"name"`
	State       State        `json:"state"`
	Listener    string       `json:"listener"`  // of its newest connection
	Transport   string       `json:"transport"` // of it
	Remote      string       `json:"remote"`    // of it
	Sessions    []session.ID `json:"sessions"`  // that are live now, the newest first; never null
	Session     session.ID   `json:"session"`   // its newest, live or not
	FirstSeen   int64        `json:"first_seen"`
	Since       int64        `json:"since"`      // when its state began
	LastHeard   int64        `json:"last_heard"` // when its newest bytes came
	Connections uint64       `json:"connections"`
	Messages    uint64       `json:"messages"`
	Flagged     uint64       `json:"flagged"` // messages with something wrong
	Received    uint64       `json:"received"`
	Sent        uint64       `json:"sent"`
	Cause       string       `json:"cause,omitempty"` // why its newest connection ended
	Waiting     int          `json:"waiting"`         // commands that are not over
}

// Connection is one of a device's sessions, or a time in which it was one.
type Connection struct {
	Session   session.ID    `json:"session"`
	Listener  string        `json:"listener"`
	Transport string        `json:"transport"`
	Remote    string        `json:"remote"`
	Start     int64         `json:"start"` // Unix µs
	End       int64         `json:"end"`   // 0: it lives
	Cause     session.Cause `json:"cause"`
	Messages  uint64        `json:"messages"`
	Received  uint64        `json:"received"`
	Sent      uint64        `json:"sent"`
}

// Message is a message of a device as it is shown: frame.Message, of an event.
type Message struct {
	Number uint64   `json:"number"` // of the Received event in which it ends
	At     int64    `json:"at"`     // its time, Unix µs
	Start  int64    `json:"start"`  // where its bytes begin in all that was received
	End    int64    `json:"end"`
	Kind   string   `json:"kind"`            // data, registration, heartbeat or junk
	Name   string   `json:"name,omitempty"`  // who it says the device is
	Flags  []string `json:"flags,omitempty"` // bad check, bad length, too long, cut
	Framer string   `json:"framer"`          // the preset or the type that cut it
	Data   []byte   `json:"data"`            // base64 in JSON; at most 4 KiB of it
	Length int      `json:"length"`          // of the whole, bytes
}

// Encoding is how bytes are written in JSON.
type Encoding string

// Encodings.
const (
	Buffer Encoding = "buffer" // {"type":"Buffer","data":[69,84]}: protocol document, section 5
	Hex    Encoding = "hex"
	Base64 Encoding = "base64"
	Text   Encoding = "text" // what is no UTF-8 becomes U+FFFD
)

// CommandState says how far a command is.
type CommandState string

// States of a command.
const (
	Queued       CommandState = "queued"       // waits for the device, its turn, or its next uplink
	Writing      CommandState = "writing"      // being written: on disk before the first byte leaves
	Written      CommandState = "written"      // in the device's connection, and not acknowledged yet
	Acknowledged CommandState = "acknowledged" // the device answered
	Done         CommandState = "done"         // written, and no answer is expected
	Unanswered   CommandState = "unanswered"   // written, and no answer came in time
	Expired      CommandState = "expired"      // its time was over before it could be written
	Uncertain    CommandState = "uncertain"    // Switchboard died, or the connection broke, while it was written: it may have arrived
	Cancelled    CommandState = "cancelled"    // somebody took it back before it was written
	Failed       CommandState = "failed"       // it cannot be written: Error says why
)

// Over reports whether nothing more becomes of a command in the state.
func (s CommandState) Over() bool { return s != Queued && s != Writing && s != Written }

// CommandRequest is what is asked for: by REST, Socket.IO, the command line, and as a line of JSON on the web server's link.
type CommandRequest struct {
	Fleet    string          `json:"fleet,omitempty"`    // needed where two fleets have the name
	Name     string          `json:"name"`               // of the device
	Data     json.RawMessage `json:"data"`               // by Encoding: a string, or for buffer an object or an array of numbers
	Encoding Encoding        `json:"encoding,omitempty"` // default text
	ID       string          `json:"id,omitempty"`       // the asker's own: the same id again is the same command, not another; default: made here
	TTL      string          `json:"ttl,omitempty"`      // how long it may wait to be written, as in 30s; default the listener's, 1h
	When     string          `json:"when,omitempty"`     // now (default), or uplink: right behind the device's next message
	Ack      *AckRule        `json:"ack,omitempty"`      // default the listener's
}

// AckRule says how a device acknowledges a command.
type AckRule struct {
	By      string `json:"by" yaml:"by"`                     // none, any (the next message), echo (the same bytes), pattern, or sequence (what the preset takes for one)
	Pattern string `json:"pattern,omitempty" yaml:"pattern"` // a regular expression on bytes; {{id}} in it is the command's id
	Timeout string `json:"timeout,omitempty" yaml:"timeout"` // default 30s
}

// Command is a command, and what became of it. Times are Unix µs, 0 where it has not come to that.
type Command struct {
	ID         string       `json:"id"`
	Fleet      string       `json:"fleet"`
	Name       string       `json:"name"`
	Data       []byte       `json:"data"` // base64 in JSON
	When       string       `json:"when"`
	Ack        AckRule      `json:"ack"`
	By         string       `json:"by"` // who asked
	State      CommandState `json:"state"`
	Error      string       `json:"error,omitempty"`
	Created    int64        `json:"created"`
	Expires    int64        `json:"expires"`
	WrittenAt  int64        `json:"written_at"`
	AnsweredAt int64        `json:"answered_at"`
	Session    session.ID   `json:"session,omitempty"`   // into which it was written
	Answer     []byte       `json:"answer,omitempty"`    // the message that acknowledged it, at most 1 KiB
	ResendOf   string       `json:"resend_of,omitempty"` // the command that somebody had sent again, saying so
}

// ForwardStatus is a forward as lists show it.
type ForwardStatus struct {
	Name      string   `json:"name"`
	To        string   `json:"to"`
	Fleets    []string `json:"fleets"`
	State     string   `json:"state"`           // idle, running, behind, waiting (for a target that is away), stopped
	Error     string   `json:"error,omitempty"` // the newest, until something was delivered again
	ErrorAt   int64    `json:"error_at"`        // Unix µs
	Since     int64    `json:"since"`           // of State, Unix µs
	Delivered uint64   `json:"delivered"`       // messages since the start
	Retried   uint64   `json:"retried"`
	Refused   uint64   `json:"refused"` // given up, because the target said that it never will take them
	Devices   int      `json:"devices"` // with something to be delivered
	Oldest    int64    `json:"oldest"`  // time of the oldest message that is not delivered, Unix µs; 0: none
	Bytes     int64    `json:"bytes"`   // received and not yet delivered, about
}
