package web

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/session"
)

// feed is a form that a stream comes in. It takes a message at a time; the intake is locked.
type feed interface{ take(message []byte) error }

// alisFeed is ALiS. Its times are not taken over: what comes is recorded as it comes.
type alisFeed struct {
	in     *intake
	magic  bool
	online bool // there was an AlisInit
}

func (f *alisFeed) take(message []byte) error {
	if !f.magic {
		if string(message) != export.AlisMagic {
			return wrong("a stream of ALiS must begin with %q", export.AlisMagic)
		}
		f.magic = true
		return nil
	}
	frame, err := export.ParseAlis(message)
	switch {
	case errors.Is(err, export.ErrAlisKind):
		return nil // of a later version, which may be passed over
	case err != nil:
		return wrong("%v", err)
	case frame.Kind == export.AlisInit:
		f.online = true
		return f.init(&frame)
	case !f.online:
		return wrong("an event stands before the first init")
	case frame.Kind == export.AlisEnd:
		f.in.end(session.End{Cause: session.Done})
		return nil
	}
	return f.event(&frame)
}

// init begins the session, or goes on with it: where the stream has gone on in the meantime, with what the screen shows now.
func (f *alisFeed) init(frame *export.AlisFrame) error {
	in := f.in
	goesOn, err := in.begin(frame.Size)
	if err != nil {
		return err
	}
	text := []byte(frame.Text)
	if goesOn {
		if frame.ID == in.last {
			in.resize(frame.Size)
			return nil
		}
		in.missed(max(frame.ID, in.last) - in.last)
		in.resize(frame.Size)
		text = append([]byte("\x1bc"), text...)
	}
	in.last = frame.ID
	if len(text) == 0 {
		return nil
	}
	return in.record(session.Sent, text)
}

func (f *alisFeed) event(frame *export.AlisFrame) error {
	in := f.in
	if frame.ID > in.last+1 {
		in.missed(frame.ID - in.last - 1)
	}
	in.last = frame.ID
	switch frame.Kind {
	case export.AlisOutput:
		return in.record(session.Sent, []byte(frame.Text))
	case export.AlisInput:
		return in.record(session.Received, []byte(frame.Text))
	case export.AlisMarker:
		return in.record(session.Noted, []byte(frame.Text))
	case export.AlisResize:
		in.resize(frame.Size)
	case export.AlisExit:
		status := int(min(frame.Status, 1<<31-1))
		in.exit = &status
	}
	return nil
}

// castFeed is an asciicast of version 2 or 3, a line for each message.
type castFeed struct {
	in   *intake
	cast *foreign.LiveCast
}

func (f *castFeed) take(message []byte) error {
	if f.cast == nil {
		return f.header(message)
	}
	for line := range bytes.Lines(message) {
		e, ok, err := f.cast.Line(line)
		if err != nil {
			return wrong("%v", err)
		}
		if f.in.exit = f.cast.Exit(); !ok {
			continue
		}
		if err := f.in.record(e.Kind, e.Data); err != nil {
			return err
		}
	}
	return nil
}

func (f *castFeed) header(line []byte) (err error) {
	if f.cast, err = foreign.NewLiveCast(line); err != nil {
		return wrong("%v", err)
	}
	about := f.cast.Header()
	if f.in.title == "" {
		f.in.title = about.Title
	}
	return f.in.beginBlind(about.Size)
}

// rawFeed is what the terminal was sent, and nothing else. Its size may stand in front of the first message.
type rawFeed struct {
	in    *intake
	begun bool
}

func (f *rawFeed) take(message []byte) error {
	if !f.begun {
		f.begun = true
		var size session.Size
		fmt.Sscanf(string(message[:min(len(message), 32)]), "\x1b[8;%d;%dt", &size.Rows, &size.Cols)
		if err := f.in.beginBlind(size); err != nil {
			return err
		}
	}
	return f.in.record(session.Sent, message)
}

// beginBlind begins the session, or goes on with it though nobody knows what was missed.
func (in *intake) beginBlind(size session.Size) error {
	if !size.Valid() {
		size = session.DefaultSize
	}
	goesOn, err := in.begin(size)
	if err == nil && goesOn {
		in.missed(0)
		in.resize(size)
	}
	return err
}
