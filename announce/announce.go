// Package announce tells the person at a terminal something beside what a program shows there: while that rests, and never
// within one of its sequences.
package announce

import (
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/switchboard-relay/switchboard/telnet"
)

// Way is how the person is told.
type Way string

const (
	Title Way = "title" // in the title of the window, which the program gets back
	Line  Way = "line"  // by a line of its own, which stays
	Off   Way = "off"   // not at all
)

// Rest is how long a program must have shown nothing before it is interrupted.
const Rest = 100 * time.Millisecond

// Announcer tells the person at one terminal. It is for many goroutines.
type Announcer struct {
	way Way
	put func(next func() []byte) error

	mu     sync.Mutex
	shown  follower
	last   time.Time // when the program showed anything
	wanted string
	told   string
	busy   bool // somebody waits for a rest
	closed chan struct{}
	over   bool
}

// New makes an Announcer of a way that is not Off. To write, it calls put, which calls next and writes what that returns, if
// it is anything, while nothing else is written. An error of put ends the Announcer.
func New(way Way, put func(next func() []byte) error) *Announcer {
	return &Announcer{way: way, put: put, closed: make(chan struct{})}
}

// OverTelnet says that what is shown has telnet's commands in it. It comes before all else.
func (a *Announcer) OverTelnet() { a.shown.telnet = &telnet.Decoder{} }

// Passed is told what the program shows, once that is written and before put writes again.
func (a *Announcer) Passed(p []byte) {
	if len(p) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shown.follow(p)
	a.last = time.Now()
	a.start()
}

// Say sets what the person is told; empty is nothing any more. It does not wait.
func (a *Announcer) Say(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted = printable(text)
	a.start()
}

// Undo is what takes the announcement away at once, if that can be now: for whoever writes last. It is called as put is.
func (a *Announcer) Undo() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted = ""
	if a.over || !a.due() || !a.shown.between() {
		return nil
	}
	return a.compose()
}

// Close ends it. Nothing is written any more.
func (a *Announcer) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		a.over = true
		close(a.closed)
	}
}

// due reports whether the person is to be told something; a.mu is held.
func (a *Announcer) due() bool {
	return a.wanted != a.told || a.way == Title && a.told != "" && a.shown.titled
}

// start has somebody wait for a rest; a.mu is held.
func (a *Announcer) start() {
	if a.busy || a.over || !a.due() {
		return
	}
	a.busy = true
	go a.tell() // ends when all is told, or with Close
}

func (a *Announcer) tell() {
	for {
		wait, more := a.wait()
		if !more {
			return
		}
		if wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-a.closed:
				timer.Stop()
			}
			continue
		}
		if a.put(a.next) != nil {
			a.Close()
		}
	}
}

// wait is how long to wait before it is tried; more is false if there is nothing to tell.
func (a *Announcer) wait() (wait time.Duration, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || !a.due() {
		a.busy = false
		return 0, false
	}
	wait = Rest - time.Since(a.last)
	if !a.shown.between() {
		wait = max(wait, Rest)
	}
	return wait, true
}

// next is what to write now, if anything.
func (a *Announcer) next() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || !a.due() || !a.shown.between() || time.Since(a.last) < Rest {
		return nil
	}
	return a.compose()
}

// compose tells what is wanted; a.mu is held.
func (a *Announcer) compose() []byte {
	before := a.told
	a.told = a.wanted
	switch {
	case a.way == Line && a.told == "":
		return []byte("\r\n[switchboard: nobody is with you any more]\r\n")
	case a.way == Line:
		return []byte("\r\n[switchboard: " + a.told + "]\r\n")
	case a.told == "": // what was pushed is taken back, and what the program has set since holds
		text := "\x1b[23;2t"
		if a.shown.title != "" {
			text += setTitle(a.shown.title)
		}
		return []byte(text)
	}
	a.shown.titled = false
	if before == "" {
		a.shown.title = ""
		return []byte("\x1b[22;2t" + setTitle(a.told))
	}
	return []byte(setTitle(a.told))
}

// setTitle sets a window's title, and leaves that of its icon.
func setTitle(text string) string { return "\x1b]2;" + text + "\a" }

// printable is a text without anything that a terminal would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}
