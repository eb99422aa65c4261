package ssh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Extensions of certificates that OpenSSH keeps, and so does the bastion.
const (
	permitPTY        = "permit-pty"
	permitAgent      = "permit-agent-forwarding"
	permitForwarding = "permit-port-forwarding"
)

// login is how somebody came in.
type login struct {
	user     string
	to       string // the target that was asked for, empty: none; it need not be one
	how      string // for the record
	password string // for the target, if it wants one
	entry    *entry // to the target that wants one, if it was the right one
	// cert has the extensions of the certificate; nil: it was none, and permits all.
	cert map[string]string
}

// permits reports whether the certificate, if it was one, has the extension.
func (l *login) permits(extension string) bool {
	if l.cert == nil {
		return true
	}
	_, has := l.cert[extension]
	return has
}

// splitName cuts user+target.
func splitName(name string) (user, target string) {
	user, target, _ = strings.Cut(name, "+")
	return user, target
}

// gate lets one connection in, or not. It is used by the goroutine of the handshake alone.
type gate struct {
	conf   *Config
	logger *slog.Logger
	enter  func(ctx context.Context, t *Target, user string, auth []ssh.AuthMethod) (*entry, error)
	login  login // of the way that worked last
}

var errDenied = errors.New("denied")

// letIn is the handshake.
func (g *gate) letIn(s *packetConn, hostKeys []ssh.Signer) (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	offered, err := ciphersFor(s, g.conf.LoginTimeout)
	if err != nil {
		return nil, nil, nil, err
	}
	c := g.serverConfig(hostKeys)
	c.Ciphers = offered
	return ssh.NewServerConn(s, c)
}

// serverConfig is what the handshake asks of the gate.
func (g *gate) serverConfig(hostKeys []ssh.Signer) *ssh.ServerConfig {
	c := &ssh.ServerConfig{
		ServerVersion:             version,
		MaxAuthTries:              g.conf.LoginAttempts,
		PublicKeyCallback:         g.publicKey,
		VerifiedPublicKeyCallback: g.verified,
	}
	if slices.ContainsFunc(g.conf.Users, hasPassword) {
		c.PasswordCallback = g.password
	}
	if g.conf.Banner != "" {
		c.BannerCallback = func(ssh.ConnMetadata) string { return strings.TrimRight(g.conf.Banner, "\n") + "\n" }
	}
	for _, key := range hostKeys {
		c.AddHostKey(key)
	}
	return c
}

func hasPassword(u User) bool { return u.Password != "" }

// publicKey says whether a key is one of the user's. That the client has it is not known yet.
func (g *gate) publicKey(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	name, _ := splitName(meta.User())
	u := g.conf.user(name)
	if u == nil {
		return nil, errDenied
	}
	if g.isRevoked(key) {
		return nil, fmt.Errorf("%w: the key is revoked", errDenied)
	}
	if cert, is := key.(*ssh.Certificate); is {
		return g.certificate(u, cert)
	}
	ok, err := contains(u.AuthorizedKeys, key)
	if err != nil {
		g.logger.Error("keys of a user cannot be read", "user", u.Name, "error", err)
	}
	if !ok {
		return nil, errDenied
	}
	return &ssh.Permissions{}, nil
}

// isRevoked reports whether a key, or what makes it one, is revoked. If that cannot be read, everything is.
func (g *gate) isRevoked(key ssh.PublicKey) bool {
	keys := []ssh.PublicKey{key}
	if cert, is := key.(*ssh.Certificate); is {
		keys = append(keys, cert.Key, cert.SignatureKey)
	}
	for _, k := range keys {
		revoked, err := contains(g.conf.Revoked, k)
		if err != nil {
			g.logger.Error("revoked keys cannot be read: no key lets anybody in", "error", err)
			return true
		}
		if revoked {
			g.logger.Warn("a revoked key was shown", "key", ssh.FingerprintSHA256(key))
			return true
		}
	}
	return false
}

func (g *gate) certificate(u *User, cert *ssh.Certificate) (*ssh.Permissions, error) {
	trusted, err := contains(u.CA, cert.SignatureKey)
	if err != nil {
		g.logger.Error("the authority of a user cannot be read", "user", u.Name, "error", err)
	}
	if !trusted || cert.CertType != ssh.UserCert || len(cert.ValidPrincipals) == 0 {
		return nil, errDenied
	}
	principals := u.Principals
	if len(principals) == 0 {
		principals = []string{u.Name}
	}
	i := slices.IndexFunc(principals, func(p string) bool { return slices.Contains(cert.ValidPrincipals, p) })
	if i < 0 {
		return nil, fmt.Errorf("%w: none of the certificate's principals is %s's", errDenied, u.Name)
	}
	checker := &ssh.CertChecker{SupportedCriticalOptions: []string{"source-address"}}
	if err := checker.CheckCert(principals[i], cert); err != nil {
		return nil, fmt.Errorf("%w: %w", errDenied, err)
	}
	// The handshake itself keeps the option source-address.
	return &ssh.Permissions{CriticalOptions: cert.CriticalOptions, Extensions: cert.Extensions}, nil
}

// verified is called once the client has shown that it has the key.
func (g *gate) verified(meta ssh.ConnMetadata, key ssh.PublicKey, perms *ssh.Permissions, _ string) (*ssh.Permissions, error) {
	how := "public key " + ssh.FingerprintSHA256(key)
	var extensions map[string]string
	if cert, is := key.(*ssh.Certificate); is {
		how = fmt.Sprintf("certificate %q, serial %d, of %s", cert.KeyId, cert.Serial, ssh.FingerprintSHA256(cert.SignatureKey))
		extensions = map[string]string{}
		for name, value := range cert.Extensions {
			extensions[name] = value
		}
	}
	return g.pass(meta, login{how: how, cert: extensions}, perms)
}

func (g *gate) password(meta ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	name, _ := splitName(meta.User())
	u := g.conf.user(name)
	known := u != nil && u.Password != ""
	if !known { // somebody's hash is checked all the same, so that the time tells nothing
		u = g.conf.decoy(name)
	}
	if !matches(u.Password, string(password)) || !known {
		return nil, errDenied
	}
	return g.pass(meta, login{how: "password"}, &ssh.Permissions{})
}

// pass lets a user in who has shown to be it, once the target's password is known, if it wants one.
func (g *gate) pass(meta ssh.ConnMetadata, l login, perms *ssh.Permissions) (*ssh.Permissions, error) {
	l.user, l.to = splitName(meta.User())
	g.login = l
	t := g.conf.target(g.conf.user(l.user), l.to)
	if t == nil || t.Enter != ByPassword {
		return perms, nil
	}
	return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{
		KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			return perms, g.askForTarget(t, ask)
		},
	}}
}

// askForTarget asks for the password of a target until it lets one in, as often as anybody may try to sign in. If it does not
// then, or cannot be asked, that is told in the session, and on record.
func (g *gate) askForTarget(t *Target, ask ssh.KeyboardInteractiveChallenge) error {
	l, told := &g.login, ""
	for range g.conf.LoginAttempts {
		answers, err := ask("", told, []string{fmt.Sprintf("%s@%s's password: ", t.login(l.user), t.Name)}, []bool{false})
		if err != nil {
			return err
		}
		l.password = answers[0]
		ctx, cancel := context.WithTimeout(context.Background(), g.conf.DialTimeout)
		l.entry, err = g.enter(ctx, t, l.user, byPassword(l.password))
		cancel()
		if err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
			return nil
		}
		told = t.Name + ": permission denied, try again"
	}
	return nil
}
