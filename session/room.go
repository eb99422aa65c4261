package session

import (
	"encoding/binary"
	"errors"
)

// RoomRef is the data of Joined, Left and Delivered events: a room's own recording, and which of its events.
type RoomRef struct {
	Room    string `json:"room"`              // the room's name
	Session ID     `json:"session"`           // the session that is the room's recording on this node
	First   uint64 `json:"first,omitempty"`   // numbers of Message events in that recording, inclusive
	Last    uint64 `json:"last,omitempty"`    //
	Exclude bool   `json:"exclude,omitempty"` // the member's own messages were left out
	As      Form   `json:"as,omitempty"`      // of Delivered: in which form they were sent

	Messages uint64 `json:"messages,omitempty"` // of Delivered: how many messages
	Bytes    uint64 `json:"bytes,omitempty"`    // and how many bytes
}

// Form is how a room's messages are sent to a member.
type Form string

const (
	AsStream   Form = ""         // bytes, one message behind the other
	AsDatagram Form = "datagram" // bytes, each message by itself: UDP, WebSocket
	AsPacket   Form = "packet"   // events, each a packet of Socket.IO
)

// Present is one member of a room.
type Present struct {
	ID        string `json:"id"`                // of the session, or what the member's protocol calls it
	Session   ID     `json:"session,omitempty"` // its connection
	Name      string `json:"name,omitempty"`
	Transport string `json:"transport"`
	Remote    string `json:"remote"`
	Since     int64  `json:"since,omitempty"` // Unix time in µs
}

// Said says what a RoomMessage tells of.
type Said uint8

const (
	SaidBytes  Said = 0 // Bytes is what a member sent
	SaidEvent  Said = 1 // Bytes is an event: a JSON array, whose first element is its name
	SaidJoined Said = 2 // a member came; Bytes is Present as JSON
	SaidLeft   Said = 3 // a member left; Bytes is Present as JSON
)

// RoomMessage is one message of a room, and, of SaidBytes and SaidEvent, the data of a Message event.
type RoomMessage struct {
	Offset uint64
	Kind   Said
	Others bool // From does not get it, whatever it chose
	From   ID   // empty if it came from outside of any session
	Bytes  []byte
}

// In the field that holds the sender's length, below what one could be.
const (
	fromBits   = 64  // times the kind
	othersBits = 256 // for Others
)

// Append appends the binary form to b: the offset; the sender's length plus 64 times the kind, plus 256 for Others; the
// sender; the bytes. Numbers are unsigned LEB128.
func (m RoomMessage) Append(b []byte) []byte {
	length := uint64(len(m.From)) + fromBits*uint64(m.Kind)
	if m.Others {
		length += othersBits
	}
	b = binary.AppendUvarint(b, m.Offset)
	b = binary.AppendUvarint(b, length)
	b = append(b, m.From...)
	return append(b, m.Bytes...)
}

// ErrBadRoomMessage is what ParseRoomMessage returns for bytes that Append did not write.
var ErrBadRoomMessage = errors.New("malformed room message")

// ParseRoomMessage reads what Append wrote. Bytes is a part of data, not a copy.
func ParseRoomMessage(data []byte) (RoomMessage, error) {
	offset, n := binary.Uvarint(data)
	if n <= 0 {
		return RoomMessage{}, ErrBadRoomMessage
	}
	data = data[n:]
	bits, n := binary.Uvarint(data)
	length := bits % fromBits
	if n <= 0 || bits >= 2*othersBits || length > MaxIDLen || uint64(len(data)-n) < length {
		return RoomMessage{}, ErrBadRoomMessage
	}
	data = data[n:]
	return RoomMessage{Offset: offset, Kind: Said(bits % othersBits / fromBits), Others: bits >= othersBits,
		From: ID(data[:length]), Bytes: data[length:]}, nil
}
