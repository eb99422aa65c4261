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
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var only = flag.String("only", "", "run the cases whose names contain these `words`")

func TestStockClientsGetWhatTheyAskForByEveryTransport(t *testing.T) {
	install(t)
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
			t.Error(last)
		}
	}
	t.Log(last)
	if err != nil && !t.Failed() {
		t.Errorf("run.js ended: %v\n%s", err, &failed)
	}
}

// install has the clients ready: it downloads them if they are not there, or are not those of package-lock.json.
func install(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("the test runs JavaScript clients in Node, but there is no %s: make deps installs it", program)
		}
	}
	if installed(t) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "npm", "ci", "--omit=dev", "--ignore-scripts").CombinedOutput()
	if err != nil {
		t.Fatalf("the JavaScript clients could not be downloaded; without a network, run npm ci in socketio/clients elsewhere "+
			"and bring its node_modules here: %v\n%s", err, out)
	}
}

// installed reports whether all packages of package-lock.json are there, in their versions, but for those of reference.js.
func installed(t *testing.T) bool {
	t.Helper()
	type pack struct {
		Version string
		Dev     bool
	}
	var lock struct{ Packages map[string]pack }
	p, err := os.ReadFile("package-lock.json")
	if err == nil {
		err = json.Unmarshal(p, &lock)
	}
	if err != nil {
		t.Fatal(err)
	}
	for folder, want := range lock.Packages {
		if folder == "" || want.Dev {
			continue
		}
		var got pack
		p, err := os.ReadFile(filepath.Join(folder, "package.json"))
		if err != nil || json.Unmarshal(p, &got) != nil || got.Version != want.Version {
			return false
		}
	}
	return true
}
