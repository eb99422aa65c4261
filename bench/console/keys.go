//go:build linux

package main

import (
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// typist is somebody who types through a bastion at a program that says it back: what is painted came by the client, the
// bastion, OpenSSH's server, the program, and all of them again.
func (b *bench) typist(server *benchkit.Server, target *benchkit.SSHD, bastion string) (painter, error) {
	cmd := exec.CommandContext(b.Context, "ssh", append(target.Options(bastion), "-tt", "127.0.0.1", "stty raw -echo; echo ready; exec cat")...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return painter{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return painter{}, err
	}
	if err := cmd.Start(); err != nil {
		return painter{}, err
	}
	b.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	ready := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(out, ready); err != nil {
		return painter{}, fmt.Errorf("the program behind the bastion does not begin: %w", err)
	}
	go io.Copy(io.Discard, out) // ends with the program
	if err := server.WaitLive("bastion", 1, 5*time.Second); err != nil {
		return painter{}, err
	}
	ids, err := sessionsOf(server, "bastion")
	if err != nil {
		return painter{}, err
	}
	return painter{"key through the bastion", "/sessions/" + string(ids[0]), ".xterm-rows > div", in, terminalMark}, nil
}
