// Package foreign reads recordings of terminals that other programs made: asciinema's and ttyrec's. What the terminal showed
// are Sent events, what was typed Received ones.
package foreign

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// Format is that of a recording.
type Format string

const (
	Unknown   Format = ""          // Open is to find out
	Asciicast Format = "asciicast" // asciinema's, version 1, 2 or 3
	Ttyrec    Format = "ttyrec"
)

// ParseFormat checks that s names a format; an empty one is to be found out.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case Unknown, Asciicast, Ttyrec:
		return f, nil
	case "asciicast2": // as exports call it
		return Asciicast, nil
	}
	return "", fmt.Errorf("no recording of the format %q can be read: use asciicast or ttyrec, or leave it out", s)
}

// Header is what a recording says of itself before its first event.
type Header struct {
	Format Format
	Title  string
	Size   session.Size // of the terminal; the zero value if it is not said
	Start  int64        // Unix µs; 0 if it is not said
}

// Tape is a recording that is being read. It holds little of it in memory, however long it is.
type Tape interface {
	Header() Header
	// Next returns the next event, whose Time is µs since the start and never falls, and whose Number is 0; io.EOF after the
	// last. Its data is valid until the next call. An *Error says what is wrong with the recording; others are the reader's.
	Next() (session.Event, error)
	// End is known after the last event: how long the recording lasted, µs, and the exit status of its program, if it has it.
	End() (duration int64, exit *int)
}

// Error says what is wrong with a recording, and where.
type Error struct {
	Where string // "line 7"
	Err   error
}

func (e *Error) Error() string { return e.Where + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Limits of what is read.
const (
	maxLine     = 16 << 20                  // bytes; also of a whole recording of asciicast version 1
	maxDuration = 10 * 365 * 24 * time.Hour // that a recording can have lasted
	bufferSize  = 64 << 10
)

var (
	errBack  = errors.New("its time lies before that of the event before")
	errLong  = errors.New("it would be more than ten years after the beginning")
	errEmpty = errors.New("there is nothing in it")
)

// Open begins to read a recording, up to its first event.
func Open(r io.Reader, f Format) (Tape, error) {
	in := bufio.NewReaderSize(r, bufferSize)
	if f == Unknown {
		var err error
		if f, err = detect(in); err != nil {
			return nil, err
		}
	}
	if f == Ttyrec {
		return openTtyrec(in)
	}
	return openAsciicast(in)
}

// detect looks at the beginning. A ttyrec begins with a frame, whose microseconds no text could be.
func detect(in *bufio.Reader) (Format, error) {
	head, err := in.Peek(frameHeader)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if len(head) == 0 {
		return "", &Error{"the beginning", errEmpty}
	}
	if len(head) == frameHeader && binary.LittleEndian.Uint32(head[4:]) < 1e6 {
		return Ttyrec, nil
	}
	if text := bytes.TrimLeft(head, " \t\r\n"); len(text) > 0 && text[0] == '{' {
		return Asciicast, nil
	}
	return "", &Error{"the beginning", errors.New("it is neither an asciicast nor a ttyrec; if it is packed, unpack it first")}
}

// clock checks that times are ones that a recording can have.
type clock struct{ at int64 } // µs since the start

// set takes the next event's time.
func (c *clock) set(at int64) error {
	switch {
	case at < c.at:
		return errBack
	case at > maxDuration.Microseconds():
		return errLong
	}
	c.at = at
	return nil
}
