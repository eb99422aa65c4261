package main

import (
	"context"
	"net/http"
)

// UnpinCmd gives recordings back to retention.
type UnpinCmd struct {
	serverFlags
	IDs []string `arg:"" name:"id" help:"The sessions' ids, or the first characters of them."`
}

// Run unpins them one after the other.
func (c *UnpinCmd) Run(ctx context.Context, std *stdio) error {
	return c.each(ctx, std, c.IDs, func(server *client, id string) error {
		return server.change(ctx, std, http.MethodDelete, id, "/pin", "unpinned")
	})
}
