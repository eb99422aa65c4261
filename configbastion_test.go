package switchboard

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// bastionFiles makes the files that examples/bastion.yaml names, and gives their folder.
func bastionFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	for name, text := range map[string]string{"known_hosts": knownhosts.Line([]string{"web1.internal"}, signer.PublicKey()) + "\n",
		"keys/ada.pub": "# ada's\n\n" + public, "ca.pub": public, "keys/web1": string(pem.EncodeToMemory(block)),
		"keys/optional.pub": `command="true" ` + public, "keys/junk": "junk\n"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheBastionExampleIsWhole(t *testing.T) {
	text, err := os.ReadFile("examples/bastion.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := bastionFiles(t)
	conf, err := ParseConfig("examples/bastion.yaml", []byte(strings.ReplaceAll(string(text), "/etc/switchboard", dir)))
	if err != nil {
		t.Fatal(err)
	}
	l := &conf.Listeners[0]
	got := l.Bastion.forService(l, "data")
	if len(got.Users) != 3 || len(got.Targets) != 3 || got.Targets[0].Address != "web1.internal:22" || got.Targets[0].Enter != "key" ||
		got.Targets[2].KnownHosts[0] != filepath.Join(dir, "known_hosts") || !got.Jump || got.KickConnection || got.Targets[0].Learn != "" {
		t.Errorf("got %+v", got)
	}
}

func TestEachMistakeOfABastionIsToldWithItsMend(t *testing.T) {
	dir := bastionFiles(t)
	const (
		user   = "users: [{name: ada, authorized_keys: [DIR/keys/ada.pub], targets: [web1]}]"
		target = "targets: [{name: web1, address: h, key: DIR/keys/web1}]"
		known  = "known_hosts: [DIR/known_hosts]"
	)
	of := func(parts ...string) string {
		return listing("a", "ssh://h:1", "bastion, bastion: {"+strings.Join(parts, ", ")+"}")
	}
	for text, want := range map[string]string{
		listing("a", "ssh://h:1", "echo"):                                  "ssh://h:1 goes with service: bastion",
		listing("a", "ssh://h", "bastion"):                                 "the port is missing",
		listing("a", "tcp://h:1", "bastion"):                               "service: bastion goes with ssh://HOST:PORT",
		listing("a", "ssh://h:1", "bastion"):                               "bastion is missing: its users and targets",
		listing("a", "tcp://h:1", "sink, bastion: {}"):                     "only goes with service: bastion",
		listing("a", "ssh://h:1", "bastion, terminal: 80x24, bastion: {}"): "only goes with service: sink or echo",
		of(target, known):                                                  "users are missing",
		of("users: [{name: ada}]"):                                         "there is no way in: set authorized_keys, password or ca",
		of("users: [{name: a+b, password: x}]"):                            "+ and @ stand behind a name",
		of("users: [{name: ada, password: secret}]"):                       `is no hash of a password: "switchboard hash-password" makes one; or write one of bcrypt, as htpasswd`,
		of("users: [{name: ada, password: '$argon2id$v=19$m=9999999,t=1,p=1$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdA'}]"): "costs too much to check",
		of("users: [{name: ada, authorized_keys: [DIR/nothing]}]"):                                                  "no such file",
		of("users: [{name: ada, authorized_keys: [DIR/keys/optional.pub]}]"):                                        `optional.pub:1: the option command="true" would not be kept`,
		of("users: [{name: ada, ca: [DIR/keys/junk]}]"):                                                             "junk:1: is no public key",
		of("users: [{name: ada, password: x, principals: [a]}]"):                                                    "only goes with ca",
		of("users: [{name: ada, password: x, targets: [web]}]", target, known):                                      `no target is called "web": did you mean "web1"?`,
		of("users: [{name: ada}, {name: ada}]"):                                                                     `two users are called "ada"`,
		of(user, "targets: [{name: web1, address: h, key: DIR/keys/web1}]"):                                         "known_hosts is missing: a file with the target's host key",
		of(user, "targets: [{name: web1, address: h}]", known):                                                      "enter is missing: with a key (and its file: key), the agent",
		of(user, "targets: [{name: web1, address: h, enter: key}]", known):                                          "key is missing",
		of(user, "targets: [{name: web1, address: h, enter: agent, key: x}]", known):                                "only goes with enter: key",
		of(user, "targets: [{name: web1, address: h, enter: keys}]", known):                                         `did you mean "key"?`,
		of(user, "targets: [{name: web1, address: 'a:b:c', enter: agent}]", known):                                  `"a:b:c" is no address`,
		of(user, "targets: [{name: web 1, address: h, enter: agent}]", known):                                       "only letters, digits",
		of(user, "targets: [{name: web1, enter: agent}]", known):                                                    "address is missing",
		of(user, "targets: [{name: web1, address: h, key: DIR/keys/junk}]", known):                                  "is no private key",
		of(user, target, "known_hosts: [DIR/keys/junk]"):                                                            "junk:1",
		of(user, target, known, "hosts: any"):                                                                       `"any" is not one of strict, learn`,
		of(user, target, known, "ping_interval: 1ms"):                                                               "must be at least 100ms",
		of(user, target, known, "max_logins: -2"):                                                                   "-1 alone means that there is none",
		of(user, target, known, "max_channel: 2"):                                                                   `unknown key "max_channel"; did you mean "max_channels"?`,
	} {
		text = strings.ReplaceAll(text, "DIR", dir)
		_, err := ParseConfig("x.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		} else if !strings.Contains(err.Error(), "x.yaml:") {
			t.Errorf("%s\n%v: names no line", text, err)
		}
	}
	text := strings.ReplaceAll(of(user, target, "hosts: learn"), "DIR", dir)
	if _, err := ParseConfig("x.yaml", []byte(text)); err != nil {
		t.Errorf("%s\n%v", text, err)
	}
}
