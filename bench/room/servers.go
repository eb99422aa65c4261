//go:build linux

package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

//go:embed peer.js
var nodeScript string

//go:embed c/fan.c
var fanSource []byte

// subject is a server of the line.
type subject struct {
	name   string
	pid    int
	addr   string
	server *benchkit.Server // nil for a peer
}

// starter starts a server, or returns nil where a peer is not installed.
type starter func(r *benchkit.Run) (*subject, error)

func startOurs(r *benchkit.Run) (*subject, error) {
	addr := benchkit.FreeAddr("tcp")
	server, err := r.Server(benchkit.ServerOptions{Config: fmt.Sprintf(
		`listeners: [{name: chat, listen: "tcp://%s", service: room, room: chat, record: on}]`, addr)})
	if err != nil {
		return nil, err
	}
	return &subject{"Switchboard", server.PID(), addr, server}, nil
}

func startNode(r *benchkit.Run) (*subject, error) {
	_, port, _ := net.SplitHostPort(benchkit.FreeAddr("tcp"))
	program, addr, err := r.Node(nodeScript, port)
	if program == nil {
		return nil, err
	}
	return &subject{name: "Node", pid: program.PID(), addr: addr}, nil
}

func startC(r *benchkit.Run) (*subject, error) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		r.Skip("C", "no compiler is installed (Debian: apt-get install gcc libc6-dev)")
		return nil, nil
	}
	source, program := filepath.Join(r.Dir, "fan.c"), filepath.Join(r.Dir, "fan")
	if err := os.WriteFile(source, fanSource, 0o644); err != nil {
		return nil, err
	}
	if out, err := exec.Command(compiler, "-O2", "-o", program, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cc fan.c: %w\n%s", err, out)
	}
	_, port, _ := net.SplitHostPort(benchkit.FreeAddr("tcp"))
	cmd := exec.Command(program, port)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the C program ended before it listened: %w", err)
	}
	return &subject{name: "C, write(2)", pid: cmd.Process.Pid, addr: strings.TrimSpace(addr)}, nil
}

// stop ends a server without waiting for what it has to put in order.
func (s *subject) stop() { syscall.Kill(s.pid, syscall.SIGKILL) }
