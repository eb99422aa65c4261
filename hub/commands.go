package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/switchboard-relay/switchboard/bus"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
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
	verbs := map[string]func(context.Context, command) ([]byte, error){
		"kick": h.answerKick,
		"type": func(ctx context.Context, c command) ([]byte, error) { return nil, h.Type(ctx, c.ID, c.By, c.Data) },
		"send": func(ctx context.Context, c command) ([]byte, error) { return nil, h.Send(ctx, c.ID, c.By, c.Data) },
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
			return do(ctx, c)
		})
		if err != nil {
			return fmt.Errorf("bus: %w", err)
		}
	}
	return nil
}

func (h *Hub) sendRemote(ctx context.Context, id session.ID, by string, data []byte) error {
	_, err := h.ask(ctx, "send", command{ID: id, By: by, Data: data})
	return err
}

// ask sends a command to the node that the id names. A node that is not there has no live sessions.
func (h *Hub) ask(ctx context.Context, verb string, c command) ([]byte, error) {
	if h.bus == nil {
		return nil, ErrNotLive
	}
	answer, err := h.bus.Request(ctx, c.ID.Node(), verb, session.JSON(c))
	if err == nil {
		return answer, nil
	}
	if errors.Is(err, bus.ErrNoNode) || err.Error() == ErrNotLive.Error() {
		return nil, ErrNotLive
	}
	for _, known := range []error{ErrCannotSend, ErrCannotType, threeend.ErrBusy, threeend.ErrNoSource} {
		if why, found := strings.CutPrefix(err.Error(), known.Error()); found { // of an error, its text alone travels
			return nil, fmt.Errorf("%w%s", known, why)
		}
	}
	return nil, err
}
