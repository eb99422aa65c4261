package ssh_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
)

func TestATargetWithAnotherHostKeyIsNotEntered(t *testing.T) {
	var h *house
	var known ssh.PublicKey
	h = open(t, func(l *switchboard.ListenerConfig) {
		file := l.Bastion.KnownHosts[0]
		known = makeKey(t, file+".other").PublicKey()
		line := knownhosts.Line([]string{l.Bastion.Targets[0].Address}, known)
		if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	got := h.run(h.ssh("ada+web1@127.0.0.1", "true"))
	for _, want := range []string{ssh.FingerprintSHA256(h.target.hostKey), ssh.FingerprintSHA256(known), "somebody may stand in between"} {
		if got.status != 255 || !strings.Contains(got.err, want) {
			t.Errorf("got %+v; want %q", got, want)
		}
	}
	sum := h.recorded()
	if sum.Cause != session.Refused || !strings.Contains(sum.Detail, ssh.FingerprintSHA256(h.target.hostKey)) ||
		!strings.Contains(sum.Detail, h.target.knownHosts+":1") {
		t.Errorf("it ended as %+v; want the fingerprint and the line", sum)
	}
}

func TestATargetThatIsNotKnownIsNotEntered(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) {
		if err := os.WriteFile(l.Bastion.KnownHosts[0], nil, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	got := h.run(h.ssh("ada+web1@127.0.0.1", "true"))
	if got.status != 255 || !strings.Contains(got.err, ssh.FingerprintSHA256(h.target.hostKey)+", which is not known") {
		t.Errorf("got %+v", got)
	}
	// What the detail says to add is what helps.
	detail := h.recorded().Detail
	_, line, found := strings.Cut(detail, h.target.knownHosts+": ")
	if !found {
		t.Fatalf("the detail is %q; want the line to add", detail)
	}
	if err := os.WriteFile(h.target.knownHosts, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := h.run(h.ssh("ada+web1@127.0.0.1", "echo in")); got.out != "in\n" {
		t.Errorf("with that line: %+v", got)
	}
}

func TestAHostKeyCanBeLearnedOnce(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.KnownHosts, l.Bastion.Hosts = nil, "learn" })
	for range 2 {
		if got := h.run(h.ssh("ada+web1@127.0.0.1", "echo in")); got.out != "in\n" {
			t.Errorf("got %+v", got)
		}
	}
	file := filepath.Join(h.file("data"), "ssh", "known_hosts")
	text, err := os.ReadFile(file)
	if err != nil || strings.Count(string(text), "\n") != 1 {
		t.Errorf("known_hosts is %q, %v; want one line", text, err)
	}
	line := knownhosts.Line([]string{h.target.addr}, makeKey(t, h.file("other")).PublicKey())
	if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := h.run(h.ssh("ada+web1@127.0.0.1", "echo in")); got.status != 255 || !strings.Contains(got.err, "somebody may stand in between") {
		t.Errorf("with another key: %+v", got)
	}
}

func TestATargetThatDoesNotListenIsTold(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.Targets[0].Address = "127.0.0.1:1" })
	got := h.run(h.ssh("ada+web1@127.0.0.1", "true"))
	if got.status != 255 || !strings.Contains(got.err, "switchboard: web1: connection refused") {
		t.Errorf("got %+v", got)
	}
	if sum := h.recorded(); sum.Cause != session.Refused || sum.Detail != "upstream 127.0.0.1:1: connection refused" {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestHostKeysStayFromStartToStart(t *testing.T) {
	h := open(t, nil)
	if err := h.sb.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(h.file("data"), "ssh", "host_ed25519"))
	if err != nil {
		t.Fatal(err)
	}
	line := switchboard.ListenerConfig{Name: "bastion", Listen: "ssh://127.0.0.1:0", Service: "bastion", Bastion: h.conf}
	sb, err := switchboard.New(switchboard.Config{Data: h.file("data"), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Listeners: []switchboard.ListenerConfig{line}})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	after, err := os.ReadFile(filepath.Join(h.file("data"), "ssh", "host_ed25519"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the host key changed: %v", err)
	}
	if info, err := os.Stat(filepath.Join(h.file("data"), "ssh", "host_ed25519")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its file is %v, %v; want 0600", info.Mode(), err)
	}
}
