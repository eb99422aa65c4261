package auth

import (
	"testing"
	"time"
)

func TestACodeSignsInOnce(t *testing.T) {
	c := NewCodes(people(t))
	for _, expires := range []time.Time{later, {}} {
		text := c.Make("ann", expires)
		if len(text) != 22 {
			t.Errorf("the code %q has not 128 bits", text)
		}
		if id, ok := c.Take(text, now); !ok || id != (Identity{"ann", Viewer}) {
			t.Errorf("Take = %v, %v; want ann, viewer", id, ok)
		}
		if id, ok := c.Take(text, now); ok {
			t.Errorf("the second time: %v", id)
		}
	}
	for _, wrong := range []string{"", "AAAAAAAAAAAAAAAAAAAAAA"} {
		if id, ok := c.Take(wrong, now); ok {
			t.Errorf("Take(%q) = %v; want no one", wrong, id)
		}
	}
	if text := c.Make("cid", later); text != "" {
		t.Errorf("a code of nobody's: %q", text)
	}
}

func TestACodeExpires(t *testing.T) {
	c := NewCodes(people(t))
	short, forever := c.Make("ann", later), c.Make("ann", time.Time{})
	if id, ok := c.Take(short, later); ok {
		t.Errorf("when it has expired: %v", id)
	}
	if _, ok := c.Take(forever, now.AddDate(10, 0, 0)); !ok {
		t.Error("a code that does not expire has expired")
	}
}

func TestTheOldestCodesOfATokenGo(t *testing.T) {
	c := NewCodes(people(t))
	forever, bobs := c.Make("ann", time.Time{}), c.Make("bob. 王", later)
	var codes []string
	for range maxCodes + 2 {
		codes = append(codes, c.Make("ann", later))
	}
	for i, text := range codes {
		if _, ok := c.Take(text, now); ok != (i >= 2) {
			t.Errorf("code %d of %d: %v", i+1, len(codes), ok)
		}
	}
	for _, text := range []string{forever, bobs} {
		if id, ok := c.Take(text, now); !ok {
			t.Errorf("codes of ann's took another's place: %v", id)
		}
	}
}

func TestACodeFollowsItsToken(t *testing.T) {
	a := people(t)
	c := NewCodes(a)
	changed, gone := c.Make("ann", later), c.Make("bob. 王", later)
	if err := a.Replace([]Token{{"ann", Viewer, Hash("ann's new one")}}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{changed, gone} {
		if id, ok := c.Take(text, now); ok {
			t.Errorf("a code of a token that is not there any more lets in %v", id)
		}
	}
}
