package ssh

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Bounds of what checking one password may cost, so that a hash cannot be a burden by mistake.
const (
	maxArgonMemory = 256 << 10 // KiB
	maxArgonTime   = 16
	maxBcryptCost  = 16
	minHashBytes   = 16
)

// maxPassword is the longest password that is looked at, in bytes: bcrypt takes no more.
const maxPassword = 72

// hashSlots bounds how many passwords are checked at once: a hash may take 256 MiB of memory.
var hashSlots = make(chan struct{}, 2)

var errHash = errors.New("is no hash of a password: \"switchboard hash-password\" makes one; or write one of bcrypt, as htpasswd -nBC 12 NAME makes (what follows the " +
	"colon), or of argon2id, as in $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH")

// CheckHash tells what is wrong with the hash of a password.
func CheckHash(hash string) error {
	if strings.HasPrefix(hash, "$argon2id$") {
		_, err := parseArgon(hash)
		return err
	}
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || len(hash) != 60 {
		return errHash
	}
	if cost > maxBcryptCost {
		return fmt.Errorf("costs too much to check: at most a cost of %d", maxBcryptCost)
	}
	return nil
}

// What a hash of HashPassword costs to check (RFC 9106, section 4: the second choice, of less memory).
const (
	argonMemory  = 64 << 10 // KiB
	argonTime    = 3
	argonThreads = 4
)

// HashPassword makes a hash of argon2id for User.Password.
func HashPassword(password string) (string, error) {
	switch {
	case password == "":
		return "", errors.New("the password is empty")
	case len(password) > maxPassword:
		return "", fmt.Errorf("the password has %d bytes; at most %d are looked at", len(password), maxPassword)
	}
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	sum := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, 32)
	code := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", argonMemory, argonTime, argonThreads, code(salt), code(sum)), nil
}

// decoys is what has others than users take turns, differently each time that the program runs.
var decoys = maphash.MakeSeed()

// decoy is a user with a password, for a name that is none's: always the same one, since hashes differ in how long they take.
func (c *Config) decoy(name string) *User {
	var with []*User
	for i := range c.Users {
		if hasPassword(c.Users[i]) {
			with = append(with, &c.Users[i])
		}
	}
	return with[maphash.String(decoys, name)%uint64(len(with))]
}

// matches reports whether a password has the hash.
func matches(hash, password string) bool {
	if len(password) > maxPassword {
		return false
	}
	hashSlots <- struct{}{}
	defer func() { <-hashSlots }()
	if strings.HasPrefix(hash, "$argon2id$") {
		a, err := parseArgon(hash)
		if err != nil {
			return false
		}
		sum := argon2.IDKey([]byte(password), a.salt, a.time, a.memory, a.threads, uint32(len(a.sum)))
		return subtle.ConstantTimeCompare(sum, a.sum) == 1
	}
	return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
}

// argon is a hash of argon2id in its parts.
type argon struct {
	memory, time uint32
	threads      uint8
	salt, sum    []byte
}

func parseArgon(hash string) (a argon, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[2] != "v=19" {
		return a, errHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &a.memory, &a.time, &a.threads); n != 3 || err != nil {
		return a, errHash
	}
	if a.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(a.salt) < 8 {
		return a, errHash
	}
	if a.sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(a.sum) < minHashBytes {
		return a, errHash
	}
	if a.memory == 0 || a.time == 0 || a.threads == 0 {
		return a, errHash
	}
	if a.memory > maxArgonMemory || a.time > maxArgonTime || len(a.sum) > 64 || len(a.salt) > 64 {
		return a, fmt.Errorf("costs too much to check: at most m=%d, t=%d", maxArgonMemory, maxArgonTime)
	}
	return a, nil
}
