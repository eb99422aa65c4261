// Package threeend holds the words and the bytes of the three-end source protocol: a source is a TCP server that holds
// sessions and streams each, when it is asked to, as frames of display output, input and the view's size. It does no I/O.
package threeend

import (
	"errors"
	"fmt"
	"strings"
)

// Code is how a source says that nothing more comes of a session: the control byte of the protocol.
type Code byte

// The codes.
const (
	Kicked Code = '3' // the session was ended by a kick
	Over   Code = '5' // the session is over, or there is no such session; also what is told where a source cannot be asked
)

// OverMessage is what viewers are told when a session ends, in the protocol's own words.
const OverMessage = "会话已结束！"

// Answer is what a source said at the end: of a session that was watched, or of a kick.
type Answer struct {
	Code    int    `json:"code"`    // 3 or 5
	Message string `json:"message"` // OverMessage
	Meaning string `json:"meaning"` // the same in English, for people
}

// Answer is the code with its words.
func (c Code) Answer() Answer {
	a := Answer{Code: int(c - '0'), Message: OverMessage, Meaning: "the session is over, or there is no such session"}
	if c == Kicked {
		a.Meaning = "the session was ended by a kick"
	}
	return a
}

// Ref names a session of a source, as people write it: [SOURCE/]KIND:ID.
type Ref struct {
	Source string // its name in the configuration; empty: the one that has the kind
	Kind   string // of operation: ssh, telnet, rdp, …
	ID     string // what the source calls the session
}

// Limits of what a reference may be, bytes.
const (
	MaxID   = 1024
	MaxName = 64 // of a source, and of a kind
)

// ErrBadRef is what ParseRef and Check wrap.
var ErrBadRef = errors.New("not a source's session, which is written KIND:ID or SOURCE/KIND:ID, as in ssh:42")

// ParseRef reads [SOURCE/]KIND:ID. The id is all behind the first colon, of any characters but control ones.
func ParseRef(text string) (Ref, error) {
	head, id, found := strings.Cut(text, ":")
	source, kind, named := strings.Cut(head, "/")
	if !named {
		source, kind = "", head
	}
	r := Ref{Source: source, Kind: kind, ID: id}
	if !found || named && source == "" {
		return Ref{}, fmt.Errorf("%q: %w", text, ErrBadRef)
	}
	if err := r.Check(); err != nil {
		return Ref{}, fmt.Errorf("%q: %w", text, err)
	}
	return r, nil
}

// Check tells what is wrong with a reference.
func (r Ref) Check() error {
	if r.Source != "" {
		if err := CheckName(r.Source); err != nil {
			return fmt.Errorf("%w: the source: %w", ErrBadRef, err)
		}
	}
	if err := CheckName(r.Kind); err != nil {
		return fmt.Errorf("%w: the kind: %w", ErrBadRef, err)
	}
	if err := CheckID(r.ID); err != nil {
		return fmt.Errorf("%w: %w", ErrBadRef, err)
	}
	return nil
}

// CheckName tells what is wrong with the name of a source, or of a kind: 1 to 64 letters, digits, "-", "_" and ".".
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("a name has 1 to %d characters", MaxName)
	}
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return fmt.Errorf("%q: a name has letters, digits, \"-\", \"_\" and \".\"", name)
		}
	}
	return nil
}

// CheckID tells what is wrong with what a source calls a session: 1 to 1,024 bytes without control characters.
func CheckID(id string) error {
	if id == "" || len(id) > MaxID {
		return fmt.Errorf("a session's id has 1 to %d bytes", MaxID)
	}
	if strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("a session's id has no control characters")
	}
	return nil
}

// Name is KIND:ID: the name of the session here.
func (r Ref) Name() string { return r.Kind + ":" + r.ID }

// String is what ParseRef reads.
func (r Ref) String() string {
	if r.Source == "" {
		return r.Name()
	}
	return r.Source + "/" + r.Name()
}

// Errors of opening and kicking a source's session.
var (
	ErrNoSource = errors.New("there is no such source")
	ErrBusy     = errors.New("the source is asked for too much at once")
)

// AmbiguousError says that several sources have the kind of a reference.
type AmbiguousError struct {
	Ref     Ref
	Sources []string
}

// Error says how to name one of them.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("the sources %s all have the kind %q: write which, as in %s/%s",
		strings.Join(e.Sources, ", "), e.Ref.Kind, e.Sources[0], e.Ref.Name())
}

// OverError says that a source's session cannot be seen, or was not kicked: the source answered so, or did not answer. What
// people are told is the Answer, of code 5 unless the source said another.
type OverError struct {
	Ref    Ref
	Answer Answer
	// Asked is whether the source itself answered; else Err says why it did not: refused, silent for too long, broken, closed.
	Asked bool
	Err   error
}

// Error says what happened, for people.
func (e *OverError) Error() string {
	if e.Asked {
		return fmt.Sprintf("%s: %s", e.Ref, e.Answer.Meaning)
	}
	return fmt.Sprintf("%s: %v", e.Ref, e.Err)
}

// Unwrap is why the source did not answer.
func (e *OverError) Unwrap() error { return e.Err }

// State is what is known of a source's address.
type State string

// The states.
const (
	Untried     State = "untried"     // nobody has asked it for anything yet
	Reachable   State = "reachable"   // it accepted the last connection
	Unreachable State = "unreachable" // the last connection to it failed
)

// SourceStatus is a source as lists show it.
type SourceStatus struct {
	Name     string       `json:"name"`
	Kinds    []KindStatus `json:"kinds"`    // by kind
	Sessions int          `json:"sessions"` // open now
	Max      int          `json:"max"`      // open at once, at most
	Opened   uint64       `json:"opened"`   // since the start
	Failed   uint64       `json:"failed"`   // could not be opened
	Kicks    uint64       `json:"kicks"`    // asked for
}

// KindStatus is what is known of one address of a source.
type KindStatus struct {
	Kind        string `json:"kind"`
	Address     string `json:"address"`
	State       State  `json:"state"`
	Since       int64  `json:"since,omitempty"`         // when it became so; Unix µs
	Checked     int64  `json:"checked,omitempty"`       // when a connection was last tried; Unix µs
	Sessions    int    `json:"sessions"`                // open now
	LastError   string `json:"last_error,omitempty"`    // why it was last not reached, or gave no answer
	LastErrorAt int64  `json:"last_error_at,omitempty"` // Unix µs
}
