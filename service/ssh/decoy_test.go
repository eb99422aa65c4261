package ssh

import (
	"fmt"
	"testing"
)

func TestWhoIsNoUserTakesAsLongAsAnyUserDoes(t *testing.T) {
	conf := Config{Users: []User{{Name: "ada"}, {Name: "bob", Password: "quick"}, {Name: "carol", Password: "slow"}}}
	hashes := map[string]int{}
	for i := range 1000 {
		name := fmt.Sprint("nobody", i)
		first := conf.decoy(name).Password
		if again := conf.decoy(name).Password; again != first {
			t.Fatalf("%s: %s, and then %s: the time would tell", name, first, again)
		}
		hashes[first]++
	}
	if len(hashes) != 2 || hashes["quick"] < 300 || hashes["slow"] < 300 {
		t.Errorf("of 1000 names: %v; want about as many of each", hashes)
	}
}
