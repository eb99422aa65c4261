package main

import (
	"context"
	"net/http"
)

// RmCmd removes recordings. A pinned one has to be unpinned first.
type RmCmd struct {
	serverFlags
	IDs []string `arg:"" name:"id" help:"The sessions' ids, or the first characters of them."`
}

// Run removes them one after the other.
func (c *RmCmd) Run(ctx context.Context, std *stdio) error {
	return c.each(ctx, std, c.IDs, func(server *client, id string) error {
		return server.change(ctx, std, http.MethodDelete, id, "", "removed")
	})
}
