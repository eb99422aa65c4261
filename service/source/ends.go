package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// errLate is the cause of a context whose time to get an answer is over.
var errLate = errors.New("the source did not answer in time")

// The words for what may go wrong before there is a session are those of sessions' ends.
const (
	refused     = session.Refused
	unreachable = session.Unreachable
)

// trouble is why a source did not answer.
type trouble struct {
	cause session.Cause
	text  string
}

func (t *trouble) Error() string { return t.text }

// controlled is what follows from the control that came.
func (v *view) controlled() error { return &control{v.said} }

// control is a control of the source's, as an error.
type control struct{ code threeend.Code }

func (c *control) Error() string { return c.code.Answer().Meaning }

// describe says what ended a connection to a source, other than a control.
func describe(err error, parser *threeend.Parser, limit fmt.Stringer) *trouble {
	var known *trouble
	var format *threeend.FormatError
	var errno syscall.Errno
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &format):
		return &trouble{session.Failed, "the source sent what is " + format.Error()}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errLate):
		return &trouble{unreachable, fmt.Sprintf("the source did not answer within %v", limit)}
	case errors.Is(err, io.EOF) && parser.Frames() == 0 && parser.Between():
		return &trouble{session.HungUp, "the source closed the connection without an answer"}
	case errors.Is(err, io.EOF) && !parser.Between():
		return &trouble{session.HungUp, "the source closed the connection in the midst of a frame"}
	case errors.Is(err, io.EOF):
		return &trouble{session.HungUp, "the source closed the connection without saying how the session ended"}
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return &trouble{session.Shutdown, "the source is not asked any more: it was taken out, or everything stops"}
	case errors.As(err, &errno):
		return &trouble{session.Reset, "the connection to the source broke: " + errno.Error()}
	}
	return &trouble{session.Failed, err.Error()}
}

// explain says to those who wait why there is no session, and in a word why it is counted.
func (v *view) explain(err error) (reason string, failure error) {
	if errors.Is(err, threeend.ErrBusy) {
		return "busy", err
	}
	return overError(v.ref, err, &v.parser, v.conf.AnswerTimeout)
}

// overError is what is told where a source was asked in vain.
func overError(ref threeend.Ref, err error, parser *threeend.Parser, limit fmt.Stringer) (reason string, failure *threeend.OverError) {
	var c *control
	if errors.As(err, &c) {
		answer := c.code.Answer()
		return fmt.Sprintf("code %d", answer.Code), &threeend.OverError{Ref: ref, Answer: answer, Asked: true}
	}
	t := describe(err, parser, limit)
	return string(t.cause), &threeend.OverError{Ref: ref, Answer: threeend.Over.Answer(), Err: t}
}

// reason is how the session ended.
func (v *view) reason(err error) *session.End {
	var end *session.End
	if errors.As(err, &end) {
		return end
	}
	var c *control
	if errors.As(err, &c) {
		return v.concluded(c.code)
	}
	t := describe(err, &v.parser, v.conf.AnswerTimeout)
	over := threeend.Over.Answer()
	return &session.End{Cause: t.cause, Detail: fmt.Sprintf("%s (code %d)", t.text, over.Code), Code: over.Code}
}

// concluded is the end that a source told.
func (v *view) concluded(c threeend.Code) *session.End {
	end := &session.End{Cause: session.Done, Code: c.Answer().Code, Detail: "the source says that the session is over (code 5)"}
	if c == threeend.Kicked {
		end.Cause, end.Detail = session.Kicked, "the source ended it by a kick (code 3)"
		if k := v.deed(); k != nil {
			end.By, end.Reason = k.by, k.reason
		}
	}
	return end
}
