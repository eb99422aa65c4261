// Package screen tells what a session's terminal shows behind each of its events, and behind which of them that is worth
// keeping, so that nobody has to begin at the start to see it.
package screen

import (
	"encoding/json"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// Version is what a Screen means. It changes with what package terminal makes of the same bytes: screens that were kept by
// another version are made anew.
const Version = 1

// Screen is what a session's terminal shows behind one of its events.
type Screen struct {
	Number uint64 // of that event; 0: before the first
	Time   int64  // of that event, Unix µs
	Size   session.Size
	Data   []byte // sequences that bring any terminal of that size to it, whatever it showed; they begin with RIS
	Debt   int64  // of a screen that is to be kept, or was: what New's rule goes on with behind it, µs
}

// Place is a Screen without what it shows.
type Place struct {
	Number uint64
	Time   int64 // Unix µs
	Size   session.Size
}

// Tracker follows what a session's terminal shows, event by event: what was sent, and the sizes it had. It is for one
// goroutine.
type Tracker struct {
	term   *terminal.Terminal
	number uint64 // of the newest event taken
	at     int64  // of that event, Unix µs
	rule   rule
}

// New begins before a session's first event.
func New() *Tracker {
	return &Tracker{term: terminal.New(session.DefaultSize.Cols, session.DefaultSize.Rows)}
}

// Resume goes on behind a screen that was kept.
func Resume(s Screen) *Tracker {
	t := &Tracker{term: terminal.New(s.Size.Cols, s.Size.Rows), number: s.Number, at: s.Time}
	t.term.Write(s.Data)
	t.rule.resume(s)
	return t
}

// Number is that of the newest event taken, 0 if there was none.
func (t *Tracker) Number() uint64 { return t.number }

// Terminal is the terminal itself.
func (t *Tracker) Terminal() *terminal.Terminal { return t.term }

// Take takes the next event. More than one may have the same number.
func (t *Tracker) Take(e session.Event) {
	if t.number == 0 {
		t.rule.begin(e.Time)
	}
	t.number, t.at = e.Number, max(t.at, e.Time)
	switch e.Kind {
	case session.Opened:
		var info session.Info
		if json.Unmarshal(e.Data, &info) != nil {
			return
		}
		if size, ok := session.ParseSize(info.Terminal); ok {
			t.term = terminal.New(size.Cols, size.Rows)
		}
	case session.Sent, session.SentErr:
		t.term.Write(e.Data)
		t.rule.output(len(e.Data))
	case session.Resized:
		if size, ok := session.ParseSize(string(e.Data)); ok {
			before := t.Size()
			t.term.Resize(size.Cols, size.Rows)
			t.rule.resized(before, t.Size())
		}
	}
}

// Size is the terminal's, which may be smaller than the one that was asked for.
func (t *Tracker) Size() session.Size {
	cols, rows := t.term.Size()
	return session.Size{Cols: cols, Rows: rows}
}

// Place is where the tracker is.
func (t *Tracker) Place() Place { return Place{t.number, t.at, t.Size()} }

// Screen is what is shown behind the newest event taken.
func (t *Tracker) Screen() Screen {
	return Screen{Number: t.number, Time: t.at, Size: t.Size(), Data: t.term.AppendSnapshot(nil)}
}

// Due reports whether the screen is to be kept before an event is taken. That follows from the events alone.
func (t *Tracker) Due(e session.Event) bool {
	return e.Number > t.number && t.rule.due(e.Time) && (t.term.IsWhole() || t.rule.work >= keepLate)
}

// Kept says that the screen is kept, and fills in its Debt.
func (t *Tracker) Kept(s *Screen) {
	t.rule.kept(t.at, len(s.Data))
	s.Debt = t.rule.debt
}
