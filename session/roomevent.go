package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// ErrBadEvent is what CheckEvent returns.
var ErrBadEvent = errors.New("an event must be a JSON array in UTF-8 whose first element is the event's name")

// CheckEvent checks that p is an event of a room: ["name", argument, …].
func CheckEvent(p []byte) error {
	if !json.Valid(p) || !utf8.Valid(p) {
		return ErrBadEvent
	}
	at := skipSpace(p, 0)
	if p[at] != '[' {
		return ErrBadEvent
	}
	if at = skipSpace(p, at+1); p[at] != '"' {
		return ErrBadEvent
	}
	return nil
}

// SplitEvent is an event's name, and the inside of the JSON array that its arguments would be: empty if it has none.
func SplitEvent(event []byte) (name string, args []byte, err error) {
	if err := CheckEvent(event); err != nil {
		return "", nil, err
	}
	quoted, args := splitEvent(event)
	return string(appendUnquoted(nil, quoted)), args, nil
}

// AppendEvent appends the event of a name; args is the inside of a JSON array.
func AppendEvent(b []byte, name string, args []byte) []byte {
	b = append(b, '[')
	b = appendText(b, []byte(name))
	if len(args) > 0 {
		b = append(append(b, ','), args...)
	}
	return append(b, ']')
}

// AppendPacket appends what a member on Socket.IO is sent for an event: an EVENT packet, less the namespace and the
// offset of its connection.
func AppendPacket(b, event []byte) []byte { return append(append(b, '2'), event...) }

// reservedEvents have a meaning of their own in Socket.IO.
var reservedEvents = []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener",
	"removeListener"}

// maxName is the longest name of an event or a field, in bytes.
const maxName = 256

// CheckEventName tells what is wrong with the name of an event that a room is to say.
func CheckEventName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return fmt.Errorf("event %.40q: must be UTF-8 of 1 to %d bytes", name, maxName)
	}
	if slices.Contains(reservedEvents, name) {
		return fmt.Errorf("event %q: Socket.IO keeps this name for itself: choose another", name)
	}
	return nil
}
