package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// server is our side: bench/suites, built with the race detector.
type server struct {
	addr string
	cmd  *exec.Cmd
	said bytes.Buffer
}

func startServer(ctx context.Context, temp string) (*server, error) {
	program := filepath.Join(temp, "server")
	build := exec.CommandContext(ctx, "go", "build", "-race", "-o", program, "./bench/suites")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building the server: %w", err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{addr: free.Addr().String()}
	free.Close()
	s.cmd = exec.Command(program, "-listen", s.addr)
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			return s, c.Close()
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			s.stop()
			return nil, fmt.Errorf("the server does not listen: %w\n%s", err, &s.said)
		}
	}
}

// stop ends the server. A data race that it met is an error.
func (s *server) stop() error {
	s.cmd.Process.Signal(os.Interrupt) // an error says that it has ended, as Wait does
	kill := time.AfterFunc(20*time.Second, func() { s.cmd.Process.Kill() })
	defer kill.Stop()
	err := s.cmd.Wait()
	if err != nil || bytes.Contains(s.said.Bytes(), []byte("DATA RACE")) {
		return fmt.Errorf("the server ended badly: %v\n%s", err, &s.said)
	}
	return nil
}
