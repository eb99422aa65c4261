package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/switchboard-relay/switchboard/web"
)

// ConsoleCmd prints a link to the web console of a running server.
type ConsoleCmd struct {
	serverFlags
}

// Run asks for a code. The link is at the address by which the server was reached.
func (c *ConsoleCmd) Run(ctx context.Context, std *stdio) error {
	server, err := c.find()
	if err != nil {
		return err
	}
	var link struct {
		Code    string `json:"code"`
		Expires int64  `json:"expires"`
	}
	if err := server.call(ctx, http.MethodPost, "/api/v1/links", nil, nil, &link); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(std.out, server.base+web.LinkPath(link.Code)); err != nil {
		return err
	}
	if asTerminal(std.err) != nil {
		std.note("it signs in once, until %s", time.UnixMicro(link.Expires).Format("15:04"))
	}
	return nil
}
