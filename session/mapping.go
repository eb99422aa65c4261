package session

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Mapping says how bytes, which members of a room on TCP, UDP and plain WebSocket say and get, become events, which
// those on Socket.IO do, and back. The zero value maps text.
type Mapping struct {
	Format Format `json:"format,omitempty" yaml:"format"` // default text
	Event  string `json:"event,omitempty" yaml:"event"`   // the event that bytes become; default message
	Field  string `json:"field,omitempty" yaml:"field"`   // of an object that holds them; default: they are it
}

// Format is what bytes are in an event.
type Format string

const (
	FormatText   Format = "text"   // a string; a line's end is taken away, and put back for streams
	FormatJSON   Format = "json"   // the JSON value that they are, or else a string
	FormatBase64 Format = "base64" // a string of base64, for bytes of any kind
)

// DefaultEvent is the event that bytes become if no other is named.
const DefaultEvent = "message"

// EventName is the event that bytes become.
func (m *Mapping) EventName() string {
	if m == nil || m.Event == "" {
		return DefaultEvent
	}
	return m.Event
}

func (m *Mapping) format() Format {
	if m == nil || m.Format == "" {
		return FormatText
	}
	return m.Format
}

func (m *Mapping) field() string {
	if m == nil {
		return ""
	}
	return m.Field
}

// Check tells what is wrong with a mapping, and what would be right.
func (m *Mapping) Check() error {
	switch m.format() {
	case FormatText, FormatJSON, FormatBase64:
	default:
		return fmt.Errorf("format %q: use text, json or base64", m.Format)
	}
	if err := CheckEventName(m.EventName()); err != nil {
		return err
	}
	if len(m.Field) > maxName || !utf8.ValidString(m.Field) {
		return fmt.Errorf("field %.40q: must be UTF-8 of at most %d bytes", m.Field, maxName)
	}
	return nil
}

// AppendEvent appends the event that bytes are: a JSON array of its name and its argument. In text, what is no UTF-8
// becomes U+FFFD; bytes that are to be JSON and are none come as text does.
func (m *Mapping) AppendEvent(b, p []byte) []byte {
	b = append(b, '[')
	b = appendText(b, []byte(m.EventName()))
	b = append(b, ',')
	if field := m.field(); field != "" {
		b = append(b, '{')
		b = appendText(b, []byte(field))
		b = append(b, ':')
		return append(m.appendValue(b, p), '}', ']')
	}
	return append(m.appendValue(b, p), ']')
}

func (m *Mapping) appendValue(b, p []byte) []byte {
	switch m.format() {
	case FormatBase64:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, p)
		return append(b, '"')
	case FormatJSON:
		if trimmed := bytes.TrimSpace(p); json.Valid(trimmed) && utf8.Valid(trimmed) {
			return append(b, trimmed...)
		}
	}
	if rest, cut := bytes.CutSuffix(p, []byte("\n")); cut {
		p = bytes.TrimSuffix(rest, []byte("\r"))
	}
	return appendText(b, p)
}

// AppendBytes appends the bytes that an event is: those of its first argument. For a stream a line's end follows text
// and JSON, so that one event can be told from the next. What has no argument, or is no event, is no bytes.
func (m *Mapping) AppendBytes(b, event []byte, stream bool) []byte {
	if CheckEvent(event) != nil {
		return b
	}
	_, args := splitEvent(event)
	value := firstValue(args)
	if len(value) == 0 {
		return b
	}
	if field := m.field(); field != "" {
		if v := memberOf(value, field); v != nil {
			value = v
		}
	}
	start := len(b)
	if value[0] == '"' && m.format() != FormatJSON {
		b = appendUnquoted(b, value)
		if m.format() == FormatBase64 {
			if raw, err := base64.StdEncoding.AppendDecode(b[:start:start], b[start:]); err == nil {
				return raw
			}
		}
	} else {
		b = append(b, value...)
	}
	if stream && (len(b) == start || b[len(b)-1] != '\n') {
		b = append(b, '\n')
	}
	return b
}
