package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/session"
)

// fileAct plays a recording of another program, asciinema's or ttyrec's, in its own time, again and again.
type fileAct struct{ path string }

// betweenPlays is how long the last screen stays before a recording begins again.
const betweenPlays = 3 * time.Second

// begins is the terminal's size at the beginning, or what is wrong with that of the file.
func (f fileAct) begins() (session.Size, error) {
	file, tape, err := f.open()
	if err != nil {
		return session.Size{}, err
	}
	return tape.Header().Size, file.Close()
}

func (f fileAct) open() (*os.File, foreign.Tape, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, nil, err
	}
	tape, err := foreign.Open(file, foreign.Unknown)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return file, tape, nil
}

func (f fileAct) play(ctx context.Context, s *heldSession) error {
	for {
		if err := f.once(ctx, s); err != nil {
			return err
		}
		if !pause(ctx, s, betweenPlays) {
			return nil
		}
	}
}

// once plays the file from its beginning to its end, unless the session ends before.
func (f fileAct) once(ctx context.Context, s *heldSession) error {
	file, tape, err := f.open()
	if err != nil {
		return err
	}
	defer file.Close()
	s.resize(tape.Header().Size)
	s.show([]byte("\x1bc")) // RIS: an empty screen
	began := time.Now()
	for {
		e, err := tape.Next()
		if errors.Is(err, io.EOF) {
			duration := tape.End().Time
			pause(ctx, s, time.Until(began.Add(time.Duration(duration)*time.Microsecond)))
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		if !pause(ctx, s, time.Until(began.Add(time.Duration(e.Time)*time.Microsecond))) {
			return nil
		}
		switch e.Kind {
		case session.Sent:
			s.show(e.Data)
		case session.Received:
			s.typed(e.Data)
		case session.Resized:
			size, _ := session.ParseSize(string(e.Data)) // the tape has checked it
			s.resize(size)
		}
	}
}
