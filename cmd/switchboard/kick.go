package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// KickCmd ends live sessions.
type KickCmd struct {
	serverFlags
	Reason string   `placeholder:"TEXT" help:"Why; it is recorded and shown to watchers."`
	IDs    []string `arg:"" name:"id" help:"The sessions' ids, or the first characters of them, or sources' sessions as KIND:ID."`
}

// Run kicks them one after the other.
func (c *KickCmd) Run(ctx context.Context, std *stdio) error {
	return c.each(ctx, std, c.IDs, func(server *client, id string) error {
		path, body := sessionPath(id)+"/kick", map[string]string{"reason": c.Reason}
		if isRef(id) {
			if _, err := threeend.ParseRef(id); err != nil {
				return badUsage("%w", err)
			}
			path, body["session"] = "/api/v1/sources/kick", id
		}
		var kicked struct {
			ID session.ID `json:"id"`
			threeend.Answer
		}
		if err := server.call(ctx, http.MethodPost, path, nil, session.JSON(body), &kicked); err != nil {
			return err
		}
		how := string(kicked.ID) + " kicked"
		if kicked.Code != 0 {
			how = printable(cmp.Or(string(kicked.ID), id)) + ": " + describeAnswer(kicked.Answer)
		}
		_, err := fmt.Fprintln(std.out, how)
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
