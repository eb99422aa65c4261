//go:build unix

package main

import (
	"strings"
	"testing"
)

func TestAPersonWatchesASourcesSessionAsItsTerminal(t *testing.T) {
	s, source := threeEnds(t, "--again", "1h")
	c := newConsole(t, 30, 100, s.with("watch", "ssh:demo")...)
	if seen := c.await("Ctrl-C leaves"); strings.Contains(seen, "→ sent") {
		t.Errorf("it is shown %q; want the screen, not events", seen)
	}
	c.press("\x03")
	c.await("left ")
	if code := c.exit(); code != exitOK {
		t.Errorf("left by Ctrl-C: exit code %d", code)
	}
	source.out.until("leaves demo")

	c = newConsole(t, 30, 100, s.with("watch", "ssh:demo")...)
	c.await("你好")
	s.do("kick", "ssh:demo", "--reason", "enough")
	c.await("kicked by admin: enough")
	c.await(`ssh:demo: 会话已结束！ \(code 3: the session was ended by a kick\)`)
	if code := c.exit(); code != exitOK {
		t.Errorf("behind a kick: exit code %d", code)
	}
}

func TestAPersonWatchesEventsWhereAFlagAsksForThem(t *testing.T) {
	s, _ := threeEnds(t)
	for _, flags := range [][]string{{"--from", "1"}, {"--hex"}, {"--json"}, {"--direction", "sent"}} {
		c := newConsole(t, 30, 100, s.with(append([]string{"watch", "ssh:2"}, flags...)...)...)
		c.await(`sent`)
	}
}
