package ssh_test

import (
	"net"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"os"
)

// stub is a target that does what OpenSSH's server does only for others than root, or with accounts of the machine: it asks
// for a password, and tells a program of signals.
type stub struct {
	addr, knownHosts string
}

// startStub serves clients that know the password. A program prints "ready", and ends with the first signal.
func startStub(t *testing.T, dir, password string) *stub {
	t.Helper()
	config := &ssh.ServerConfig{PasswordCallback: func(meta ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
		if meta.User() == "deploy" && string(p) == password {
			return nil, nil
		}
		return nil, os.ErrPermission
	}}
	host := makeKey(t, filepath.Join(dir, "stub.host"))
	config.AddHostKey(host)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stub{addr: ln.Addr().String(), knownHosts: filepath.Join(dir, "stub.known_hosts")}
	line := knownhosts.Line([]string{s.addr}, host.PublicKey()) + "\n"
	if err := os.WriteFile(s.knownHosts, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn, config) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		serving.Wait()
	})
	return s
}

func (s *stub) serve(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for nc := range channels {
		if nc.ChannelType() == "direct-tcpip" {
			s.forward(nc)
			continue
		}
		ch, requests, err := nc.Accept()
		if err != nil {
			return
		}
		go s.program(ch, requests)
	}
}

// forward closes a connection once it has said something.
func (s *stub) forward(nc ssh.NewChannel) {
	ch, requests, err := nc.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	ch.Write([]byte("bye"))
	ch.Close()
}

func (s *stub) program(ch ssh.Channel, requests <-chan *ssh.Request) {
	defer ch.Close()
	for r := range requests {
		if r.WantReply {
			r.Reply(true, nil)
		}
		switch r.Type {
		case "exec":
			ch.Write([]byte("ready\n"))
			if string(r.Payload[4:]) == "true" {
				ch.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
				return
			}
		case "signal":
			ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
				Signal      string
				Core        bool
				Error, Lang string
			}{Signal: string(r.Payload[4:])}))
			return
		}
	}
}
