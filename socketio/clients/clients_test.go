// Package clients_test holds package socketio to the stock clients in Node: socket.io-client 2, 3 and 4, by long-polling, by
// WebSocket, and with the upgrade from one to the other. The cases are in cases, and run.js runs them; what they ask for is
// what Node's own server does (reference.js). One of them by itself:
//
//	go test ./socketio/clients -run /4.x_by_websocket -v -only 'a text event'
package clients_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/internal/npm"
)

var only = flag.String("only", "", "run the cases whose names contain these `words`")

func TestStockClientsGetWhatTheyAskForByEveryTransport(t *testing.T) {
	npm.Install(t, ".", false) // reference.js is run by hand
	url := startServer(t)
	for _, version := range []string{"4", "3", "2"} {
		for _, transport := range []string{"upgrade", "polling", "websocket"} {
			t.Run(version+".x by "+transport, func(t *testing.T) {
				t.Parallel()
				runCases(t, url, version, transport)
			})
		}
	}
}

// runCases has run.js hold the server to one client. Its lines are "ok", "FAIL", and at the end how many held.
func runCases(t *testing.T, url, version, transport string) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "run.js", url, version, transport, "--only", *only)
	var lines, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &lines, &failed
	err := cmd.Run()
	var last string
	for s := bufio.NewScanner(&lines); s.Scan(); {
		if last = s.Text(); strings.HasPrefix(last, "FAIL") {
			t.Errorf("%s.x by %s: %s", version, transport, last)
		}
	}
	t.Log(last)
	if err != nil && !t.Failed() {
		t.Errorf("run.js ended: %v\n%s", err, &failed)
	}
}
