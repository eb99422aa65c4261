package ssh_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
)

// greeter is a server behind the target that says hello, and then what it hears.
func greeter(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() { // ends with the test
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.WriteString(conn, "hello ")
				io.Copy(conn, conn)
			}()
		}
	}()
	return ln.Addr().String()
}

func TestPortsAreNotForwardedUnlessTheUserMay(t *testing.T) {
	h := open(t, nil)
	got := h.run(h.ssh("-W", greeter(t), "ada+web1@127.0.0.1"))
	if got.status != 255 || !strings.Contains(got.err, "you may not forward ports") {
		t.Errorf("-W: %+v", got)
	}
	got = h.run(h.ssh("-N", "-R", "0:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes", "ada+web1@127.0.0.1"))
	if got.status != 255 || !strings.Contains(got.err, "remote port forwarding failed") {
		t.Errorf("-R: %+v", got)
	}
	h.sessions(session.Recorded, 0)
}

func TestAForwardedPortIsASessionOfItsOwn(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.Users[0].Forwarding = true })
	at := greeter(t)
	cmd := h.ssh("-W", at, "ada+web1@127.0.0.1")
	cmd.Stdin = strings.NewReader("world")
	if got := h.run(cmd); got.out != "hello world" || got.status != 0 {
		t.Errorf("got %+v", got)
	}
	sum := h.recorded()
	r := h.record(sum.ID)
	if sum.Name != "ada@web1" || r[session.Received] != "world" || r[session.Sent] != "hello world" ||
		!strings.Contains(r[session.Noted], "forward to "+at+"\n") {
		t.Errorf("got %+v, %q", sum, r)
	}
}

func TestAPortOfTheTargetIsForwardedBack(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.Users[0].Forwarding = true })
	sc := h.client("ada+web1", h.key("ada"))
	ln, err := sc.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() { // ends with its connection
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "hello ")
		io.Copy(conn, conn)
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	io.WriteString(conn, "back")
	conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(conn); string(got) != "hello back" {
		t.Errorf("got %q, %v", got, err)
	}
	r := h.record(h.recorded().ID)
	if r[session.Received] != "hello back" || r[session.Sent] != "back" || !strings.Contains(r[session.Noted], "forward back from 127.0.0.1, port ") {
		t.Errorf("got %q", r)
	}
}

func TestATargetIsReachedByAJump(t *testing.T) {
	h := open(t, nil)
	host, port, _ := net.SplitHostPort(h.addr)
	inner := strings.Fields(string(ssh.MarshalAuthorizedKey(h.target.hostKey)))
	known, err := os.ReadFile(h.file("known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	h.write("known_hosts", string(known)+"web1 "+inner[0]+" "+inner[1]+"\n")
	h.write("config", fmt.Sprintf("Host *\n UserKnownHostsFile %s\n StrictHostKeyChecking yes\n IdentitiesOnly yes\n"+
		"Host bastion\n HostName %s\n Port %s\n User ada\n IdentityFile %s\n HostKeyAlias [%s]:%s\n"+
		"Host web1 web9\n User %s\n IdentityFile %s\n", h.file("known_hosts"), host, port, h.file("ada"), host, port, me(t), h.target.key))
	got := h.run(h.command("ssh", "-F", h.file("config"), "-J", "bastion", "web1", "echo through"))
	if got.out != "through\n" || got.status != 0 {
		t.Fatalf("got %+v", got)
	}
	sum := h.recorded()
	r := h.record(sum.ID)
	if sum.Name != "ada@web1" || !strings.HasPrefix(r[session.Sent], "SSH-2.0-OpenSSH") || strings.Contains(r[session.Sent], "through") ||
		!strings.Contains(r[session.Noted], "jump to web1") {
		t.Errorf("got %+v, notes %q; want the encrypted bytes", sum, r[session.Noted])
	}
	if got := h.run(h.command("ssh", "-F", h.file("config"), "-J", "bastion", "web9", "true")); got.status != 255 ||
		!strings.Contains(got.err, "ada may not go to web9") {
		t.Errorf("another target: %+v", got)
	}
	if got := h.run(h.command("ssh", "-F", h.file("config"), "-J", "bastion", "-p", "80", "web1", "true")); got.status != 255 ||
		!strings.Contains(got.err, "only the SSH of web1 is behind its name") {
		t.Errorf("another port: %+v", got)
	}
}

func TestJumpsCanBeOff(t *testing.T) {
	off := false
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.Jump = &off })
	if got := h.run(h.ssh("-W", "web1:22", "ada@127.0.0.1")); got.status != 255 || !strings.Contains(got.err, "no jumps: use ssh ada+TARGET@") {
		t.Errorf("got %+v", got)
	}
}

// dirOf is the folder of the house that a configuration is changed in.
func dirOf(l *switchboard.ListenerConfig) string { return filepath.Dir(l.Bastion.KnownHosts[0]) }
