//go:build linux

package main

import (
	"fmt"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// serveConfig is a room with all that a server does: sessions, recordings, the bus, and recovery.
const serveConfig = `
rooms: [{name: bench, events: {clientmessage: message}}]
listeners:
- name: page
  listen: socketio://%s/socket.io/
  service: room
  room: bench
  exclude_sender: true
  record: on
  socketio: {message_rate: -1}
`

func startServe(r *benchkit.Run, _ bool) (*subject, error) {
	addr := benchkit.FreeAddr("tcp")
	server, err := r.Server(benchkit.ServerOptions{Config: fmt.Sprintf(serveConfig, addr)})
	if err != nil {
		return nil, err
	}
	return &subject{dialect: "socketio", pid: server.PID(), addr: addr, collect: server.Collect,
		profile: server.Profile}, nil
}

// serveReady builds the server as it is released, not on one processor.
func serveReady(r *benchkit.Run) (bool, error) {
	r.Progress("building")
	_, err := r.Build()
	return err == nil, err
}
