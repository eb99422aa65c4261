package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// maxCodes is how many codes of one token wait to be used. Its oldest go.
const maxCodes = 16

// Codes sign in once each, as the token that they were made for. Only their hashes are kept, in memory.
type Codes struct {
	auth *Auth

	mu    sync.Mutex
	codes []code // the oldest first
}

type code struct {
	hash    [sha256.Size]byte
	key     key       // as it was then
	expires time.Time // zero: never
}

// NewCodes makes a set of no codes.
func NewCodes(a *Auth) *Codes { return &Codes{auth: a} }

// Make is a new code for the token of a name, "" if there is no such token. It is good until it expires; if that is the
// zero time, until it is used, and then no number of others takes its place.
func (c *Codes) Make(name string, expires time.Time) string {
	k, ok := c.auth.named(name)
	if !ok {
		return ""
	}
	var random [16]byte
	rand.Read(random[:]) // never fails
	text := base64.RawURLEncoding.EncodeToString(random[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.makeRoom(name)
	c.codes = append(c.codes, code{sha256.Sum256([]byte(text)), k, expires})
	return text
}

// makeRoom lets one more code of the name be kept.
func (c *Codes) makeRoom(name string) {
	oldest, n := -1, 0
	for i := range c.codes {
		if c.codes[i].key.Name != name || c.codes[i].expires.IsZero() {
			continue
		}
		if n++; oldest < 0 {
			oldest = i
		}
	}
	if n >= maxCodes {
		c.remove(oldest)
	}
}

func (c *Codes) remove(i int) { c.codes = append(c.codes[:i], c.codes[i+1:]...) }

// Take tells whom a code signs in. It does so once, and not if the token has been taken away or changed since. The time
// that a search takes tells of hashes alone, from which no code can be found.
func (c *Codes) Take(text string, now time.Time) (Identity, bool) {
	hash := sha256.Sum256([]byte(text))
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, found := range c.codes {
		if found.hash != hash {
			continue
		}
		c.remove(i)
		k, known := c.auth.named(found.key.Name)
		if !known || k.hash != found.key.hash || !found.expires.IsZero() && !now.Before(found.expires) {
			return Identity{}, false
		}
		return k.Identity, true
	}
	return Identity{}, false
}
