//go:build linux

package benchkit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// SSHD is OpenSSH's server on a port of its own, and one user who comes in there with a key.
type SSHD struct {
	*Program
	Addr string // HOST:PORT
	User string // who comes in: who runs this
	Key  string // the file of the user's private key; beside it, with .pub, that of the public one

	knownHosts string
}

// SSHD starts OpenSSH's server. A nil SSHD means that it is not installed, which the report then says.
func (r *Run) SSHD() (*SSHD, error) {
	path := lookup("sshd")
	if path == "" || lookup("ssh") == "" {
		r.Skip("OpenSSH", "it is not installed (Debian: apt-get install openssh-server openssh-client)")
		return nil, nil
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	dir := r.path("sshd")
	d := &SSHD{Addr: FreeAddr("tcp"), User: me.Username, Key: filepath.Join(dir, "key"), knownHosts: filepath.Join(dir, "known_hosts")}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 { // where it keeps what has no privileges
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return nil, err
		}
	}
	host, err := makeKey(filepath.Join(dir, "host"))
	if err != nil {
		return nil, err
	}
	if _, err := makeKey(d.Key); err != nil {
		return nil, err
	}
	ip, port, _ := net.SplitHostPort(d.Addr)
	config := fmt.Sprintf("HostKey %s\nAuthorizedKeysFile %s.pub\nListenAddress %s\nPort %s\nPidFile none\nStrictModes no\nUsePAM no\n"+
		"PermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\nPrintMotd no\nPrintLastLog no\nLogLevel QUIET\n",
		filepath.Join(dir, "host"), d.Key, ip, port)
	for file, text := range map[string]string{filepath.Join(dir, "config"): config,
		d.knownHosts: knownhosts.Line([]string{d.Addr}, host) + "\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	d.Program, err = r.Program(d.Addr, path, "-D", "-e", "-f", filepath.Join(dir, "config"))
	return d, err
}

// makeKey writes a new pair of keys as OpenSSH has them, and returns the public one.
func makeKey(file string) (ssh.PublicKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return signer.PublicKey(), os.WriteFile(file+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600)
}

// bastionUser is who comes in at a bastion.
const bastionUser = "bench"

// Listener is the configuration of a bastion before this server; more goes into it, such as "record: off".
func (d *SSHD) Listener(name, addr, more string) string {
	if more != "" {
		more = "\n    " + more
	}
	return fmt.Sprintf(`  - name: %s
    listen: "ssh://%s"
    service: bastion%s
    bastion:
      known_hosts: [%q]
      users: [{name: %s, authorized_keys: [%q], targets: ["*"]}]
      targets: [{name: target, address: %q, user: %q, enter: key, key: %q}]
`, name, addr, more, d.knownHosts, bastionUser, d.Key+".pub", d.Addr, d.User, d.Key)
}

// Options are those with which ssh, scp and sftp come in: at the server itself, or by a bastion at addr.
func (d *SSHD) Options(addr string, more ...string) []string {
	name := bastionUser + "+target"
	if addr == d.Addr {
		name = d.User
	}
	_, port, _ := net.SplitHostPort(addr)
	options := []string{"-F", "none"}
	for _, o := range append([]string{"User=" + name, "Port=" + port, "IdentityFile=" + d.Key, "IdentitiesOnly=yes", "IdentityAgent=none",
		"StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=none", "LogLevel=ERROR", "BatchMode=yes",
		// newer clients send keys at a steady rate, so that nobody can tell how they are typed
		"IgnoreUnknown=ObscureKeystrokeTiming", "ObscureKeystrokeTiming=no"}, more...) {
		options = append(options, "-o", o)
	}
	return options
}
