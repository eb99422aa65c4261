package ssh

import (
	"slices"
	"time"
)

// Config is who may come in, where they may go, and what bounds them.
type Config struct {
	Users   []User
	Targets []Target
	Revoked []string // files, in the form of OpenSSH's authorized_keys: what they name lets nobody in
	Banner  string   // shown before anybody signs in
	Jump    bool     // ssh -J to targets: a tunnel, of which only encrypted bytes can be recorded
	// KickConnection has a kick close the whole connection of the client, with its other sessions.
	KickConnection bool

	LoginTimeout  time.Duration // from the connection to the end of signing in
	LoginAttempts int           // of one connection
	MaxLogins     int           // connections that have not signed in, at once; -1: no limit
	MaxPerAddress int           // connections of one address, at once; -1: no limit
	MaxChannels   int           // of one connection, at once
	DialTimeout   time.Duration // of a target, to the end of signing in there
	PingInterval  time.Duration // between keepalives, to clients and targets
	PingTimeout   time.Duration // for an answer
}

// Defaults of Config.
const (
	DefaultLoginTimeout  = time.Minute
	DefaultLoginAttempts = 6
	DefaultMaxLogins     = 400
	DefaultMaxPerAddress = 100
	DefaultMaxChannels   = 64
	DefaultDialTimeout   = 10 * time.Second
	DefaultPingInterval  = 30 * time.Second
	DefaultPingTimeout   = 30 * time.Second
)

// User is somebody who may come in, by any of the ways that are set.
type User struct {
	Name           string
	AuthorizedKeys []string // files, in the form of OpenSSH's authorized_keys
	Password       string   // its hash; see CheckHash
	CA             []string // files of public keys, whose certificates are believed
	Principals     []string // of which a certificate must have one; none: Name
	Targets        []string // by name; "*": all
	Forwarding     bool     // ports, through a target
}

// Method is how a target is entered.
type Method string

const (
	ByKey      Method = "key"      // with a configured key
	ByAgent    Method = "agent"    // with the agent that the client forwards
	ByPassword Method = "password" // with a password that the client types
)

// Target is a machine behind the bastion.
type Target struct {
	Name         string
	Address      string // HOST:PORT
	User         string // there; empty: the one who comes in
	Enter        Method
	Key          string   // file of a private key, for ByKey
	KnownHosts   []string // files, in the form of OpenSSH's known_hosts
	Learn        string   // file in which the key of a host that is not known yet is written down; empty: it is refused
	ForwardAgent bool     // the client's agent can be asked from the target
}

func (c *Config) setDefaults() {
	duration := func(d *time.Duration, byDefault time.Duration) {
		if *d == 0 {
			*d = byDefault
		}
	}
	number := func(n *int, byDefault int) {
		if *n == 0 {
			*n = byDefault
		}
	}
	duration(&c.LoginTimeout, DefaultLoginTimeout)
	duration(&c.DialTimeout, DefaultDialTimeout)
	duration(&c.PingInterval, DefaultPingInterval)
	duration(&c.PingTimeout, DefaultPingTimeout)
	number(&c.LoginAttempts, DefaultLoginAttempts)
	number(&c.MaxLogins, DefaultMaxLogins)
	number(&c.MaxPerAddress, DefaultMaxPerAddress)
	number(&c.MaxChannels, DefaultMaxChannels)
}

// user is the one of a name, nil if there is none.
func (c *Config) user(name string) *User {
	if i := slices.IndexFunc(c.Users, func(u User) bool { return u.Name == name }); i >= 0 {
		return &c.Users[i]
	}
	return nil
}

// target is the one of a name, if the user may go there; nil if not.
func (c *Config) target(u *User, name string) *Target {
	if u == nil || !slices.Contains(u.Targets, name) && !slices.Contains(u.Targets, "*") {
		return nil
	}
	if i := slices.IndexFunc(c.Targets, func(t Target) bool { return t.Name == name }); i >= 0 {
		return &c.Targets[i]
	}
	return nil
}

// reachable are the names of the user's targets.
func (c *Config) reachable(u *User) []string {
	var names []string
	for _, t := range c.Targets {
		if c.target(u, t.Name) != nil {
			names = append(names, t.Name)
		}
	}
	return names
}

// login is the user's name on a target.
func (t *Target) login(user string) string {
	if t.User != "" {
		return t.User
	}
	return user
}
