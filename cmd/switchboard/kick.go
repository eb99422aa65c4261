package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/switchboard-relay/switchboard/session"
)

// KickCmd ends live sessions.
type KickCmd struct {
	serverFlags
	Reason string   `placeholder:"TEXT" help:"Why; it is recorded and shown to watchers."`
	IDs    []string `arg:"" name:"id" help:"The sessions' ids, or the first characters of them."`
}

// Run kicks them one after the other.
func (c *KickCmd) Run(ctx context.Context, std *stdio) error {
	body, err := json.Marshal(map[string]string{"reason": c.Reason})
	if err != nil {
		return err
	}
	return c.each(ctx, std, c.IDs, func(server *client, id string) error {
		var kicked struct {
			ID session.ID `json:"id"`
		}
		if err := server.call(ctx, http.MethodPost, sessionPath(id)+"/kick", nil, body, &kicked); err != nil {
			return err
		}
		_, err := fmt.Fprintf(std.out, "%s kicked\n", kicked.ID)
		return err
	})
}

// each does something to several sessions. One that fails does not keep it from the others; the last error is returned,
// those before it are told.
func (f serverFlags) each(ctx context.Context, std *stdio, ids []string, do func(*client, string) error) error {
	server, err := f.find()
	if err != nil {
		return err
	}
	var failed error
	for _, id := range ids {
		if id == "" {
			return badUsage(`an empty id names no session: "switchboard ls" lists the ids`)
		}
		err := do(server, id)
		if err == nil {
			continue
		}
		if failed != nil {
			std.note("%s", oneLine(failed))
		}
		failed = err
		var refused *apiError
		if ctx.Err() != nil || !errors.As(err, &refused) {
			break // the server itself is away: the others would fail alike
		}
	}
	return failed
}
