// Package foreign reads recordings that other programs made, as events: of terminals, asciinema's and ttyrec's, and of what passed
// over networks, captures of tcpdump, Wireshark and their like. What a terminal showed, and a server said, are Sent events; what was
// typed, and a client said, Received ones.
package foreign

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/capture"
	"github.com/switchboard-relay/switchboard/session"
)

// Format is that of a recording.
type Format string

const (
	Unknown   Format = ""          // Open is to find out
	Asciicast Format = "asciicast" // asciinema's, version 1, 2 or 3
	Ttyrec    Format = "ttyrec"
	Capture   Format = "pcap" // or pcapng; it holds many recordings
)

// ParseFormat checks that s names a format; an empty one is to be found out.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case Unknown, Asciicast, Ttyrec, Capture:
		return f, nil
	case "asciicast2": // as exports call it
		return Asciicast, nil
	case "pcapng":
		return Capture, nil
	}
	return "", fmt.Errorf("no recording of the format %q can be read: use asciicast, ttyrec or pcap, or leave it out", s)
}

// Header is what a recording says of itself before its first event.
type Header struct {
	Format Format
	Title  string
	Size   session.Size // of the terminal; the zero value if it is not said
	Start  int64        // Unix µs; 0 if it is not said

	// Of a capture:
	Transport     string // tcp or udp; else it was a terminal's
	Remote, Local string // addresses of the client and of the server
}

// Tape is a recording that is being read. It holds little of it in memory, however long it is.
type Tape interface {
	Header() Header
	// Next returns the next event, whose Time is µs since the start and never falls, and whose Number is 0; io.EOF after the
	// last. Its data is valid until the next call. An *Error says what is wrong with the recording; others are the reader's.
	Next() (session.Event, error)
	// End is known after the last event: how the recording ended. Its Time is µs since the start.
	End() session.End
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
	errMany  = errors.New("it is a capture, which holds many conversations: import it, and take those")
)

// done is the end of a recording that lasted so long, µs, and of whose program the exit status is known, or nil.
func done(duration int64, exit *int) session.End {
	return session.End{Time: duration, Cause: session.Done, Exit: exit}
}

// Recordings are all that a file holds.
type Recordings struct {
	Format  Format
	Tapes   []Tape // one, unless it is a capture; read one after the other
	Packets uint64 // of a capture
	Ignored uint64 // of them, which are of no conversation that could be read
}

// Options of OpenAll.
type Options struct {
	Format Format
	Port   uint16                // of either end of what is taken of a capture; 0: all
	Spool  func() (Spool, error) // called for a capture; what it returns must stay until all is read
}

// OpenAll begins to read a file: a recording up to its first event, or all of a capture.
func OpenAll(r io.Reader, opt Options) (*Recordings, error) {
	in := bufio.NewReaderSize(r, bufferSize)
	f, err := formatOf(in, opt.Format)
	if err != nil {
		return nil, err
	}
	if f == Capture {
		return openCapture(in, opt)
	}
	if opt.Port != 0 {
		return nil, &Error{"the beginning", errors.New("a port chooses what is taken of a capture, which this is not")}
	}
	tape, err := open(in, f)
	return &Recordings{Format: f, Tapes: []Tape{tape}}, err
}

// Open begins to read a recording, up to its first event. A capture is refused.
func Open(r io.Reader, f Format) (Tape, error) {
	in := bufio.NewReaderSize(r, bufferSize)
	f, err := formatOf(in, f)
	if err != nil {
		return nil, err
	}
	return open(in, f)
}

func open(in *bufio.Reader, f Format) (Tape, error) {
	switch f {
	case Capture:
		return nil, &Error{"the beginning", errMany}
	case Ttyrec:
		return openTtyrec(in)
	}
	return openAsciicast(in)
}

// formatOf is the format that is told, else what the beginning says.
func formatOf(in *bufio.Reader, told Format) (Format, error) {
	if told != Unknown {
		return told, nil
	}
	return detect(in)
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
	if capture.Begins(head) {
		return Capture, nil
	}
	if len(head) == frameHeader && binary.LittleEndian.Uint32(head[4:]) < 1e6 {
		return Ttyrec, nil
	}
	if text := bytes.TrimLeft(head, " \t\r\n"); len(text) > 0 && text[0] == '{' {
		return Asciicast, nil
	}
	return "", &Error{"the beginning", errors.New("it is neither an asciicast nor a ttyrec nor a capture; if it is packed, unpack it first")}
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
