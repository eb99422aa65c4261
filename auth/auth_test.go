package auth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestATokenCarriesItsNameAndRole(t *testing.T) {
	a, err := New([]Token{{"ann", Viewer, Hash("ann's token")}, {"bob", Operator, Hash("bob's token")}})
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := a.Check("bob's token"); !ok || id != (Identity{"bob", Operator}) {
		t.Errorf("Check = %v, %v; want bob, operator", id, ok)
	}
	for _, wrong := range []string{"", "ann's toke", "ann's token ", Hash("ann's token")} {
		if id, ok := a.Check(wrong); ok {
			t.Errorf("Check(%q) = %v; want no one", wrong, id)
		}
	}
}

func TestARoleIncludesThoseBelowIt(t *testing.T) {
	roles := []Role{Viewer, Operator, Admin}
	for i, r := range roles {
		for j, other := range roles {
			if got := r.Includes(other); got != (i >= j) {
				t.Errorf("%s.Includes(%s) = %v", r, other, got)
			}
		}
	}
	if Role("root").Includes(Viewer) || Role("").Includes("") {
		t.Error("an unknown role includes something")
	}
}

func TestBadTokensAreRefusedWithTheMend(t *testing.T) {
	for _, bad := range []Token{{"x", Viewer, "abc"}, {"x", "king", Hash("t")}} {
		if _, err := New([]Token{bad}); err == nil || !strings.Contains(err.Error(), `"x"`) {
			t.Errorf("New(%+v): %v; want an error that names x", bad, err)
		}
	}
}

func TestEveryTokenHasANameOfItsOwn(t *testing.T) {
	if _, err := New([]Token{{"", Viewer, Hash("t")}}); err == nil || !strings.Contains(err.Error(), "no name") {
		t.Errorf("a token without a name: %v; want an error that says so", err)
	}
	two := []Token{{"ann", Viewer, Hash("one")}, {"bob", Admin, Hash("two")}, {"ann", Operator, Hash("three")}}
	if _, err := New(two); err == nil || !strings.Contains(err.Error(), `two tokens are called "ann"`) {
		t.Errorf("two tokens of one name: %v; want an error that names it", err)
	}
}

func TestATokenFileThatOthersMayReadIsTakenFromThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("a token of some length\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o664); err != nil { // whatever the umask
		t.Fatal(err)
	}
	token, err := LoadOrCreate(path)
	if err != nil || token != "a token of some length" {
		t.Fatalf("LoadOrCreate = %q, %v", token, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v; want 0600", info.Mode().Perm())
	}
}

func TestTheTokenFileIsMadeOnceAndForTheOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	first, err := LoadOrCreate(path)
	if err != nil || len(first) < 40 {
		t.Fatalf("LoadOrCreate = %q, %v", first, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v; want 0600", info.Mode().Perm())
	}
	if again, err := LoadOrCreate(path); again != first || err != nil {
		t.Errorf("the second time %q, %v; want the same token", again, err)
	}
	os.WriteFile(path, []byte("short"), 0o600)
	if _, err := LoadOrCreate(path); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a file with no token: %v; want an error that says what to do", err)
	}
}
