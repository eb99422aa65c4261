// Package frame cuts what a far end sends into messages: by the framers of a Spec, or those of a preset, which know the
// registrations, heartbeats, checks and replies of a protocol of devices. It does no I/O.
package frame

// Kind says what a message is for.
type Kind uint8

// Kinds of messages.
const (
	Data         Kind = iota // what the device has to say
	Registration             // says who the device is; it may carry data as well
	Heartbeat                // says only that the device is there
	Junk                     // bytes between messages that belong to none
)

// Flags say what is wrong with a message. It is a message all the same.
type Flags uint8

// What may be wrong with a message.
const (
	BadCheck  Flags = 1 << iota // its check sum is not that of its bytes
	BadLength                   // its length field cannot be right: the end was found in another way
	TooLong                     // it was cut at the framer's maximum
	Cut                         // the connection ended, or the reader began, in the midst of it
)

// Message is one message that a far end sent.
type Message struct {
	Data  []byte // its bytes on the wire, less what the framer strips; borrowed until the call returns
	Start int64  // where its bytes begin in all that was received, before stripping
	End   int64  // and where they end, exclusive
	Kind  Kind
	Flags Flags
	Name  string // who it says the device is; empty if it does not. Of registrations with a prefix on every packet: each time
	Reply []byte // what its protocol has answered to it; borrowed; nil: nothing
	// Refusal is what its protocol has instead of Reply for a device that is not welcome; borrowed; nil: nothing.
	Refusal []byte
	Ack     []byte // of an answer to a command: what links it to that, as a sequence number; borrowed; nil: nothing is known
}

// Position is where a Reader stands between two messages. Another Reader of the same Dialect goes on from there.
type Position struct {
	Offset int64  `json:"offset"`           // bytes of all that was received that lie before the next message
	Framer int    `json:"framer"`           // which framer was chosen, from 1; 0: none yet
	Name   string `json:"name,omitempty"`   // the newest that was said
	Serial uint16 `json:"serial,omitempty"` // of the replies
}
