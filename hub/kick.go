package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// KickFunc kicks a session where it lives: at a three-end source. Its answer says what the source said; an error, that the
// session goes on.
type KickFunc func(ctx context.Context, by, reason string) (threeend.Answer, error)

func (s *Session) kickFunc() KickFunc {
	if x := s.extra.Load(); x != nil {
		return x.kick
	}
	return nil
}

// Kick is KickAnswered for those who do not care for the answer.
func (h *Hub) Kick(ctx context.Context, id session.ID, by, reason string) error {
	_, err := h.KickAnswered(ctx, id, by, reason)
	return err
}

// KickAnswered ends a live session on any node, as somebody's deed. ErrNotLive if it is not live. A session of a three-end source
// is kicked there: the answer is the source's, nil for other sessions, and the error a *threeend.OverError if there was none: then
// the session goes on.
func (h *Hub) KickAnswered(ctx context.Context, id session.ID, by, reason string) (*threeend.Answer, error) {
	if id.Node() != h.node {
		return h.kickRemote(ctx, id, by, reason)
	}
	s := h.live.get(id)
	if s == nil || s.over.Load() != nil {
		return nil, ErrNotLive
	}
	kick := s.kickFunc()
	if kick == nil {
		s.end(session.End{Cause: session.Kicked, By: by, Reason: reason})
		return nil, nil
	}
	answer, err := kick(ctx, by, reason)
	if err != nil {
		return nil, err
	}
	return &answer, nil
}

// kickAnswer is what a node tells another of a kick that went to a source.
type kickAnswer struct {
	threeend.Answer
	Ref   threeend.Ref `json:"ref"`
	Asked bool         `json:"asked,omitempty"`
	Error string       `json:"error,omitempty"` // why there is no answer
}

func (h *Hub) answerKick(ctx context.Context, c command) ([]byte, error) {
	answer, err := h.KickAnswered(ctx, c.ID, c.By, c.Reason)
	var over *threeend.OverError
	switch {
	case errors.As(err, &over):
		a := kickAnswer{Answer: over.Answer, Ref: over.Ref, Asked: over.Asked}
		if over.Err != nil {
			a.Error = over.Err.Error()
		}
		return session.JSON(a), nil
	case err != nil || answer == nil:
		return nil, err
	}
	return session.JSON(kickAnswer{Answer: *answer}), nil
}

func (h *Hub) kickRemote(ctx context.Context, id session.ID, by, reason string) (*threeend.Answer, error) {
	data, err := h.ask(ctx, "kick", command{ID: id, By: by, Reason: reason})
	if err != nil || len(data) == 0 {
		return nil, err
	}
	var a kickAnswer
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, fmt.Errorf("node %s: malformed answer: %w", id.Node(), err)
	}
	if a.Ref == (threeend.Ref{}) {
		return &a.Answer, nil
	}
	over := &threeend.OverError{Ref: a.Ref, Answer: a.Answer, Asked: a.Asked}
	if a.Error != "" {
		over.Err = errors.New(a.Error)
	}
	return nil, over
}
