//go:build linux

package main

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	serverCPU = 0
	crowdCPU  = 1

	nodeModule = "socket.io@4.8.4"
)

//go:embed peer.js
var nodeScript string

var centrifugoPath = flag.String("centrifugo", "centrifugo", "program of Centrifugo 6")

// subject is a server under load, on a processor of its own.
type subject struct {
	dialect string
	pid     int
	addr    string
	collect func() error                                         // collects garbage; nil: cannot be asked for
	profile func(name string, lasts time.Duration) (wait func()) // nil: cannot be asked for
}

// stop ends a server without waiting for what it has to put in order.
func (s *subject) stop() { syscall.Kill(s.pid, syscall.SIGKILL) }

// side is a server that is measured: ours in one of its forms, or a peer.
type side struct {
	name  string // as -sides has it
	title string
	ours  bool
	// ready installs what is needed, once a run. If it cannot be had, the report says so, and it returns false.
	ready func(r *benchkit.Run) (bool, error)
	start func(r *benchkit.Run, recovery bool) (*subject, error)
}

var sides = []side{
	{name: "serve", title: "switchboard serve", ours: true, ready: serveReady, start: startServe},
	{name: "alone", title: "package socketio", ours: true, ready: always, start: startAlone},
	{name: "node", title: "Node", ready: nodeReady, start: startNode},
	{name: "centrifugo", title: "Centrifugo", ready: centrifugoReady, start: startCentrifugo},
	{name: "bare", title: "bare write(2)", ready: always, start: startBare},
}

func always(*benchkit.Run) (bool, error) { return true, nil }

// nodeFolder is where the modules of Node's side are kept from run to run.
func nodeFolder() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "switchboard-bench", nodeModule), err
}

func nodeReady(r *benchkit.Run) (bool, error) {
	folder, err := nodeFolder()
	if err != nil {
		return false, err
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "socket.io")); err == nil {
		return true, nil
	}
	r.Progress("installing %s", nodeModule)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return false, err
	}
	cmd := exec.Command("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", nodeModule)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Skip("Node", fmt.Sprintf("npm install %s: %v: %.200s", nodeModule, err, out))
		return false, nil
	}
	return true, nil
}

func startNode(r *benchkit.Run, recovery bool) (*subject, error) {
	folder, err := nodeFolder()
	if err != nil {
		return nil, err
	}
	options := map[string]any{}
	if recovery {
		options["connectionStateRecovery"] = map[string]any{"maxDisconnectionDuration": 120_000}
	}
	more, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(benchkit.FreeAddr("tcp"))
	program, addr, err := r.Node(nodeScript, port, filepath.Join(folder, "node_modules", "socket.io"), string(more))
	if err != nil || program == nil {
		return nil, err
	}
	process, err := os.FindProcess(program.PID())
	if err != nil {
		return nil, err
	}
	return &subject{dialect: "socketio", pid: program.PID(), addr: addr, collect: func() error {
		return process.Signal(syscall.SIGUSR2)
	}}, nil
}

func centrifugoReady(r *benchkit.Run) (bool, error) {
	if _, err := exec.LookPath(*centrifugoPath); err != nil {
		r.Skip("Centrifugo", "it is not installed (centrifugal.dev has it: put it into PATH, or name it by -centrifugo)")
		return false, nil
	}
	return true, nil
}

func startCentrifugo(r *benchkit.Run, _ bool) (*subject, error) {
	addr := benchkit.FreeAddr("tcp")
	_, port, _ := net.SplitHostPort(addr)
	config := filepath.Join(r.Dir, "centrifugo.json")
	if err := os.WriteFile(config, fmt.Appendf(nil, `{
		"http_server": {"address": "127.0.0.1", "port": %s},
		"client": {"insecure": true, "queue_max_size": 1048576},
		"websocket": {"message_size_limit": 1048576},
		"usage_stats": {"disabled": true},
		"log": {"level": "fatal"}
	}`, port), 0o644); err != nil {
		return nil, err
	}
	program, err := r.Program(addr, *centrifugoPath, "-c", config)
	if err != nil {
		return nil, err
	}
	return &subject{dialect: "centrifugo", pid: program.PID(), addr: addr}, nil
}

func startBare(r *benchkit.Run, _ bool) (*subject, error) {
	child, err := r.Spawn(bareRole)
	if err != nil {
		return nil, err
	}
	s := &subject{dialect: "socketio", pid: child.PID()}
	return s, child.Receive(&s.addr)
}
