package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/switchboard-relay/switchboard/socketio"
	"github.com/switchboard-relay/switchboard/socketio/engine"
)

// rooms is the server that the suite of https://github.com/socketio/socket.io-protocol expects.
func rooms(opt engine.Options) *socketio.Server {
	s := socketio.New(socketio.Options{Options: opt, ConnectTimeout: time.Second})
	for _, name := range []string{"/", "/custom"} {
		s.Of(name).OnConnect(func(c *socketio.Socket) {
			auth := c.Auth()
			if auth == nil {
				auth = json.RawMessage("{}")
			}
			time.Sleep(moment)   // the suite begins to listen for it when it has seen the answer to its CONNECT; see unhurried
			c.Emit("auth", auth) // an error is the connection's end
		})
	}
	main := s.Of("/")
	socketio.On(main, "message", func(_ context.Context, c *socketio.Socket, args socketio.Args) error {
		return c.Emit("message-back", args)
	})
	socketio.OnCall(main, "message-with-ack", func(_ context.Context, _ *socketio.Socket, args socketio.Args) (socketio.Args, error) {
		return args, nil
	})
	return s
}
