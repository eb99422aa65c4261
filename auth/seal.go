package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Cookies keep people signed in who showed their token once. A cookie says whose it is and until when, under a seal;
// none is kept, so all of them outlive a restart. The seal covers the hash of the token: when the token is taken away or
// changed, its cookies let nobody in. The role is looked up each time.
type Cookies struct {
	Name  string // of the cookie; of each secret another one, since browsers send cookies to every port of a host
	seals seals
}

// NewCookies makes cookies that are sealed with a secret. Another secret ends them all. It must be as long as a token.
func NewCookies(a *Auth, secret string) *Cookies {
	return &Cookies{Name: "switchboard-" + hex.EncodeToString(derive(secret, "cookie name", 4)),
		seals: seals{a, derive(secret, "cookie seal", sha256.Size)}}
}

// Make is the value of a cookie for the token of a name, "" if there is no such token.
func (c *Cookies) Make(name string, expires time.Time) string { return c.seals.make(name, "", expires) }

// Check tells whose cookie a value is, and until when.
func (c *Cookies) Check(value string, now time.Time) (id Identity, expires time.Time, ok bool) {
	return c.seals.check(value, "", now)
}

// Passes let somebody do one thing for a while who cannot show a token: they are part of an address. They are made as cookies
// are, but each is for one thing alone.
type Passes struct{ seals seals }

// NewPasses makes passes that are sealed with a secret. Another secret ends them all. It must be as long as a token.
func NewPasses(a *Auth, secret string) *Passes {
	return &Passes{seals{a, derive(secret, "pass seal", sha256.Size)}}
}

// Make is a pass for one thing, in the name of a token, "" if there is no such token. It needs no escapes in an address.
func (p *Passes) Make(name, thing string, expires time.Time) string {
	return p.seals.make(name, thing, expires)
}

// Check tells in whose name a pass for that thing is.
func (p *Passes) Check(pass, thing string, now time.Time) (id Identity, ok bool) {
	id, _, ok = p.seals.check(pass, thing, now)
	return id, ok
}

// seals vouch for what is said of the holder of a token.
type seals struct {
	auth *Auth
	key  []byte
}

// derive makes a key for one use out of a secret: RFC 5869.
func derive(secret, use string, length int) []byte {
	k, err := hkdf.Key(sha256.New, []byte(secret), nil, "switchboard "+use, length)
	if err != nil {
		panic("auth: " + err.Error()) // only of a length that is far greater
	}
	return k
}

// text64 needs no escapes in a cookie, and has one text only for the same bytes.
var text64 = base64.RawURLEncoding.Strict()

// make says who it is for and until when, under a seal that covers what it is for as well.
func (s *seals) make(name, thing string, expires time.Time) string {
	k, ok := s.auth.named(name)
	if !ok {
		return ""
	}
	until := strconv.FormatInt(expires.Unix(), 36)
	return text64.EncodeToString([]byte(name)) + "." + until + "." + text64.EncodeToString(s.seal(&k, thing, until))
}

func (s *seals) check(value, thing string, now time.Time) (id Identity, expires time.Time, ok bool) {
	encoded, rest, _ := strings.Cut(value, ".")
	until, seal, _ := strings.Cut(rest, ".")
	name, err := text64.DecodeString(encoded)
	if err != nil {
		return Identity{}, time.Time{}, false
	}
	sum, err := text64.DecodeString(seal)
	if err != nil {
		return Identity{}, time.Time{}, false
	}
	k, known := s.auth.named(string(name))
	if !known || !hmac.Equal(sum, s.seal(&k, thing, until)) {
		return Identity{}, time.Time{}, false
	}
	seconds, err := strconv.ParseInt(until, 36, 64)
	expires = time.Unix(seconds, 0)
	if err != nil || !now.Before(expires) {
		return Identity{}, time.Time{}, false
	}
	return k.Identity, expires, true
}

// seal is the HMAC of what is said. Each part but the last has a known length, or none of what ends it: the name, which may be
// any text, is the last.
func (s *seals) seal(k *key, thing, until string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(k.hash[:])
	if thing != "" {
		digest := sha256.Sum256([]byte(thing))
		mac.Write(digest[:])
	}
	mac.Write([]byte(until + "." + k.Name))
	return mac.Sum(nil)
}
