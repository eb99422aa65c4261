package export

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/switchboard-relay/switchboard/session"
)

// player is a form in which other programs play back what a terminal showed. Times are µs since the start and never fall.
// Data is borrowed.
type player interface {
	begin(a *about)
	output(at int64, data []byte)
	input(at int64, data []byte)
	resize(at int64, size session.Size)
	mark(at int64, text string)
	lost(at int64, text string) // something is missing here
	exit(at int64, status int)
	end(at int64)
}

// about is what is known of a session before its first event is written.
type about struct {
	cuts     []span // on record as sent, but never sent; in order
	last     uint64 // number of the last event that there was
	start    int64  // Unix µs
	duration int64  // to the last event, µs
	size     session.Size
	title    string
	info     session.Info
	exit     *int // the program's status, if it is known
}

// lookThrough reads all events for what stands at the end and is needed at the beginning.
func lookThrough(open func() (Reader, error)) (a about, err error) {
	var sent uint64
	a.size = session.DefaultSize
	err = read(open, func(e session.Event) error {
		if a.last == 0 {
			a.start = e.Time
		}
		a.last, a.duration = e.Number, max(a.duration, e.Time-a.start)
		switch e.Kind {
		case session.Opened:
			var info session.Info
			if json.Unmarshal(e.Data, &info) == nil {
				a.title, a.info = info.Name, info
				if size, ok := session.ParseSize(info.Terminal); ok {
					a.size = size
				}
			}
		case session.Named:
			a.title = string(e.Data)
		case session.Sent, session.SentErr:
			sent += uint64(len(e.Data))
		case session.Unsent:
			a.cuts = cutUnsent(a.cuts, sent, e.Data)
		case session.Closed:
			a.exit = exitOf(e.Data)
		}
		return nil
	})
	return a, err
}

// exitOf is the exit status that a Closed event tells, nil if it tells none.
func exitOf(closed []byte) *int {
	var end session.End
	if json.Unmarshal(closed, &end) != nil {
		return nil
	}
	var status int
	if n, _ := fmt.Sscanf(end.Detail, "exit status %d", &status); end.Exit == nil && n == 1 {
		return &status
	}
	return end.Exit
}

// screen gives a player what was sent, which is what the terminal showed, and what was typed if it is to have input.
type screen struct {
	to    player
	input bool
	about *about
	at    int64 // of the newest event, µs since the start
	cut   cutter
	room  room
}

func newScreen(to player, input bool, a *about) *screen {
	to.begin(a)
	return &screen{to: to, input: input, about: a, cut: cutter{cuts: a.cuts}}
}

func (s *screen) event(e session.Event) {
	s.at = max(s.at, e.Time-s.about.start)
	switch e.Kind {
	case session.Opened:
		s.room.opened(e.Data)
	case session.Sent, session.SentErr:
		s.cut.each(e.Data, func(part []byte) { s.to.output(s.at, part) })
	case session.Received:
		if s.input {
			s.to.input(s.at, e.Data)
		}
	case session.Typed:
		if _, typed := session.SplitTyped(e.Data); s.input && len(typed) > 0 {
			s.to.input(s.at, typed)
		}
	case session.Message:
		s.to.output(s.at, s.room.said(e.Data))
	case session.Resized:
		if size, ok := session.ParseSize(string(e.Data)); ok {
			s.to.resize(s.at, size)
		}
	case session.Noted:
		s.to.mark(s.at, string(e.Data))
	case session.Gap:
		s.to.lost(s.at, (&Lines{}).tale(e))
	}
}

func (s *screen) end() {
	if s.about.exit != nil {
		s.to.exit(s.at, *s.about.exit)
	}
	s.to.end(s.at)
}

// writeScreen writes one of the forms that are played back.
func writeScreen(w io.Writer, f Format, d Direction, open func() (Reader, error)) error {
	a, err := lookThrough(open)
	if err != nil {
		return err
	}
	input := d != Sent
	switch f {
	case Script:
		return writeScript(w, input, &a, open)
	case SVG:
		return writeFilm(w, &a, open)
	}
	out := bufio.NewWriterSize(w, bufferSize)
	var to player = &ttyrec{out: out}
	if f != Ttyrec {
		to = &asciicast{out: out, version: map[Format]int{Asciicast: 3, Asciicast2: 2}[f]}
	}
	if err := play(to, input, &a, out, open); err != nil {
		return err
	}
	return out.Flush()
}

// play plays the events that lookThrough saw.
func play(to player, input bool, a *about, out *bufio.Writer, open func() (Reader, error)) error {
	s := newScreen(to, input, a)
	if err := each(open, a.last, out, s); err != nil {
		return err
	}
	s.end()
	return nil
}
