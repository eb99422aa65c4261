package main

import (
	"context"
	"fmt"
	"net/http"
)

// PinCmd keeps recordings from retention and from rm.
type PinCmd struct {
	serverFlags
	IDs []string `arg:"" name:"id" help:"The sessions' ids, or the first characters of them."`
}

// Run pins them one after the other.
func (c *PinCmd) Run(ctx context.Context, std *stdio) error {
	return c.each(ctx, std, c.IDs, func(server *client, id string) error {
		return server.change(ctx, std, http.MethodPut, id, "/pin", "pinned")
	})
}

// change asks for something to be done to the one session whose id begins with prefix, and says that it is done.
func (c *client) change(ctx context.Context, std *stdio, method, prefix, what, done string) error {
	sum, err := c.session(ctx, prefix)
	if err != nil {
		return err
	}
	if err := c.call(ctx, method, sessionPath(string(sum.ID))+what, nil, nil, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s %s\n", sum.ID, done)
	return err
}
