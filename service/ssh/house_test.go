package ssh_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/session"
)

// limit bounds every wait of a test.
const limit = 60 * time.Second

// house is a bastion, a target behind it that is OpenSSH's sshd, and what OpenSSH's client needs to come in.
type house struct {
	t      *testing.T
	dir    string
	sb     *switchboard.Switchboard
	conf   *switchboard.BastionConfig
	target *sshd
	addr   string // of the bastion
}

// open makes a house with a user ada, who has a key, and a target web1, which is entered with another. Change may be nil.
func open(t *testing.T, change func(*switchboard.ListenerConfig)) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	h.target = startSSHD(t, h.dir, "web1", "")
	ada := makeKey(t, h.file("ada"))
	h.write("ada.keys", string(ssh.MarshalAuthorizedKey(ada.PublicKey())))
	h.conf = &switchboard.BastionConfig{
		KnownHosts: []string{h.target.knownHosts},
		Users:      []switchboard.BastionUser{{Name: "ada", AuthorizedKeys: []string{h.file("ada.keys")}, Targets: []string{"web1"}}},
		Targets: []switchboard.BastionTarget{{Name: "web1", Address: h.target.addr, User: me(t), Enter: "key",
			Key: h.target.key}},
	}
	line := switchboard.ListenerConfig{Name: "bastion", Listen: "ssh://127.0.0.1:0", Service: "bastion", Bastion: h.conf}
	if change != nil {
		change(&line)
	}
	conf := switchboard.Config{Data: h.file("data"), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Listeners: []switchboard.ListenerConfig{line}}
	sb, err := switchboard.New(conf, switchboard.WithLogger(slog.New(slog.NewTextHandler(&testLog{t: t}, nil))))
	if err != nil {
		t.Fatal(err)
	}
	h.sb = sb
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	h.addr = sb.Addr("bastion").String()
	var lines []string
	for _, name := range []string{"host_ed25519.pub", "host_ecdsa.pub"} {
		text, err := os.ReadFile(filepath.Join(h.file("data"), "ssh", name))
		if err != nil {
			t.Fatal(err)
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey(text)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, knownhosts.Line([]string{h.addr}, key))
	}
	h.write("known_hosts", strings.Join(lines, "\n")+"\n")
	return h
}

// testLog is a log that ends with its test.
type testLog struct {
	t    *testing.T
	mu   sync.Mutex
	over bool
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t.Context().Err() == nil && !l.over {
		l.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

func (h *house) file(name string) string { return filepath.Join(h.dir, name) }

func (h *house) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(h.file(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// options are those of OpenSSH's programs that go to the bastion with ada's key.
func (h *house) options(more ...string) []string {
	_, port, _ := net.SplitHostPort(h.addr)
	return append([]string{"-F", "none", "-o", "UserKnownHostsFile=" + h.file("known_hosts"), "-o", "StrictHostKeyChecking=yes",
		"-o", "IdentitiesOnly=yes", "-o", "IdentityFile=" + h.file("ada"), "-o", "GlobalKnownHostsFile=none", "-o", "Port=" + port,
		"-o", "ConnectTimeout=20"}, more...)
}

// ssh is OpenSSH's client, as ada.
func (h *house) ssh(args ...string) *exec.Cmd { return h.command("ssh", h.options(args...)...) }

func (h *house) command(name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	h.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK=", "LC_ALL=C")
	return cmd
}

// outcome is how a program ended.
type outcome struct {
	out, err string
	status   int
}

func (h *house) run(cmd *exec.Cmd) outcome {
	h.t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		h.t.Fatalf("%v: %v, %s", cmd, err, errs.String())
	}
	return outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// sessions waits until n sessions are in the state.
func (h *house) sessions(state session.State, n int) []session.Summary {
	h.t.Helper()
	var list []session.Summary
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		var err error
		if list, err = h.sb.Hub().List(context.Background(), state, index.Filter{}); err != nil {
			h.t.Fatal(err)
		}
		if len(list) == n {
			return list
		}
	}
	h.t.Fatalf("%d sessions are %s; want %d: %+v", len(list), state, n, list)
	return nil
}

// recorded waits until one session has ended.
func (h *house) recorded() session.Summary {
	h.t.Helper()
	return h.sessions(session.Recorded, 1)[0]
}

// record reads what is on record of a session, by kind.
func (h *house) record(id session.ID) record {
	h.t.Helper()
	texts := map[session.Kind]*strings.Builder{}
	h.follow(id, func(e session.Event) bool {
		if texts[e.Kind] == nil {
			texts[e.Kind] = &strings.Builder{}
		}
		texts[e.Kind].Write(e.Data)
		if !e.IsData() {
			texts[e.Kind].WriteByte('\n')
		}
		return true
	})
	r := record{}
	for kind, text := range texts {
		r[kind] = text.String()
	}
	return r
}

type record map[session.Kind]string

// follow gives the events of a session until it has no more, or f has seen enough.
func (h *house) follow(id session.ID, f func(session.Event) bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	events, err := h.sb.Hub().Events(ctx, id, 1)
	if err != nil {
		h.t.Fatal(err)
	}
	defer events.Close()
	for {
		batch, err := events.Next(ctx)
		if err == io.EOF {
			return
		}
		if err != nil {
			h.t.Fatalf("reading %s: %v", id, err)
		}
		for _, e := range batch {
			if !f(e) {
				return
			}
		}
	}
}

// says waits until a live session has sent the text.
func (h *house) says(id session.ID, want string) {
	h.t.Helper()
	got, found := "", false
	h.follow(id, func(e session.Event) bool {
		if e.Kind == session.Sent {
			got += string(e.Data)
		}
		found = strings.Contains(got, want)
		return !found
	})
	if !found {
		h.t.Fatalf("it sent %q; want %q in it", got, want)
	}
}

// sshd is OpenSSH's server, started anew for each connection.
type sshd struct {
	addr       string // where it listens
	key        string // file of the private key that lets one in
	hostKey    ssh.PublicKey
	knownHosts string
	keys       string // file of those that let one in
}

func startSSHD(t *testing.T, dir, name, more string) *sshd {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Fatalf("sshd is needed: %v: .ci/deps installs it", err)
	}
	if os.Getuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file := func(part string) string { return filepath.Join(dir, name+"."+part) }
	host, login := makeKey(t, file("host")), makeKey(t, file("key"))
	s := &sshd{addr: ln.Addr().String(), key: file("key"), hostKey: host.PublicKey(), knownHosts: file("known_hosts"),
		keys: file("keys")}
	for name, text := range map[string]string{
		s.keys:       string(ssh.MarshalAuthorizedKey(login.PublicKey())),
		s.knownHosts: knownhosts.Line([]string{s.addr}, host.PublicKey()) + "\n",
		file("conf"): fmt.Sprintf("HostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"+
			"PasswordAuthentication no\nAcceptEnv *\nSubsystem sftp internal-sftp\nPrintMotd no\nPrintLastLog no\n"+
			"SetEnv HOME=%s\n%s\n", file("host"), s.keys, dir, more), // so that no shell of a test says what somebody's .bashrc says
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			socket, err := conn.(*net.TCPConn).File()
			conn.Close()
			if err != nil {
				continue
			}
			cmd := exec.Command(program, "-i", "-f", file("conf"), "-E", file("log"))
			cmd.Stdin, cmd.Stdout = socket, socket
			err = cmd.Start()
			socket.Close()
			if err == nil {
				serving.Go(func() { cmd.Wait() })
			}
		}
	})
	t.Cleanup(func() {
		ln.Close()
		serving.Wait() // each ends with its connection, which the bastion has closed
		if text, err := os.ReadFile(file("log")); err == nil && t.Failed() {
			t.Logf("sshd: %s", text)
		}
	})
	return s
}

// makeKey makes a key, in a file of OpenSSH's form.
func makeKey(t *testing.T, file string) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// client is a client of this package's library, which can do what OpenSSH's does not.
func (h *house) client(name string, auth ...ssh.AuthMethod) *ssh.Client {
	h.t.Helper()
	check, err := knownhosts.New(h.file("known_hosts"))
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := ssh.Dial("tcp", h.addr, &ssh.ClientConfig{User: name, Auth: auth, HostKeyCallback: check, Timeout: limit})
	if err != nil {
		h.t.Fatal(err)
	}
	stop := time.AfterFunc(limit, func() { c.Close() })
	h.t.Cleanup(func() {
		stop.Stop()
		c.Close()
	})
	return c
}

func (h *house) key(name string) ssh.AuthMethod {
	h.t.Helper()
	text, err := os.ReadFile(h.file(name))
	if err != nil {
		h.t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		h.t.Fatal(err)
	}
	return ssh.PublicKeys(signer)
}

// settled waits until a live session has sent for the last time, and gives how much that was.
func (h *house) settled(id session.ID) uint64 {
	h.t.Helper()
	last, since := uint64(0), time.Now()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		sum, err := h.sb.Hub().Find(context.Background(), string(id))
		if err != nil {
			h.t.Fatal(err)
		}
		if sum.SentBytes != last {
			last, since = sum.SentBytes, time.Now()
		}
		if last > 0 && time.Since(since) > time.Second/2 {
			return last
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Fatal("it never settled")
	return 0
}
