package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// isRef reports whether what stands in place of an id refers to a source's session: [SOURCE/]KIND:ID.
func isRef(text string) bool { return strings.Contains(text, ":") }

// refused says that a command takes no reference.
func refused(ref string) error {
	_, name, named := strings.Cut(ref, "/")
	if !named {
		name = ref
	}
	return badUsage("%s is a source's session, of which there may be several recordings: give the id of one; "+
		"\"switchboard ls --name %s\" lists them", printable(ref), printable(name))
}

// found is the session of an id, or that of a reference, which is opened unless it is open.
func (c *client) found(ctx context.Context, what string) (session.Summary, error) {
	if !isRef(what) {
		return c.session(ctx, what)
	}
	return c.openRef(ctx, what)
}

// openRef has a source's session opened, unless it is open.
func (c *client) openRef(ctx context.Context, ref string) (s session.Summary, err error) {
	if _, err := threeend.ParseRef(ref); err != nil {
		return s, badUsage("%w", err)
	}
	err = c.call(ctx, http.MethodPost, "/api/v1/sources/open", nil, session.JSON(map[string]string{"session": ref}), &s)
	return s, err
}

// Of a session that was opened just now, what it shows is looked at when nothing came for settleQuiet, or after settleMost.
const (
	settleQuiet = 150 * time.Millisecond
	settleMost  = 2 * time.Second
)

// settled opens a source's session, and waits until it has drawn what there is.
func (c *client) settled(ctx context.Context, ref string) (session.Summary, error) {
	sum, err := c.openRef(ctx, ref)
	for began := time.Now(); err == nil && time.Since(began) < settleMost; {
		select {
		case <-ctx.Done():
			return sum, ctx.Err()
		case <-time.After(settleQuiet):
		}
		before := sum.Events
		if sum, err = c.session(ctx, string(sum.ID)); sum.Events == before {
			break
		}
	}
	return sum, err
}

// describeAnswer is what a source said, for people: 会话已结束！ (code 3: the session was ended by a kick).
func describeAnswer(a threeend.Answer) string {
	return fmt.Sprintf("%s (code %d: %s)", a.Message, a.Code, a.Meaning)
}

// answerOf is what viewers of a source's session are told of its end; nothing of other sessions.
func answerOf(e session.End) (text string, is bool) {
	switch e.Code {
	case threeend.Kicked.Answer().Code:
		return describeAnswer(threeend.Kicked.Answer()), true
	case threeend.Over.Answer().Code:
		return describeAnswer(threeend.Over.Answer()), true
	}
	return "", false
}
