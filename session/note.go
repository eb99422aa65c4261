package session

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// Note is what somebody wrote about a session. One with At is about a moment of it: a mark.
type Note struct {
	ID     string `json:"id"`               // names it within its session
	At     *int64 `json:"at,omitempty"`     // µs since the session's start
	Text   string `json:"text"`             // may be empty where there is At
	By     string `json:"by"`               // who wrote it
	Time   int64  `json:"time"`             // when; Unix µs
	Edited int64  `json:"edited,omitempty"` // when its text was last changed, if it was; Unix µs
}

const (
	MaxNotes    = 1000 // of a session
	MaxNoteText = 4096 // bytes
	noteRandom  = 10
)

// NewNoteID makes an id for a note: ten random characters.
func NewNoteID() string {
	var random [8]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	n := binary.LittleEndian.Uint64(random[:])
	id := make([]byte, noteRandom)
	for i := range id {
		id[i] = idAlphabet[n&31]
		n >>= 5
	}
	return string(id)
}

// Check tells what is wrong with what a note says.
func (n *Note) Check() error {
	switch {
	case n.Text == "" && n.At == nil:
		return errors.New("a note needs a text; only a mark, which has a time, may be without")
	case len(n.Text) > MaxNoteText:
		return fmt.Errorf("the text of a note has %d bytes; at most %d", len(n.Text), MaxNoteText)
	case n.At != nil && *n.At < 0:
		return fmt.Errorf("a mark at %d µs: it cannot lie before the session's start", *n.At)
	}
	return nil
}

// CompareNotes orders notes: those about the whole session, then by the moment that they are about; the oldest first.
func CompareNotes(a, b Note) int {
	moment := func(n Note) int64 {
		if n.At == nil {
			return -1
		}
		return *n.At
	}
	return cmp.Or(cmp.Compare(moment(a), moment(b)), cmp.Compare(a.Time, b.Time), cmp.Compare(a.ID, b.ID))
}
