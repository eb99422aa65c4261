package session

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ID names one session, for ever and on every node: twelve random characters, a hyphen and the name of the node that
// holds the session, as in "4tq9m2xk7bfd-n1". The random part comes first so that a short prefix names one session.
type ID string

const (
	idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's base 32, lower case
	idRandom   = 12
	// MaxIDLen is the longest an ID can be, in bytes.
	MaxIDLen = idRandom + 1 + MaxNodeLen
	// MaxNodeLen is the longest a node's name can be, in bytes.
	MaxNodeLen = 16
)

// ErrBadID is what ParseID wraps.
var ErrBadID = errors.New("not a session id")

// NewID makes an ID for a session of the node.
func NewID(node string) ID {
	var random [8]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	n := binary.LittleEndian.Uint64(random[:])
	id := make([]byte, idRandom, idRandom+1+len(node))
	for i := range id {
		id[i] = idAlphabet[n&31]
		n >>= 5
	}
	return ID(append(append(id, '-'), node...))
}

// ParseID checks that s has the form of an ID.
func ParseID(s string) (ID, error) {
	random, node, found := strings.Cut(s, "-")
	if !found || len(random) != idRandom || strings.Trim(random, idAlphabet) != "" {
		return "", fmt.Errorf("%w: %q (an id looks like 4tq9m2xk7bfd-n1)", ErrBadID, s)
	}
	if err := CheckNode(node); err != nil {
		return "", fmt.Errorf("%w: %q: %w", ErrBadID, s, err)
	}
	return ID(s), nil
}

// Node is the name of the node that holds the session.
func (id ID) Node() string {
	_, node, _ := strings.Cut(string(id), "-")
	return node
}

// Short is the random part alone, which people read and type.
func (id ID) Short() string {
	random, _, _ := strings.Cut(string(id), "-")
	return random
}

// CheckNode tells what is wrong with a node's name: it must be 1 to 16 letters a-z and digits.
func CheckNode(name string) error {
	if name == "" || len(name) > MaxNodeLen {
		return fmt.Errorf("node name %q: must be 1 to %d characters", name, MaxNodeLen)
	}
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return fmt.Errorf("node name %q: only a-z and 0-9 are allowed", name)
	}
	return nil
}
