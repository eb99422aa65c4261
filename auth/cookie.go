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
	Name string // of the cookie; of each secret another one, since browsers send cookies to every port of a host
	auth *Auth
	key  []byte
}

// NewCookies makes cookies that are sealed with a secret. Another secret ends them all. It must be as long as a token.
func NewCookies(a *Auth, secret string) *Cookies {
	return &Cookies{Name: "switchboard-" + hex.EncodeToString(derive(secret, "cookie name", 4)), auth: a,
		key: derive(secret, "cookie seal", sha256.Size)}
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

// Make is the value of a cookie for the token of a name, "" if there is no such token.
func (c *Cookies) Make(name string, expires time.Time) string {
	k, ok := c.auth.named(name)
	if !ok {
		return ""
	}
	until := strconv.FormatInt(expires.Unix(), 36)
	return text64.EncodeToString([]byte(name)) + "." + until + "." + text64.EncodeToString(c.seal(&k, until))
}

// Check tells whose cookie a value is, and until when.
func (c *Cookies) Check(value string, now time.Time) (id Identity, expires time.Time, ok bool) {
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
	k, known := c.auth.named(string(name))
	if !known || !hmac.Equal(sum, c.seal(&k, until)) {
		return Identity{}, time.Time{}, false
	}
	seconds, err := strconv.ParseInt(until, 36, 64)
	expires = time.Unix(seconds, 0)
	if err != nil || !now.Before(expires) {
		return Identity{}, time.Time{}, false
	}
	return k.Identity, expires, true
}

// seal is the HMAC of what a cookie says. The name is last: it may be any text.
func (c *Cookies) seal(k *key, until string) []byte {
	mac := hmac.New(sha256.New, c.key)
	mac.Write(k.hash[:])
	mac.Write([]byte(until + "." + k.Name))
	return mac.Sum(nil)
}
