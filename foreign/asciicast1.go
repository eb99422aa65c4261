package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/switchboard-relay/switchboard/session"
)

// cast1 reads version 1: one object of JSON, held as a whole, since what is said of the terminal may stand behind the
// events.
type cast1 struct {
	header   Header
	duration int64
	clock    clock
	events   *json.Decoder
	number   int // of the event that was read last
}

// openCast1 reads the rest of an object that begins with a line.
func openCast1(l *lines, line []byte) (Tape, error) {
	text := bytes.Clone(line)
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(text)+len(line) >= maxLine {
			return nil, l.wrong(fmt.Errorf("a recording of version 1 can have %d bytes", maxLine))
		}
		text = append(append(text, '\n'), line...)
	}
	whole := func(err error) error { return &Error{"the whole", err} }
	var h castHeader
	if err := json.Unmarshal(text, &h); err != nil {
		return nil, &Error{lineOf(text, err), fmt.Errorf("it is not JSON as asciinema writes it: %w", plain(err))}
	}
	if h.Version != 1 {
		return nil, whole(fmt.Errorf("it is of version %d, but not written line by line: it must be version 1", h.Version))
	}
	c := &cast1{events: json.NewDecoder(bytes.NewReader(h.Stdout))}
	var err error
	if c.header, c.duration, err = h.read(session.Size{Cols: h.Width, Rows: h.Height}); err != nil {
		return nil, whole(err)
	}
	if t, err := c.events.Token(); err != nil || t != json.Delim('[') {
		return nil, whole(errors.New("its stdout must be a list"))
	}
	return c, nil
}

// lineOf is where an error of JSON lies.
func lineOf(text []byte, err error) string {
	at := len(text)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &syntax) {
		at = int(syntax.Offset)
	} else if errors.As(err, &kind) {
		at = int(kind.Offset)
	}
	return fmt.Sprintf("line %d", bytes.Count(text[:min(at, len(text))], []byte("\n"))+1)
}

func (c *cast1) Header() Header { return c.header }

func (c *cast1) End() session.End { return done(max(c.clock.at, c.duration), nil) }

func (c *cast1) Next() (session.Event, error) {
	for c.events.More() {
		c.number++
		e, err := c.event()
		if err != nil {
			return e, &Error{fmt.Sprintf("event %d", c.number), err}
		}
		if len(e.Data) > 0 {
			return e, nil
		}
	}
	return session.Event{}, io.EOF
}

func (c *cast1) event() (e session.Event, err error) {
	var parts [2]json.RawMessage
	if err := c.events.Decode(&parts); err != nil {
		return e, fmt.Errorf("it must be as [1.5, \"text\"]: %w", plain(err))
	}
	seconds, err := readNumber(parts[0])
	if err != nil {
		return e, err
	}
	delay, err := toMicros(seconds)
	if err != nil {
		return e, err
	}
	if err := c.clock.set(c.clock.at + delay); err != nil {
		return e, err
	}
	text, err := readText(parts[1], "the second")
	return session.Event{Time: c.clock.at, Kind: session.Sent, Data: []byte(text)}, err
}
