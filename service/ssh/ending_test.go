package ssh_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
)

// stops stops the server, and fails where that waits for a client.
func (h *house) stops() {
	h.t.Helper()
	done := make(chan error, 1)
	go func() { done <- h.sb.Close() }()
	select {
	case err := <-done:
		if err != nil {
			h.t.Error(err)
		}
	case <-time.After(limit):
		h.t.Fatal("the server does not stop")
	}
}

func TestAClientThatBeginsNothingDoesNotHoldUpAStop(t *testing.T) {
	h := open(t, nil)
	sc := h.client("ada+web1", h.key("ada"))
	if _, err := sc.NewSession(); err != nil { // no program in it
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", h.addr) // which does not sign in
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	h.stops()
	sc.Wait()
}

func TestWhatAClientSendsBeforeItClosesReachesTheTarget(t *testing.T) {
	h := open(t, nil)
	s, err := h.client("ada+web1", h.key("ada")).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	in, _ := s.StdinPipe()
	out, _ := s.StdoutPipe()
	if err := s.Start("echo ready; while [ ! -e " + h.file("go") + " ]; do sleep 0.05; done; cat > " + h.file("got")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("0123456789abcdef"), 3<<16) // 3 MiB: more than one window
	if _, err := in.Write(want); err != nil {
		t.Fatal(err)
	}
	in.Close()
	s.Close()
	time.Sleep(200 * time.Millisecond) // longer than the bastion waits for the connection's end
	h.write("go", "")
	sum := h.recorded()
	if sum.ReceivedBytes != uint64(len(want)) {
		t.Errorf("it ended as %+v", sum)
	}
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got, _ := os.ReadFile(h.file("got")); bytes.Equal(got, want) {
			return
		}
	}
	got, err := os.ReadFile(h.file("got"))
	t.Errorf("the target got %d bytes, %v; want %d", len(got), err, len(want))
}

func TestAForwardEndsWhenTheTargetClosesIt(t *testing.T) {
	h := openWithPassword(t)
	sc := h.client("ada+db1", h.key("ada"), ssh.KeyboardInteractive(typed("open sesame")))
	conn, err := sc.Dial("tcp", "closes:1")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); string(text) != "bye" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if sum := h.recorded(); sum.Cause != session.Done {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestAHostThatHasACertificateIsLearnedByItsKey(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) {
		dir := dirOf(l)
		ca := makeKey(t, dir+"/hosts_ca")
		host, err := ssh.ParsePrivateKey(readFile(t, dir+"/web1.host"))
		if err != nil {
			t.Fatal(err)
		}
		cert := &ssh.Certificate{Key: host.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"},
			ValidBefore: ssh.CertTimeInfinity}
		if err := cert.SignCert(rand.Reader, ca); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/web1.host-cert.pub", ssh.MarshalAuthorizedKey(cert), 0o600); err != nil {
			t.Fatal(err)
		}
		config := string(readFile(t, dir+"/web1.conf")) + "HostCertificate " + dir + "/web1.host-cert.pub\n"
		if err := os.WriteFile(dir+"/web1.conf", []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		other := "@cert-authority *.example.org " + string(ssh.MarshalAuthorizedKey(ca.PublicKey()))
		if err := os.WriteFile(l.Bastion.KnownHosts[0], []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		l.Bastion.Hosts = "learn"
	})
	for range 2 { // the second time it is known
		if got := h.run(h.ssh("ada+web1@127.0.0.1", "echo in")); got.out != "in\n" {
			t.Errorf("got %+v", got)
		}
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAnAgentThatDoesNotAnswerIsGivenUp(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) {
		l.DialTimeout = "300ms"
		l.Bastion.Targets[0].Enter, l.Bastion.Targets[0].Key = "agent", ""
	})
	sc := h.client("ada+web1", h.key("ada"))
	asked := sc.HandleChannelOpen("auth-agent@openssh.com")
	go func() { // ends with the connection
		for nc := range asked {
			if _, requests, err := nc.Accept(); err == nil {
				go ssh.DiscardRequests(requests)
			}
		}
	}()
	s, err := sc.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.RequestAgentForwarding(s); err != nil {
		t.Fatal(err)
	}
	text, err := s.CombinedOutput("true")
	if err == nil || !strings.Contains(string(text), "web1: no answer within 300ms") {
		t.Errorf("got %q, %v", text, err)
	}
	h.recorded()
}
