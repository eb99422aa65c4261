package ssh_test

import (
	"crypto/rand"
	"encoding/base64"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"

	"github.com/switchboard-relay/switchboard"
	sshservice "github.com/switchboard-relay/switchboard/service/ssh"
	"github.com/switchboard-relay/switchboard/session"
)

// openWithPassword makes a house whose ada may also go to db1 as deploy, with the password "open sesame".
func openWithPassword(t *testing.T) *house {
	return open(t, func(l *switchboard.ListenerConfig) {
		s := startStub(t, dirOf(l), "open sesame")
		b := l.Bastion
		b.Users[0].Targets, b.Users[0].Forwarding = []string{"*"}, true
		b.Targets = append(b.Targets, switchboard.BastionTarget{Name: "db1", Address: s.addr, User: "deploy", Enter: "password",
			KnownHosts: []string{s.knownHosts}})
	})
}

// typed answers questions.
func typed(answer string) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, _ []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i := range answers {
			answers[i] = answer
		}
		return answers, nil
	}
}

// askpass has OpenSSH's client take what somebody would type from a program.
func (h *house) askpass(cmd *exec.Cmd, answer string) *exec.Cmd {
	h.t.Helper()
	script := "#!/bin/sh\necho \"$1\" >> '" + h.file("asked") + "'\necho '" + answer + "'\n"
	if err := os.WriteFile(h.file("askpass"), []byte(script), 0o700); err != nil {
		h.t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "SSH_ASKPASS="+h.file("askpass"), "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0")
	return cmd
}

func TestATargetIsEnteredWithAPasswordThatIsTyped(t *testing.T) {
	h := openWithPassword(t)
	got := h.run(h.askpass(h.ssh("ada+db1@127.0.0.1", "true"), "open sesame"))
	if got.out != "ready\n" || got.status != 0 {
		t.Errorf("got %+v", got)
	}
	asked, err := os.ReadFile(h.file("asked"))
	if err != nil || !strings.Contains(string(asked), "deploy@db1's password: ") {
		t.Errorf("asked %q, %v; want for the password of deploy on db1", asked, err)
	}
	sum := h.recorded()
	for kind, text := range h.record(sum.ID) {
		if strings.Contains(text, "sesame") {
			t.Errorf("the record has the password, as %s: %q", kind, text)
		}
	}
}

func TestAWrongPasswordOfATargetIsTold(t *testing.T) {
	h := openWithPassword(t)
	got := h.run(h.askpass(h.ssh("ada+db1@127.0.0.1", "true"), "close sesame"))
	if got.status != 255 || !strings.Contains(got.err, "switchboard: db1: ssh: ") || !strings.Contains(got.err, "unable to authenticate") {
		t.Errorf("got %+v", got)
	}
	if sum := h.recorded(); sum.Cause != session.Refused {
		t.Errorf("it ended as %+v", sum)
	}
	if asked := string(readFile(t, h.file("asked"))); strings.Count(asked, "deploy@db1's password: ") != 6 ||
		strings.Count(got.err, "db1: permission denied, try again") != 5 {
		t.Errorf("asked %q, and told %q; want six times, and told why", asked, got.err)
	}
}

func TestWhoMistypesATargetsPasswordIsAskedAgain(t *testing.T) {
	h := openWithPassword(t)
	cmd := h.askpass(h.ssh("ada+db1@127.0.0.1", "true"), "open sesame")
	script := "#!/bin/sh\necho asked >> '" + h.file("asked") + "'\n" +
		"if [ $(wc -l < '" + h.file("asked") + "') -gt 1 ]; then echo open sesame; else echo close sesame; fi\n"
	if err := os.WriteFile(h.file("askpass"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := h.run(cmd); got.out != "ready\n" || got.status != 0 {
		t.Errorf("got %+v", got)
	}
	if asked := string(readFile(t, h.file("asked"))); asked != "asked\nasked\n" {
		t.Errorf("asked %q; want twice", asked)
	}
	if sum := h.recorded(); sum.Cause != session.Done {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestARevokedKeyLetsNobodyIn(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) {
		dir := dirOf(l)
		ca := makeKey(t, dir+"/users_ca")
		for name, key := range map[string]ssh.PublicKey{"revoked": makeKey(t, dir+"/other").PublicKey(), "ca.pub": ca.PublicKey()} {
			if err := os.WriteFile(dir+"/"+name, ssh.MarshalAuthorizedKey(key), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ada, err := ssh.ParsePrivateKey(readFile(t, dir+"/ada"))
		if err != nil {
			t.Fatal(err)
		}
		cert := &ssh.Certificate{Key: ada.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"bob"}, ValidBefore: ssh.CertTimeInfinity}
		if err := cert.SignCert(rand.Reader, ca); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/ada-cert.pub", ssh.MarshalAuthorizedKey(cert), 0o600); err != nil {
			t.Fatal(err)
		}
		l.Bastion.Revoked = []string{dir + "/revoked"}
		l.Bastion.Users = append(l.Bastion.Users, switchboard.BastionUser{Name: "bob", CA: []string{dir + "/ca.pub"}, Targets: []string{"web1"}})
	})
	comesIn := func(name string, fine bool) {
		t.Helper()
		got := h.run(h.ssh("-o", "BatchMode=yes", name+"+web1@127.0.0.1", "echo in"))
		if (got.out == "in\n") != fine || !fine && !strings.Contains(got.err, "Permission denied") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	list := func(keys ...string) {
		t.Helper()
		text := ""
		for _, key := range keys {
			signer, err := ssh.ParsePrivateKey(readFile(t, h.file(key)))
			if err != nil {
				t.Fatal(err)
			}
			text += string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
		}
		h.write("revoked", text)
	}
	comesIn("ada", true)
	comesIn("bob", true)
	list("other", "users_ca")
	comesIn("ada", true)
	comesIn("bob", false)
	list("ada")
	comesIn("ada", false)
	comesIn("bob", false)
	h.write("revoked", "# "+string(readFile(t, h.file("ca.pub"))))
	comesIn("bob", true)
	h.write("revoked", string(readFile(t, h.file("ada-cert.pub"))))
	comesIn("bob", false)
	comesIn("ada", true)
	if err := os.Remove(h.file("revoked")); err != nil {
		t.Fatal(err)
	}
	comesIn("ada", false) // nobody can say whose keys are revoked
}

// bcrypt and argon2id of "let me in".
func hashes(t *testing.T) map[string]string {
	hash, err := bcrypt.GenerateFromPassword([]byte("let me in"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	made, err := sshservice.HashPassword("let me in")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"bcrypt": string(hash), "made by us": made,
		"argon2id": "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$" + argonOf("let me in", "somesalt")}
}

func TestAUserComesInByPassword(t *testing.T) {
	for name, hash := range hashes(t) {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(l *switchboard.ListenerConfig) {
				l.Bastion.Users = append(l.Bastion.Users, switchboard.BastionUser{Name: "bob", Password: hash, Targets: []string{"web1"}})
			})
			args := []string{"-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", "bob+web1@127.0.0.1", "echo in"}
			if got := h.run(h.askpass(h.ssh(args...), "let me in")); got.out != "in\n" {
				t.Errorf("got %+v", got)
			}
			if got := h.run(h.askpass(h.ssh(args...), "let me out")); got.status != 255 || !strings.Contains(got.err, "Permission denied") {
				t.Errorf("with a wrong password: %+v", got)
			}
			sum := h.recorded()
			if notes := h.record(sum.ID)[session.Noted]; !strings.Contains(notes, "bob came in by password") {
				t.Errorf("the notes are %q", notes)
			}
		})
	}
}

func TestWhoIsNoUserIsNotLetIn(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) {
		l.Bastion.Users = append(l.Bastion.Users, switchboard.BastionUser{Name: "bob", Password: hashes(t)["bcrypt"]})
	})
	makeKey(t, h.file("mallory"))
	for _, args := range [][]string{
		{"-o", "IdentityFile=" + h.file("mallory"), "ada+web1@127.0.0.1"}, // ada without ada's key
		{"mallory+web1@127.0.0.1"},                                        // nobody, with ada's key
		{"bob+web1@127.0.0.1"},                                            // another one, with ada's key
		{"-o", "PubkeyAuthentication=no", "mallory+web1@127.0.0.1"},       // nobody
		{"-o", "PubkeyAuthentication=no", "ada+web1@127.0.0.1"},           // somebody without a password
		{"-o", "PubkeyAuthentication=no", "+web1@127.0.0.1"},              // no name
	} {
		cmd := h.ssh(args...)
		for i, a := range cmd.Args { // a later one does not replace it
			if a == "IdentityFile="+h.file("ada") && args[0] == "-o" {
				cmd.Args[i] = args[1]
			}
		}
		if got := h.run(h.askpass(cmd, "let me through")); got.status != 255 {
			t.Errorf("%v: %+v; want it refused", args, got)
		}
	}
	if n := len(h.sessions(session.Recorded, 0)); n != 0 {
		t.Errorf("%d sessions were made", n)
	}
}

func TestACertificateOfTheAuthorityLetsIn(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) {
		dir := dirOf(l)
		ca := makeKey(t, dir+"/ca")
		if err := os.WriteFile(dir+"/ca.pub", ssh.MarshalAuthorizedKey(ca.PublicKey()), 0o600); err != nil {
			t.Fatal(err)
		}
		l.Bastion.Users = []switchboard.BastionUser{{Name: "ada", CA: []string{dir + "/ca.pub"}, Targets: []string{"web1"}}}
	})
	makeKey(t, h.file("other"))
	sign := func(authority string, args ...string) {
		t.Helper()
		os.Remove(h.file("ada-cert.pub"))
		public, _ := exec.Command("ssh-keygen", "-y", "-f", h.file("ada")).Output()
		h.write("ada.pub", string(public))
		args = append(append([]string{"-s", h.file(authority), "-I", "ada's laptop", "-q"}, args...), h.file("ada.pub"))
		if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	come := func() outcome { return h.run(h.ssh("-tt", "ada+web1@127.0.0.1", "echo in")) }

	sign("ca", "-n", "ada", "-z", "42", "-V", "+1h")
	if got := come(); !strings.Contains(got.out, "in") {
		t.Errorf("got %+v", got)
	}
	sum := h.recorded()
	if notes := h.record(sum.ID)[session.Noted]; !strings.Contains(notes, `ada came in by certificate "ada's laptop", serial 42, of SHA256:`) {
		t.Errorf("the notes are %q", notes)
	}
	for name, args := range map[string][]string{
		"another principal": {"ca", "-n", "bob"}, "no principal": {"ca"}, "expired": {"ca", "-n", "ada", "-V", "-2h:-1h"},
		"another authority": {"other", "-n", "ada"}, "a host's": {"ca", "-h", "-n", "ada"},
		"from elsewhere": {"ca", "-n", "ada", "-O", "source-address=192.0.2.1"},
		"a command":      {"ca", "-n", "ada", "-O", "force-command=true"},
	} {
		sign(args[0], args[1:]...)
		if got := come(); got.status != 255 {
			t.Errorf("%s: %+v; want it refused", name, got)
		}
	}
	sign("ca", "-n", "ada", "-O", "no-pty")
	if got := come(); !strings.Contains(got.err, "PTY allocation request failed") {
		t.Errorf("without permit-pty: %+v", got)
	}
}

func TestTheAgentEntersTheTarget(t *testing.T) {
	for _, onward := range []bool{false, true} {
		h := open(t, func(l *switchboard.ListenerConfig) {
			tg := &l.Bastion.Targets[0]
			tg.Enter, tg.Key, tg.ForwardAgent = "agent", "", onward
		})
		sock := h.agent(h.target.key)
		with := func(cmd *exec.Cmd) *exec.Cmd {
			cmd.Env = append(cmd.Env, "SSH_AUTH_SOCK="+sock)
			return cmd
		}
		got := h.run(with(h.ssh("ada+web1@127.0.0.1", "true")))
		if got.status != 255 || !strings.Contains(got.err, "web1 is entered with your agent, which was not forwarded: ssh -A") {
			t.Errorf("without -A: %+v", got)
		}
		got = h.run(with(h.ssh("-A", "ada+web1@127.0.0.1", "ssh-add -l")))
		if onward != strings.Contains(got.out, "ED25519") {
			t.Errorf("forward_agent: %v: %+v", onward, got)
		}
		if !onward && got.status != 2 {
			t.Errorf("ssh-add ended with %+v; want 2: no agent", got)
		}
	}
}

// agent starts OpenSSH's with a key, and gives its socket.
func (h *house) agent(key string) string {
	h.t.Helper()
	sock := h.file("agent")
	cmd := exec.Command("ssh-agent", "-D", "-a", sock)
	out, err := cmd.StdoutPipe() // it says where it is once it is there
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 1)); err != nil {
		h.t.Fatal(err)
	}
	add := exec.Command("ssh-add", "-q", key)
	add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+sock)
	if text, err := add.CombinedOutput(); err != nil {
		h.t.Fatalf("ssh-add: %v: %s", err, text)
	}
	return sock
}

func TestTheBannerIsShown(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) { l.Bastion.Banner = "What you do here is on record." })
	if got := h.run(h.ssh("ada+web1@127.0.0.1", "true")); got.err != "What you do here is on record.\n" {
		t.Errorf("got %+v", got)
	}
}

func TestOnlyTheUsersTargetsAreEntered(t *testing.T) {
	h := open(t, func(l *switchboard.ListenerConfig) {
		b := l.Bastion
		b.Targets = append(b.Targets, b.Targets[0])
		b.Targets[1].Name = "web2"
	})
	for name, want := range map[string]string{
		"ada+web2": "switchboard: ada may not go to web2; yours: web1",
		"ada+web9": "switchboard: ada may not go to web9; yours: web1",
		"ada":      "switchboard: say where to go: ssh ada+TARGET@…; yours: web1",
	} {
		if got := h.run(h.ssh(name+"@127.0.0.1", "true")); got.status != 255 || !strings.Contains(got.err, want) {
			t.Errorf("%s: %+v; want %q", name, got, want)
		}
	}
	for _, sum := range h.sessions(session.Recorded, 3) {
		if sum.Cause != session.Refused {
			t.Errorf("it ended as %+v", sum)
		}
	}
}

// argonOf is the sum of argon2id with m=64, t=1, p=1.
func argonOf(password, salt string) string {
	return base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(password), []byte(salt), 1, 64, 1, 32))
}
