package foreign

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/switchboard-relay/switchboard/session"
)

// castHeader is the first line, or of version 1 the whole.
type castHeader struct {
	Version   int      `json:"version"`
	Width     int      `json:"width"`
	Height    int      `json:"height"`
	Term      castTerm `json:"term"` // of version 3, instead
	Timestamp *float64 `json:"timestamp"`
	Duration  *float64 `json:"duration"`
	Title     string   `json:"title"`
	Command   string   `json:"command"`

	Stdout json.RawMessage `json:"stdout"` // of version 1
}

type castTerm struct {
	Cols int `json:"cols"`
	Rows int `json:"rows"`
}

// cast reads versions 2 and 3: a line for each event.
type cast struct {
	lines    lines
	header   Header
	version  int
	duration int64 // that the header claims, µs
	clock    clock
	exit     *int
}

func openAsciicast(in *bufio.Reader) (Tape, error) {
	l := lines{in: in}
	line, err := l.next()
	for err == nil && len(bytes.TrimSpace(line)) == 0 {
		line, err = l.next()
	}
	if errors.Is(err, io.EOF) {
		return nil, &Error{"the beginning", errEmpty}
	}
	if err != nil {
		return nil, err
	}
	if !json.Valid(line) { // version 1 may take more than one
		return openCast1(&l, line)
	}
	var h castHeader
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, l.wrong(fmt.Errorf("it must be a header such as {\"version\": 3, …}: %w", plain(err)))
	}
	if h.Version == 1 {
		return openCast1(&l, line)
	}
	return h.open(l)
}

// open begins to read what follows a header of version 2 or 3.
func (h *castHeader) open(l lines) (c *cast, err error) {
	size := session.Size{Cols: h.Width, Rows: h.Height}
	switch h.Version {
	case 2:
	case 3:
		size = session.Size(h.Term)
	default:
		return nil, l.wrong(fmt.Errorf("it is of version %d: versions 1, 2 and 3 of asciicast can be read", h.Version))
	}
	c = &cast{lines: l, version: h.Version}
	if c.header, c.duration, err = h.read(size); err != nil {
		return nil, l.wrong(err)
	}
	return c, nil
}

// read takes what a header says.
func (h *castHeader) read(size session.Size) (out Header, duration int64, err error) {
	out = Header{Format: Asciicast, Title: short(cmp.Or(h.Title, h.Command)), Size: size}
	if size.Cols == 0 || size.Rows == 0 { // as players take it
		out.Size = session.Size{}
	} else if !size.Valid() {
		return out, 0, errSize(size.String())
	}
	if t := h.Timestamp; t != nil {
		if *t < 0 || *t > maxTimestamp {
			return out, 0, fmt.Errorf("timestamp %v: must be seconds since 1970", *t)
		}
		out.Start = int64(*t * 1e6)
	}
	if d := h.Duration; d != nil {
		if duration, err = toMicros(*d); err != nil || duration > maxDuration.Microseconds() {
			return out, 0, fmt.Errorf("duration %v: must be seconds, and less than ten years", *d)
		}
	}
	return out, duration, nil
}

// short is a title as long as one may be.
func short(title string) string {
	if len(title) <= maxTitle {
		return title
	}
	return strings.ToValidUTF8(title[:maxTitle], "") + "…"
}

const maxTitle = 256 // bytes

const maxTimestamp = 253402300799 // s: the end of 9999

func errSize(text string) error {
	return fmt.Errorf("%.20q is no size of a terminal: it must be as 80x24, each from 1 to %d", text, session.MaxTerminal)
}

// toMicros is a number of seconds, which must not be negative, in µs.
func toMicros(seconds float64) (int64, error) {
	switch {
	case seconds < 0:
		return 0, errBack
	case !(seconds <= maxDuration.Seconds()):
		return 0, errLong
	}
	return int64(math.Round(seconds * 1e6)), nil
}

func (c *cast) Header() Header { return c.header }

func (c *cast) End() session.End { return done(max(c.clock.at, c.duration), c.exit) }

func (c *cast) Next() (session.Event, error) {
	for {
		line, err := c.lines.next()
		if err != nil {
			return session.Event{}, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		e, ok, err := c.event(line)
		if err != nil {
			return e, c.lines.wrong(err)
		}
		if ok {
			return e, nil
		}
	}
}

// event reads a line; not ok means that it tells of nothing but the time.
func (c *cast) event(line []byte) (e session.Event, ok bool, err error) {
	var parts [3]json.RawMessage
	if err := json.Unmarshal(line, &parts); err != nil {
		return e, false, fmt.Errorf("it must be an event such as [1.5, \"o\", \"text\"]: %w", plain(err))
	}
	seconds, err := readNumber(parts[0])
	if err != nil {
		return e, false, err
	}
	at, err := toMicros(seconds)
	if err != nil {
		return e, false, err
	}
	if c.version == 3 {
		at += c.clock.at
	}
	if err := c.clock.set(at); err != nil {
		return e, false, err
	}
	code, err := readText(parts[1], "the second")
	if err != nil {
		return e, false, err
	}
	e.Time = at
	switch code {
	case "o":
		e.Kind = session.Sent
	case "i":
		e.Kind = session.Received
	case "m":
		e.Kind = session.Noted
	case "r":
		e.Kind = session.Resized
	case "x":
		return e, false, c.exited(parts[2])
	default:
		return e, false, nil
	}
	text, err := readText(parts[2], "the third")
	if err != nil {
		return e, false, err
	}
	e.Data = []byte(text)
	return e, len(e.Data) > 0 || e.Kind == session.Noted, checkEvent(e)
}

// checkEvent checks what an event says, where not everything may be said.
func checkEvent(e session.Event) error {
	switch e.Kind {
	case session.Resized:
		if _, ok := session.ParseSize(string(e.Data)); !ok {
			return errSize(string(e.Data))
		}
	case session.Noted:
		if len(e.Data) > session.MaxNoteText {
			return fmt.Errorf("a marker of %d bytes: at most %d", len(e.Data), session.MaxNoteText)
		}
	}
	return nil
}

// exited takes the exit status, which is a number, or a text that is one.
func (c *cast) exited(raw json.RawMessage) error {
	text := string(raw)
	json.Unmarshal(raw, &text)
	status, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return fmt.Errorf("the exit status is %.20q: it must be a number", text)
	}
	exit := int(status)
	c.exit = &exit
	return nil
}

// plain says an error of JSON without the words of Go.
func plain(err error) error {
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) {
		return err
	}
	if kind.Field == "" {
		return fmt.Errorf("it cannot be a JSON %s", kind.Value)
	}
	return fmt.Errorf("%s cannot be a JSON %s", kind.Field, kind.Value)
}

func readNumber(raw json.RawMessage) (n float64, err error) {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, fmt.Errorf("its time is %.20q: it must be a number of seconds", raw)
	}
	if n, err = strconv.ParseFloat(string(raw), 64); err != nil { // it is JSON: it is too large
		return 0, errLong
	}
	return n, nil
}

func readText(raw json.RawMessage, which string) (s string, err error) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", fmt.Errorf("%s of its parts is %.20q: it must be a text", which, raw)
	}
	err = json.Unmarshal(raw, &s)
	return s, err
}

// lines reads line by line.
type lines struct {
	in     *bufio.Reader
	number int // of the line that was read last
	buf    []byte
}

// next returns a line without its end, valid until the next call; io.EOF after the last.
func (l *lines) next() ([]byte, error) {
	l.number++
	l.buf = l.buf[:0]
	for {
		part, err := l.in.ReadSlice('\n')
		if len(l.buf)+len(part) > maxLine {
			return nil, l.wrong(fmt.Errorf("it is longer than %d bytes", maxLine))
		}
		switch {
		case err == nil && len(l.buf) == 0:
			return part[:len(part)-1], nil
		case err == nil:
			return append(l.buf, part[:len(part)-1]...), nil
		case errors.Is(err, bufio.ErrBufferFull):
			l.buf = append(l.buf, part...)
		case errors.Is(err, io.EOF) && len(l.buf)+len(part) > 0:
			return append(l.buf, part...), nil
		default:
			return nil, err
		}
	}
}

func (l *lines) wrong(err error) error { return &Error{"line " + strconv.Itoa(l.number), err} }
