// Package export writes a session's events in the forms that other programs, and people, read.
package export

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/switchboard-relay/switchboard/session"
)

// Format is the form of an export.
type Format string

const (
	Raw   Format = "raw"   // the bytes that crossed the wire, and nothing else
	Text  Format = "text"  // lines that people read
	JSONL Format = "jsonl" // each event as a line of JSON
	Hex   Format = "hex"   // a hex dump of each event

	Pcapng Format = "pcapng" // packets that could have carried it, as Wireshark reads them

	// What terminals showed, for programs that play it back. What was sent is what was shown.
	Asciicast  Format = "asciicast"  // asciinema's, version 3
	Asciicast2 Format = "asciicast2" // asciinema's, version 2
	Ttyrec     Format = "ttyrec"     // as ttyplay plays it
	Script     Format = "script"     // as scriptreplay plays it: a zip file of two files
	SVG        Format = "svg"        // an animated picture
)

// Formats are all formats, in the order in which they are documented.
var Formats = []Format{Raw, Text, JSONL, Hex, Pcapng, Asciicast, Asciicast2, Ttyrec, Script, SVG}

// ParseFormat checks that s names a format; an empty one is raw.
func ParseFormat(s string) (Format, error) {
	if s == "" {
		return Raw, nil
	}
	if slices.Contains(Formats, Format(s)) {
		return Format(s), nil
	}
	return "", fmt.Errorf("no format is called %q: use raw, text, jsonl, hex, pcapng, asciicast, asciicast2, ttyrec, script or svg", s)
}

// Plays reports whether the format is one of what a terminal showed.
func (f Format) Plays() bool { return slices.Index(Formats, f) >= slices.Index(Formats, Asciicast) }

// ContentType is the media type of what Write writes.
func (f Format) ContentType() string {
	switch f {
	case JSONL:
		return "application/x-ndjson"
	case Raw, Ttyrec:
		return "application/octet-stream"
	case Asciicast, Asciicast2:
		return "application/x-asciicast"
	case Script:
		return "application/zip"
	case Pcapng:
		return "application/x-pcapng"
	case SVG:
		return SVGType
	}
	return "text/plain; charset=utf-8"
}

// Extension is how names of files with what Write writes end, without a dot.
func (f Format) Extension() string {
	switch f {
	case Asciicast, Asciicast2:
		return "cast"
	case Script:
		return "zip"
	}
	return string(f)
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
	case session.Received, session.ReceivedEnd, session.Typed:
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

const bufferSize = 64 << 10

// Write writes the events that there are now. In what a terminal showed, input is left out if the direction is Sent, and
// output never; Pcapng always has both directions. open begins at the first event; what is known only at the end, such as
// what was never sent after all, has some formats need it more than once. Write closes what it opened, and does not wait for
// events to come.
func Write(w io.Writer, f Format, d Direction, open func() (Reader, error)) error {
	if f.Plays() {
		return writeScreen(w, f, d, open)
	}
	if f == Pcapng {
		return writePackets(w, open)
	}
	out := bufio.NewWriterSize(w, bufferSize)
	var enc encoder
	last := uint64(math.MaxUint64)
	switch f {
	case Raw:
		bytes := &raw{out: out, direction: d}
		if d != Received {
			a, err := lookThrough(open)
			if err != nil {
				return err
			}
			bytes.cut.cuts, last = a.cuts, a.last
		}
		enc = bytes
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
