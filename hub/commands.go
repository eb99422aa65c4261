package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/switchboard-relay/switchboard/bus"
	"github.com/switchboard-relay/switchboard/session"
)

// command is what a node asks of the node that holds a session.
type command struct {
	ID     session.ID `json:"id"`
	By     string     `json:"by"`
	Reason string     `json:"reason,omitempty"`
	Data   []byte     `json:"data,omitempty"`
}

// handleCommands answers other nodes' commands to this node's sessions.
func (h *Hub) handleCommands() error {
	if h.bus == nil {
		return nil
	}
	verbs := map[string]func(context.Context, command) error{
		"kick": func(ctx context.Context, c command) error { return h.Kick(ctx, c.ID, c.By, c.Reason) },
		"type": func(ctx context.Context, c command) error { return h.Type(ctx, c.ID, c.By, c.Data) },
		"send": func(ctx context.Context, c command) error { return h.Send(ctx, c.ID, c.By, c.Data) },
	}
	for verb, do := range verbs {
		err := h.bus.Handle(verb, h.node, func(ctx context.Context, data []byte) ([]byte, error) {
			var c command
			if err := json.Unmarshal(data, &c); err != nil {
				return nil, fmt.Errorf("malformed command: %w", err)
			}
			if c.ID.Node() != h.node {
				return nil, ErrNotLive
			}
			return nil, do(ctx, c)
		})
		if err != nil {
			return fmt.Errorf("bus: %w", err)
		}
	}
	return nil
}

func (h *Hub) kickRemote(ctx context.Context, id session.ID, by, reason string) error {
	return h.ask(ctx, "kick", command{ID: id, By: by, Reason: reason})
}

func (h *Hub) sendRemote(ctx context.Context, id session.ID, by string, data []byte) error {
	return h.ask(ctx, "send", command{ID: id, By: by, Data: data})
}

// ask sends a command to the node that the id names. A node that is not there has no live sessions.
func (h *Hub) ask(ctx context.Context, verb string, c command) error {
	if h.bus == nil {
		return ErrNotLive
	}
	_, err := h.bus.Request(ctx, c.ID.Node(), verb, session.JSON(c))
	if err == nil {
		return nil
	}
	if errors.Is(err, bus.ErrNoNode) || err.Error() == ErrNotLive.Error() {
		return ErrNotLive
	}
	for _, known := range []error{ErrCannotSend, ErrCannotType} {
		if why, found := strings.CutPrefix(err.Error(), known.Error()); found { // of an error, its text alone travels
			return fmt.Errorf("%w%s", known, why)
		}
	}
	return err
}
