package forward_test

import (
	"fmt"
	"sync"
	"testing"
)

// A session that is named again while a worker reads it and its place is written was changed under both of them: the race
// detector saw it.
func TestASessionMayBeNamedAgainWhileItIsForwarded(t *testing.T) {
	w := newWire(true)
	n := newNode(t, w.setting(), toLink)
	addr := n.fleet("devices", lineSpec)
	const devices, each = 8, 400
	var talking sync.WaitGroup
	for i := range devices {
		talking.Go(func() {
			c := dial(t, addr, fmt.Sprintf("d%03d", i))
			for k := range each {
				say(t, c, numbered("x", i*each+k))
				for _, s := range n.live() {
					n.forwards.Named(s, "devices", fmt.Sprintf("%s-%d", s.ID(), k%7))
				}
			}
			settle(t, c, "SYNC")
		})
	}
	talking.Wait()
	seen := map[string]int{}
	for _, o := range w.got.count(t, devices*(each+2)) {
		seen[o.text()]++
	}
	for i := range devices * each {
		if text := numbered("x", i); seen[text] != 1 {
			t.Errorf("%s came %d times; want once", text, seen[text])
		}
	}
}
