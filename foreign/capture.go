package foreign

import (
	"bufio"
	"errors"
	"io"

	"github.com/switchboard-relay/switchboard/capture"
	"github.com/switchboard-relay/switchboard/session"
)

// Spool holds what a capture has that does not stay in memory.
type Spool = capture.Spool

// openCapture reads a whole capture: its conversations are known once all packets are.
func openCapture(in *bufio.Reader, opt Options) (*Recordings, error) {
	spool, err := opt.Spool()
	if err != nil {
		return nil, err
	}
	file, err := capture.Read(in, spool, capture.Options{Port: opt.Port})
	var wrong *capture.Error
	if errors.As(err, &wrong) {
		return nil, &Error{wrong.Where, wrong.Err}
	}
	if err != nil {
		return nil, err
	}
	all := &Recordings{Format: Capture, Packets: file.Packets, Ignored: file.Ignored}
	for _, c := range file.Conversations {
		all.Tapes = append(all.Tapes, &conversation{of: c})
	}
	return all, nil
}

// conversation is one that was captured. What its client said was received, what its server said was sent.
type conversation struct {
	of     *capture.Conversation
	events *capture.Events // while they are read
	over   bool
}

func (c *conversation) Header() Header {
	return Header{Format: Capture, Title: c.of.Name, Start: c.start(), Transport: c.of.Transport, Remote: c.of.Client.String(),
		Local: c.of.Server.String()}
}

// start is Unix µs.
func (c *conversation) start() int64 { return c.of.Start / 1000 }

func (c *conversation) Next() (session.Event, error) {
	if c.over {
		return session.Event{}, io.EOF
	}
	if c.events == nil {
		c.events = c.of.Events()
	}
	e, err := c.events.Next()
	if err != nil {
		c.events, c.over = nil, true // there may be thousands, whose buffers would stay
		return session.Event{}, err
	}
	out := session.Event{Time: e.Time - c.start(), Data: e.Data}
	switch {
	case e.Kind == capture.Lost:
		out.Kind = session.Gap
		out.Data = session.JSON(session.Missing{Bytes: e.Missing, Reason: "not captured"})
	case e.Kind == capture.Ended && e.From == capture.Client:
		out.Kind = session.ReceivedEnd
	case e.Kind == capture.Ended:
		out.Kind = session.SentEnd
	case e.From == capture.Client:
		out.Kind = session.Received
	default:
		out.Kind = session.Sent
	}
	return out, nil
}

func (c *conversation) End() session.End {
	end := session.End{Time: c.of.End/1000 - c.start(), Cause: session.Done}
	switch c.of.Ending {
	case capture.ByClient:
		end.Cause = session.HungUp
	case capture.Broken:
		end.Cause = session.Reset
	case capture.Unended, capture.HalfEnded:
		if c.of.Transport == "tcp" {
			end.Detail = "its end was not captured"
		}
	}
	return end
}
