package switchboard

import (
	"cmp"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	sshservice "github.com/switchboard-relay/switchboard/service/ssh"
	"github.com/switchboard-relay/switchboard/transport"
)

// BastionConfig is who may come in at an ssh:// listener, and where they may go from there.
type BastionConfig struct {
	Users   []BastionUser   `yaml:"users"`
	Targets []BastionTarget `yaml:"targets"`

	Banner     string   `yaml:"banner"`      // shown before anybody signs in
	KnownHosts []string `yaml:"known_hosts"` // files, in the form of OpenSSH's, of targets without their own
	Revoked    []string `yaml:"revoked"`     // files of public keys, of users, certificates or authorities, that let nobody in any more
	Hosts      string   `yaml:"hosts"`       // strict (default): targets that are not known are refused; learn: a key is believed the first time, and written down in the data folder
	Jump       *bool    `yaml:"jump"`        // ssh -J to targets, of which only encrypted bytes can be recorded; default true
	Kick       string   `yaml:"kick"`        // what a kick closes: session (default), or the client's whole connection

	LoginTimeout  string `yaml:"login_timeout"`   // to sign in; default 1m
	LoginAttempts int    `yaml:"login_attempts"`  // of a connection; default 6
	MaxLogins     int    `yaml:"max_logins"`      // connections at once that have not signed in; default 400; -1: no limit
	MaxPerAddress int    `yaml:"max_per_address"` // connections at once from one address; default 100; -1: no limit
	MaxChannels   int    `yaml:"max_channels"`    // sessions at once of one connection; default 64
	PingInterval  string `yaml:"ping_interval"`   // between keepalives to clients and targets; default 30s
	PingTimeout   string `yaml:"ping_timeout"`    // for an answer; default 30s
}

// BastionUser is somebody who may come in, by any of the ways that are set.
type BastionUser struct {
	Name           string   `yaml:"name"`
	AuthorizedKeys []string `yaml:"authorized_keys"` // files of public keys, one a line
	Password       string   `yaml:"password"`        // its hash, of bcrypt or argon2id
	CA             []string `yaml:"ca"`              // files of public keys of authorities whose certificates are believed
	Principals     []string `yaml:"principals"`      // of which a certificate must have one; default: the name
	Targets        []string `yaml:"targets"`         // by name; "*" is all
	Forwarding     bool     `yaml:"forwarding"`      // ports, through a target, both ways
}

// BastionTarget is a machine behind the bastion.
type BastionTarget struct {
	Name         string   `yaml:"name"`
	Address      string   `yaml:"address"`       // HOST, or HOST:PORT; default port 22
	User         string   `yaml:"user"`          // there; default: the name of who comes in
	Enter        string   `yaml:"enter"`         // with a key, the agent that the client forwards, or a password that it types
	Key          string   `yaml:"key"`           // enter: key: the file of a private key
	KnownHosts   []string `yaml:"known_hosts"`   // files; default: the bastion's
	ForwardAgent bool     `yaml:"forward_agent"` // the client's agent, if it forwards it, can be asked from the target too
}

// bastion checks what is only of bastions.
func (c *checker) bastion(path string, l *ListenerConfig) {
	if l.Bastion == nil {
		c.wrong(path, "bastion is missing: its users and targets, as in bastion: {users: […], targets: […]}")
		return
	}
	b, path := l.Bastion, path+".bastion"
	c.oneOf(path+".hosts", b.Hosts, "strict", "learn")
	c.oneOf(path+".kick", b.Kick, "session", "connection")
	c.knownHosts(path, b.KnownHosts)
	for i, file := range b.Revoked {
		if _, err := sshservice.ReadKeys(file); err != nil {
			c.wrong(fmt.Sprintf("%s.revoked[%d]", path, i), "%v", err)
		}
	}
	for key, value := range map[string]string{"login_timeout": b.LoginTimeout, "ping_interval": b.PingInterval,
		"ping_timeout": b.PingTimeout} {
		if d := c.duration(path+"."+key, value, "30s"); d < 100*time.Millisecond {
			c.wrong(path+"."+key, "must be at least 100ms")
		}
	}
	for key, n := range map[string]int{"max_logins": b.MaxLogins, "max_per_address": b.MaxPerAddress} {
		if n < -1 {
			c.wrong(path+"."+key, "%d is no limit: -1 alone means that there is none", n)
		}
	}
	for key, n := range map[string]int{"login_attempts": b.LoginAttempts, "max_channels": b.MaxChannels} {
		if n < 0 {
			c.wrong(path+"."+key, "must not be negative")
		}
	}
	var targets []string
	for i := range b.Targets {
		c.bastionTarget(fmt.Sprintf("%s.targets[%d]", path, i), b, &b.Targets[i], targets)
		targets = append(targets, b.Targets[i].Name)
	}
	if len(b.Users) == 0 {
		c.wrong(path, "users are missing: nobody could come in")
	}
	var users []string
	for i := range b.Users {
		c.bastionUser(fmt.Sprintf("%s.users[%d]", path, i), &b.Users[i], users, targets)
		users = append(users, b.Users[i].Name)
	}
}

func (c *checker) bastionUser(path string, u *BastionUser, others, targets []string) {
	switch {
	case u.Name == "":
		c.wrong(path, "name is missing: as in ssh NAME+TARGET@…")
	case strings.ContainsAny(u.Name, "+@:/ "):
		c.wrong(path+".name", "%q: + and @ stand behind a name, and spaces, : and / are in none", u.Name)
	case slices.Contains(others, u.Name):
		c.wrong(path+".name", "two users are called %q: choose another name for one", u.Name)
	}
	if len(u.AuthorizedKeys) == 0 && u.Password == "" && len(u.CA) == 0 {
		c.wrong(path, "there is no way in: set authorized_keys, password or ca")
	}
	for key, files := range map[string][]string{"authorized_keys": u.AuthorizedKeys, "ca": u.CA} {
		for i, file := range files {
			if _, err := sshservice.ReadKeys(file); err != nil {
				c.wrong(fmt.Sprintf("%s.%s[%d]", path, key, i), "%v", err)
			}
		}
	}
	if u.Password != "" {
		if err := sshservice.CheckHash(u.Password); err != nil {
			c.wrong(path+".password", "%v", err)
		}
	}
	if len(u.Principals) > 0 && len(u.CA) == 0 {
		c.wrong(path+".principals", "only goes with ca: they are of certificates")
	}
	for i, name := range u.Targets {
		if name == "*" || slices.Contains(targets, name) {
			continue
		}
		hint := "name it in targets, or take it away"
		if near := nearest(name, targets); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		c.wrong(fmt.Sprintf("%s.targets[%d]", path, i), "no target is called %q: %s", name, hint)
	}
}

func (c *checker) bastionTarget(path string, b *BastionConfig, t *BastionTarget, others []string) {
	switch {
	case t.Name == "":
		c.wrong(path, "name is missing: as in ssh USER+NAME@…")
	case strings.Trim(t.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" || len(t.Name) > 64:
		c.wrong(path+".name", "%q: only letters, digits, -, _ and . are allowed, 64 at most", t.Name)
	case slices.Contains(others, t.Name):
		c.wrong(path+".name", "two targets are called %q: choose another name for one", t.Name)
	}
	if t.Address == "" {
		c.wrong(path, "address is missing: HOST, or HOST:PORT")
	} else if _, err := t.hostPort(); err != nil {
		c.wrong(path+".address", "%v", err)
	}
	c.oneOf(path+".enter", t.Enter, string(sshservice.ByKey), string(sshservice.ByAgent), string(sshservice.ByPassword))
	switch {
	case t.Enter == "" && t.Key == "":
		c.wrong(path, "enter is missing: with a key (and its file: key), the agent that the client forwards, or a password "+
			"that it types")
	case t.method() == sshservice.ByKey && t.Key == "":
		c.wrong(path, "key is missing: the file of a private key with which the target is entered")
	case t.method() != sshservice.ByKey && t.Key != "":
		c.wrong(path+".key", "only goes with enter: key; %s would ignore it", t.Enter)
	case t.Key != "":
		if _, err := sshservice.ReadPrivateKey(t.Key); err != nil {
			c.wrong(path+".key", "%v", err)
		}
	}
	c.knownHosts(path, t.KnownHosts)
	if b.Hosts != "learn" && len(t.KnownHosts) == 0 && len(b.KnownHosts) == 0 {
		c.wrong(path, "known_hosts is missing: a file with the target's host key, as ssh-keyscan -p PORT HOST writes it, once you "+
			"have compared it; or hosts: learn, which believes a host the first time")
	}
}

func (c *checker) knownHosts(path string, files []string) {
	for i, file := range files {
		if err := sshservice.CheckKnownHosts(file); err != nil {
			c.wrong(fmt.Sprintf("%s.known_hosts[%d]", path, i), "%v", err)
		}
	}
}

func (t *BastionTarget) method() sshservice.Method {
	if t.Enter == "" {
		return sshservice.ByKey
	}
	return sshservice.Method(t.Enter)
}

// hostPort is the address with its port.
func (t *BastionTarget) hostPort() (string, error) {
	if _, port, err := net.SplitHostPort(t.Address); err == nil && port != "" {
		return t.Address, nil
	}
	host := strings.TrimSuffix(strings.TrimPrefix(t.Address, "["), "]")
	if strings.ContainsAny(host, "/[]@ ") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
		return "", fmt.Errorf("%q is no address: write HOST, or HOST:PORT", t.Address)
	}
	return net.JoinHostPort(host, "22"), nil
}

// forService is the bastion as its service knows it; data is the data folder.
func (b *BastionConfig) forService(l *ListenerConfig, data string) sshservice.Config {
	conf := sshservice.Config{Banner: b.Banner, Revoked: b.Revoked, Jump: b.Jump == nil || *b.Jump, KickConnection: b.Kick == "connection",
		LoginAttempts: b.LoginAttempts, MaxLogins: b.MaxLogins, MaxPerAddress: b.MaxPerAddress, MaxChannels: b.MaxChannels}
	conf.LoginTimeout, _ = ParseDuration(cmp.Or(b.LoginTimeout, "0s"))
	conf.DialTimeout, _ = ParseDuration(cmp.Or(l.DialTimeout, "0s"))
	conf.PingInterval, _ = ParseDuration(cmp.Or(b.PingInterval, "0s"))
	conf.PingTimeout, _ = ParseDuration(cmp.Or(b.PingTimeout, "0s"))
	for _, u := range b.Users {
		conf.Users = append(conf.Users, sshservice.User(u))
	}
	for _, t := range b.Targets {
		address, _ := t.hostPort()
		target := sshservice.Target{Name: t.Name, Address: address, User: t.User, Enter: t.method(), Key: t.Key,
			KnownHosts: t.KnownHosts, ForwardAgent: t.ForwardAgent}
		if len(target.KnownHosts) == 0 {
			target.KnownHosts = b.KnownHosts
		}
		if b.Hosts == "learn" {
			target.Learn = filepath.Join(data, sshFolder, "known_hosts")
		}
		conf.Targets = append(conf.Targets, target)
	}
	return conf
}

// sshFolder is where in the data folder host keys lie.
const sshFolder = "ssh"

// bastionTransport checks that ssh:// and service: bastion go together.
func (c *checker) bastionTransport(path string, l *ListenerConfig, a transport.Address) {
	switch {
	case a.Transport == "ssh" && l.Service != "bastion" && l.Service != "":
		c.wrong(path+".service", "%s goes with service: bastion", l.Listen)
	case a.Transport != "ssh" && l.Service == "bastion":
		c.wrong(path+".listen", "service: bastion goes with ssh://HOST:PORT")
	}
}
