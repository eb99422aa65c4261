// Package auth says who may do what: tokens and the roles that they carry, and the cookies and codes that stand for them.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
)

// Role is what somebody may do. Each includes those before it.
type Role string

const (
	Viewer   Role = "viewer"   // list, watch, play back, export
	Operator Role = "operator" // kick, send, pin
	Admin    Role = "admin"    // delete
)

var rank = map[Role]int{Viewer: 1, Operator: 2, Admin: 3}

// Includes reports whether r may do what needs the other role.
func (r Role) Includes(other Role) bool { return rank[r] >= rank[other] && rank[r] > 0 }

// Token lets somebody in. Only its hash is kept.
type Token struct {
	Name   string // shown as who did something
	Role   Role
	SHA256 string // of the token, hexadecimal
}

// Identity is who somebody is.
type Identity struct {
	Name string
	Role Role
}

// Auth knows the tokens.
type Auth struct{ keys atomic.Pointer[[]key] }

// key is a token that lets somebody in.
type key struct {
	hash [sha256.Size]byte
	Identity
}

// New checks the tokens' form, and that each has a name of its own: it stands for who did something.
func New(tokens []Token) (*Auth, error) {
	a := &Auth{}
	if err := a.Replace(tokens); err != nil {
		return nil, err
	}
	return a, nil
}

// Replace makes the tokens those that are given, if nothing is wrong with them. From then on cookies and codes of tokens
// that are not among them let nobody in.
func (a *Auth) Replace(tokens []Token) error {
	keys, names := []key{}, map[string]bool{}
	for _, t := range tokens {
		if t.Name == "" {
			return errors.New("a token has no name: it is shown as who did something")
		}
		if names[t.Name] {
			return fmt.Errorf("two tokens are called %q: choose another name for one", t.Name)
		}
		names[t.Name] = true
		sum, err := hex.DecodeString(t.SHA256)
		if err != nil || len(sum) != sha256.Size {
			return fmt.Errorf("token %q: sha256 must be %d hexadecimal digits", t.Name, 2*sha256.Size)
		}
		if rank[t.Role] == 0 {
			return fmt.Errorf("token %q: no role is called %q; use viewer, operator or admin", t.Name, t.Role)
		}
		keys = append(keys, key{[sha256.Size]byte(sum), Identity{t.Name, t.Role}})
	}
	a.keys.Store(&keys)
	return nil
}

// Check tells whose token it is. It takes as long for a wrong token as for a right one.
func (a *Auth) Check(token string) (Identity, bool) {
	sum := sha256.Sum256([]byte(token))
	id, found := Identity{}, false
	for _, k := range *a.keys.Load() {
		if subtle.ConstantTimeCompare(sum[:], k.hash[:]) == 1 {
			id, found = k.Identity, true
		}
	}
	return id, found
}

// named is the token of a name.
func (a *Auth) named(name string) (key, bool) {
	for _, k := range *a.keys.Load() {
		if k.Name == name {
			return k, true
		}
	}
	return key{}, false
}

// Hash is the form in which a token is configured: its SHA-256, hexadecimal.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// LoadOrCreate reads the token in a file, or makes one there. Only the owner can read the file: one that others may use
// is taken from them.
func LoadOrCreate(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		if err := ownerOnly(path); err != nil {
			return "", err
		}
		token := strings.TrimSpace(string(b))
		if len(token) < 16 {
			return "", fmt.Errorf("%s holds no token: remove it, and a new one is made", path)
		}
		return token, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var random [32]byte
	rand.Read(random[:]) // never fails
	token := base64.RawURLEncoding.EncodeToString(random[:])
	return token, os.WriteFile(path, []byte(token+"\n"), 0o600)
}

func ownerOnly(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		mode := info.Mode().Perm()
		return fmt.Errorf("others may use %s (mode %04o): %w: remove it, and a new one is made", path, mode, err)
	}
	return nil
}
