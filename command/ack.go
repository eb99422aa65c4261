package command

import (
	"bytes"
	"cmp"
	"regexp"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
)

// Ways in which a device acknowledges: AckRule.By.
const (
	ByNone     = "none"
	ByAny      = "any"
	ByEcho     = "echo"
	ByPattern  = "pattern"
	BySequence = "sequence"
)

// rule is a command's AckRule, ready. It does not change.
type rule struct {
	by       string
	pattern  *regexp.Regexp
	data     []byte // echo: what comes back; sequence: the number
	timeout  time.Duration
	needsSeq bool // sequence: which number it is, a connection has to say
}

// newRule makes a command's rule ready. An error wraps ErrBad and says what would be right.
func newRule(c *device.Command) (*rule, error) {
	r := &rule{by: cmp.Or(c.Ack.By, ByNone), timeout: DefaultTimeout}
	if c.Ack.Timeout != "" {
		d, err := parseDuration(c.Ack.Timeout)
		if err != nil || d <= 0 || d > MaxTimeout {
			return nil, bad("ack.timeout %.40q: must be a time such as 5s or 1m, at most 24h", c.Ack.Timeout)
		}
		r.timeout = d
	}
	if c.Ack.Pattern != "" && r.by != ByPattern {
		return nil, bad("ack.pattern is for ack.by pattern, not %.40q", r.by)
	}
	switch r.by {
	case ByNone, ByAny:
	case ByEcho:
		r.data = c.Data
	case BySequence:
		r.needsSeq = true
	case ByPattern:
		if c.Ack.Pattern == "" || len(c.Ack.Pattern) > MaxPattern {
			return nil, bad("ack.pattern must be a regular expression of 1 to %d bytes", MaxPattern)
		}
		quoted := regexp.QuoteMeta(c.ID)
		var err error
		if r.pattern, err = regexp.Compile(characters([]byte(strings.ReplaceAll(c.Ack.Pattern, "{{id}}", quoted)))); err != nil {
			return nil, bad("ack.pattern: %w", err)
		}
	default:
		return nil, bad("ack.by %.40q: must be none, any, echo, pattern or sequence", r.by)
	}
	return r, nil
}

// CheckAck says what is wrong with a rule. An error wraps ErrBad.
func CheckAck(rule device.AckRule) error {
	_, err := newRule(&device.Command{Ack: rule, ID: "id"})
	return err
}

// withSequence is the rule with the number that a command has; nil if it has none.
func (r *rule) withSequence(number []byte) *rule {
	if len(number) == 0 {
		return nil
	}
	known := *r
	known.needsSeq, known.data = false, bytes.Clone(number)
	return &known
}

// acknowledges reports whether a message is the answer. Same says that it came over the connection to which the command was
// written: any message is an answer only there, and what says no more than that the device is there is none.
func (r *rule) acknowledges(m *frame.Message, same bool) bool {
	switch r.by {
	case ByAny:
		return same && m.Kind == frame.Data
	case ByEcho:
		return m.Kind != frame.Junk && bytes.Equal(withoutLineEnd(m.Data), withoutLineEnd(r.data))
	case ByPattern:
		return r.pattern.MatchString(characters(m.Data))
	case BySequence:
		return !r.needsSeq && bytes.Equal(m.Ack, r.data)
	}
	return false
}

// sure reports whether an answer is certainly one to the command.
func (r *rule) sure() bool { return r.by != ByAny }

// withoutLineEnd is p less the line's end, which framers of lines take away.
func withoutLineEnd(p []byte) []byte {
	if trimmed := bytes.TrimRight(p, "\r\n"); len(trimmed) > 0 {
		return trimmed
	}
	return p
}

// characters are bytes as regular expressions see them here: each byte is a character from \x00 to \xff.
func characters(p []byte) string {
	var b strings.Builder
	b.Grow(len(p))
	for _, c := range p {
		b.WriteRune(rune(c))
	}
	return b.String()
}
