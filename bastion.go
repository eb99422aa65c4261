package switchboard

import (
	"cmp"
	"context"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	sshservice "github.com/switchboard-relay/switchboard/service/ssh"
	"github.com/switchboard-relay/switchboard/transport"
)

// listenSSH opens the socket of a bastion, whose host keys are made the first time.
func (sb *Switchboard) listenSSH(l *line, addr transport.Address) error {
	keys, err := sshservice.HostKeys(filepath.Join(sb.conf.Data, sshFolder))
	if err != nil {
		return err
	}
	opt := transport.ListenOptions{}
	opt.KeepAlive, _ = ParseDuration(cmp.Or(l.conf.KeepAlive, "0s"))
	ln, err := transport.Listen(context.Background(), addr, opt)
	if err != nil {
		return err
	}
	l.bastion = sshservice.New(l.listener, keys, l.conf.Bastion.forService(&l.conf, sb.conf.Data), sb.logger)
	l.addr, l.serve = ln.Addr(), func() error { return l.bastion.Serve(ln) }
	l.listener.Attach(ln) // until it is served
	for _, key := range keys {
		sb.logger.Info("host key of a bastion", "listener", l.conf.Name, "type", key.PublicKey().Type(),
			"fingerprint", ssh.FingerprintSHA256(key.PublicKey()))
	}
	return nil
}
