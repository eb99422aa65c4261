// Package export writes a session's events in the forms that other programs, and people, read.
package export

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/switchboard-relay/switchboard/session"
)

// Format is the form of an export.
type Format string

const (
	Raw   Format = "raw"   // the bytes that crossed the wire, and nothing else
	Text  Format = "text"  // lines that people read
	JSONL Format = "jsonl" // each event as a line of JSON
	Hex   Format = "hex"   // a hex dump of each event
)

// ParseFormat checks that s names a format; an empty one is raw.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case "":
		return Raw, nil
	case Raw, Text, JSONL, Hex:
		return f, nil
	}
	return "", fmt.Errorf("no format is called %q: use raw, text, jsonl or hex", s)
}

// ContentType is the media type of what Write writes.
func (f Format) ContentType() string {
	switch f {
	case JSONL:
		return "application/x-ndjson"
	case Raw:
		return "application/octet-stream"
	}
	return "text/plain; charset=utf-8"
}

// Direction chooses bytes by where they went, as seen from Switchboard.
type Direction string

const (
	Both     Direction = ""
	Received Direction = "received" // from the far end
	Sent     Direction = "sent"     // to the far end
)

// ParseDirection checks that s names a direction; empty and "both" are both.
func ParseDirection(s string) (Direction, error) {
	switch d := Direction(s); d {
	case Both, Received, Sent:
		return d, nil
	case "both":
		return Both, nil
	}
	return "", fmt.Errorf("no direction is called %q: use received, sent or both", s)
}

// Shows reports whether an event belongs to the direction: what tells of neither always does.
func (d Direction) Shows(k session.Kind) bool {
	switch k {
	case session.Received, session.ReceivedEnd:
		return d != Sent
	case session.Sent, session.SentErr, session.SentEnd, session.Unsent, session.Delivered:
		return d != Received
	}
	return true
}

// Reader gives a session's events in order, in batches that are valid until the next call. Where there are no more
// now, it gives none, with io.EOF or without.
type Reader interface {
	TryNext() ([]session.Event, error)
	Close()
}

// encoder writes events of one form. Its buffer keeps the first error of the writer.
type encoder interface {
	event(e session.Event)
	end() // writes what was held back
}

// people has lines for people written by the rules of an encoder.
type people struct{ lines *Lines }

func (p people) event(e session.Event) { p.lines.Event(e) }
func (p people) end()                  { p.lines.End() }

// Write writes the events that there are now. open begins at the first event; raw bytes need it twice, since what was
// never sent after all is known only later. Write closes what it opened, and does not wait for events to come.
func Write(w io.Writer, f Format, d Direction, open func() (Reader, error)) error {
	out := bufio.NewWriterSize(w, 64<<10)
	var enc encoder
	last := uint64(math.MaxUint64)
	switch f {
	case Raw:
		var cuts []span
		if d != Received {
			var err error
			if cuts, last, err = findUnsent(open); err != nil {
				return err
			}
		}
		enc = &raw{out: out, direction: d, cuts: cuts}
	case JSONL:
		enc = &jsonLines{out: out, direction: d}
	case Text, Hex:
		enc = people{&Lines{Out: out, Direction: d, Hex: f == Hex, ID: true}}
	default:
		return fmt.Errorf("no format is called %q", f)
	}
	if err := each(open, last, out, enc); err != nil {
		return err
	}
	enc.end()
	return out.Flush()
}

// each hands an encoder the events up to number last.
func each(open func() (Reader, error), last uint64, out *bufio.Writer, enc encoder) error {
	return read(open, func(e session.Event) error {
		if e.Number > last {
			return io.EOF
		}
		enc.event(e)
		_, err := out.Write(nil) // the buffer's error, if it has one
		return err
	})
}

// read calls f for every event that there is now, until f returns an error; io.EOF is none.
func read(open func() (Reader, error), f func(session.Event) error) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		batch, err := r.TryNext()
		for i := range batch {
			if err := f(batch[i]); err != nil {
				return noEOF(err)
			}
		}
		if err != nil || len(batch) == 0 {
			return noEOF(err)
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
