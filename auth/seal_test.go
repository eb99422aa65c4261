package auth

import (
	"strings"
	"testing"
	"time"
)

var (
	now   = time.Unix(1_800_000_000, 0)
	later = now.Add(time.Hour)
)

func people(t *testing.T, tokens ...Token) *Auth {
	t.Helper()
	if tokens == nil {
		tokens = []Token{{"ann", Viewer, Hash("ann's")}, {"bob. 王", Operator, Hash("bob's")}}
	}
	a, err := New(tokens)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestACookieLetsInWhomItWasMadeForUntilItExpires(t *testing.T) {
	c := NewCookies(people(t), "the administrator's token")
	value := c.Make("bob. 王", later)
	id, expires, ok := c.Check(value, now)
	if !ok || id != (Identity{"bob. 王", Operator}) || !expires.Equal(later) {
		t.Errorf("Check(%q) = %v, %v, %v; want bob, operator, %v", value, id, expires, ok, later)
	}
	if strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		t.Errorf("the value %q needs to be escaped", value)
	}
	for _, at := range []time.Time{later, later.Add(time.Hour)} {
		if id, _, ok := c.Check(value, at); ok {
			t.Errorf("at %v, when it has expired: lets in %v", at, id)
		}
	}
	if value := c.Make("cid", later); value != "" {
		t.Errorf("a cookie of nobody's: %q", value)
	}
}

func TestACookieOutlivesARestartButNotTheSecret(t *testing.T) {
	before := NewCookies(people(t), "secret")
	value := before.Make("ann", later)
	again, other := NewCookies(people(t), "secret"), NewCookies(people(t), "another")
	if _, _, ok := again.Check(value, now); !ok || again.Name != before.Name {
		t.Errorf("after a restart: let in %v, under the name %q; want %q", ok, again.Name, before.Name)
	}
	if _, _, ok := other.Check(value, now); ok || other.Name == before.Name {
		t.Errorf("with another secret: let in %v, under the name %q", ok, other.Name)
	}
	if len(before.Name) != len("switchboard-")+8 || strings.Contains(before.Name, "secret") {
		t.Errorf("the name is %q", before.Name)
	}
}

func TestACookieFollowsItsToken(t *testing.T) {
	a := people(t)
	c := NewCookies(a, "secret")
	value := c.Make("ann", later)
	replace := func(tokens ...Token) {
		t.Helper()
		if err := a.Replace(tokens); err != nil {
			t.Fatal(err)
		}
	}
	replace(Token{"ann", Admin, Hash("ann's")})
	if id, _, ok := c.Check(value, now); !ok || id.Role != Admin {
		t.Errorf("with another role: %v, %v; want the role of now", id, ok)
	}
	replace(Token{"ann", Viewer, Hash("ann's new one")})
	if id, _, ok := c.Check(value, now); ok {
		t.Errorf("of a token that was changed: lets in %v", id)
	}
	replace(Token{"bob", Viewer, Hash("ann's")})
	if id, _, ok := c.Check(value, now); ok {
		t.Errorf("of a name that is gone: lets in %v", id)
	}
	if err := a.Replace([]Token{{"ann", "king", Hash("ann's")}}); err == nil {
		t.Error("a token that is wrong is taken")
	}
	if _, ok := a.Check("ann's"); !ok {
		t.Error("after tokens that were refused those before are gone")
	}
}

func TestNoOtherCookieLetsAnybodyIn(t *testing.T) {
	c := NewCookies(people(t), "secret")
	value := c.Make("ann", later)
	parts := strings.Split(value, ".")
	bob, longer := strings.Split(c.Make("bob. 王", later), "."), strings.Split(c.Make("ann", later.Add(time.Hour)), ".")
	for _, wrong := range []string{"", ".", "..", value + ".", value + "x", value[:len(value)-4], parts[0], parts[0] + "." + parts[1],
		parts[0] + "." + parts[1] + ".", bob[0] + "." + parts[1] + "." + parts[2],
		parts[0] + "." + longer[1] + "." + parts[2], "!." + parts[1] + "." + parts[2], parts[0] + "..", " " + value} {
		if id, _, ok := c.Check(wrong, now); ok {
			t.Errorf("Check(%q) = %v; want no one", wrong, id)
		}
	}
	for i := range value {
		changed := []byte(value)
		changed[i] ^= 2
		if id, _, ok := c.Check(string(changed), now); ok && string(changed) != value {
			t.Errorf("with byte %d changed: %q lets in %v", i, changed, id)
		}
	}
}

func TestAPassIsForOneThingAlone(t *testing.T) {
	a := people(t)
	p := NewPasses(a, "secret")
	pass := p.Make("bob. 王", "session x", later)
	if id, ok := p.Check(pass, "session x", now); !ok || id != (Identity{"bob. 王", Operator}) {
		t.Errorf("Check(%q) = %v, %v; want bob, operator", pass, id, ok)
	}
	for _, thing := range []string{"session y", "session ", ""} {
		if id, ok := p.Check(pass, thing, now); ok {
			t.Errorf("for %q as well: lets in %v", thing, id)
		}
	}
	if id, ok := p.Check(pass, "session x", later); ok {
		t.Errorf("when it has expired: lets in %v", id)
	}
	if id, ok := NewPasses(a, "another").Check(pass, "session x", now); ok {
		t.Errorf("with another secret: lets in %v", id)
	}
	if id, _, ok := NewCookies(a, "secret").Check(p.Make("ann", "", later), now); ok {
		t.Errorf("as a cookie: lets in %v", id)
	}
	if err := a.Replace([]Token{{"bob. 王", Operator, Hash("another")}}); err != nil {
		t.Fatal(err)
	}
	if id, ok := p.Check(pass, "session x", now); ok {
		t.Errorf("with a token that has changed: lets in %v", id)
	}
	if pass := p.Make("cid", "session x", later); pass != "" {
		t.Errorf("a pass of nobody's: %q", pass)
	}
}
