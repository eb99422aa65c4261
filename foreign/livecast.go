package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/switchboard-relay/switchboard/session"
)

// LiveCast is an asciicast of version 2 or 3 that is read line by line, as it comes.
type LiveCast struct{ cast *cast }

// NewLiveCast begins with the header. An *Error says what is wrong with it.
func NewLiveCast(header []byte) (*LiveCast, error) {
	l := lines{number: 1}
	var h castHeader
	if err := json.Unmarshal(header, &h); err != nil {
		return nil, l.wrong(fmt.Errorf("it must be a header such as {\"version\": 3, …}: %w", plain(err)))
	}
	c, err := h.open(l)
	if err != nil {
		return nil, err
	}
	return &LiveCast{c}, nil
}

// Header is what the recording says of itself.
func (l *LiveCast) Header() Header { return l.cast.header }

// Line reads a line; not ok means that it tells of nothing that happened. An *Error says what is wrong with it.
func (l *LiveCast) Line(line []byte) (e session.Event, ok bool, err error) {
	l.cast.lines.number++
	if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
		return e, false, nil
	}
	if e, ok, err = l.cast.event(line); err != nil {
		return e, false, l.cast.lines.wrong(err)
	}
	return e, ok, nil
}

// Exit is the exit status, once it was told.
func (l *LiveCast) Exit() *int { return l.cast.exit }
