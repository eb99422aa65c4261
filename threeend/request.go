package threeend

import (
	"bytes"
	"errors"
	"fmt"
)

// Request is what is asked of a source, once, on a connection.
type Request struct {
	Kick bool   // flag 1: end the session; else it is to be seen
	ID   string // what the source calls the session
	// Ended says that a line's end, or a NUL, stood behind the id, which the protocol does not ask for: nothing more of it comes.
	Ended bool
}

// ErrBadRequest is what ParseRequest wraps.
var ErrBadRequest = errors.New("not a request: [flag]=0&[sessionid]=ID shows a session, [flag]=1&[sessionid]=ID ends it")

// The parts of a request: the flag is one byte between them.
const (
	beforeFlag = "[flag]="
	beforeID   = "&[sessionid]="
	flagAt     = len(beforeFlag)
	idAt       = flagAt + 1 + len(beforeID)
)

// MaxRequest is how long a request may be, bytes.
const MaxRequest = idAt + MaxID

// AppendRequest appends a request. It has no terminator.
func AppendRequest(dst []byte, kick bool, id string) []byte {
	flag := byte('0')
	if kick {
		flag = '1'
	}
	dst = append(append(dst, beforeFlag...), flag)
	return append(append(dst, beforeID...), id...)
}

// ParseRequest reads what has come of a request so far. More says that it is the beginning of one. Since a request has no
// terminator, one that is whole may still grow, unless it says that it has ended; so who reads waits until nothing follows.
func ParseRequest(b []byte) (r Request, more bool, err error) {
	if n := min(len(b), flagAt); string(b[:n]) != beforeFlag[:n] {
		return Request{}, false, bad(b)
	}
	if len(b) <= flagAt {
		return Request{}, true, nil
	}
	if b[flagAt] != '0' && b[flagAt] != '1' {
		return Request{}, false, bad(b)
	}
	r.Kick = b[flagAt] == '1'
	rest := b[flagAt+1:]
	if n := min(len(rest), len(beforeID)); string(rest[:n]) != beforeID[:n] {
		return Request{}, false, bad(b)
	}
	if len(rest) <= len(beforeID) {
		return Request{}, true, nil
	}
	id := rest[len(beforeID):]
	if end := bytes.IndexAny(id, "\r\n\x00"); end >= 0 {
		id, r.Ended = id[:end], true
	}
	r.ID = string(id)
	if err := CheckID(r.ID); err != nil {
		return Request{}, false, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	return r, false, nil
}

func bad(b []byte) error {
	return fmt.Errorf("%.60q: %w", b, ErrBadRequest)
}
