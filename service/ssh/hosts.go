package ssh

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// HostKeyError says that a target's host key is not the one that is known.
type HostKeyError struct {
	Target  string
	Address string
	Offered ssh.PublicKey
	Known   []knownhosts.KnownKey // empty: none is known
	Files   []string
}

func (e *HostKeyError) Error() string {
	offered := fmt.Sprintf("%s %s", e.Offered.Type(), ssh.FingerprintSHA256(e.Offered))
	files := strings.Join(e.Files, ", ")
	if len(e.Known) == 0 {
		return fmt.Sprintf("%s shows the host key %s, and none is known of %s: if it is right, add it to %s: %s", e.Target,
			offered, e.Address, files, knownhosts.Line([]string{e.Address}, e.Offered))
	}
	k := e.Known[0]
	return fmt.Sprintf("%s shows the host key %s, but known is %s %s (%s:%d): somebody may stand in between, or the host has "+
		"a new key: then replace that line", e.Target, offered, k.Key.Type(), ssh.FingerprintSHA256(k.Key), k.Filename, k.Line)
}

// forPeople is what of the error the one who comes in may see: not where files lie.
func (e *HostKeyError) forPeople() string {
	offered := fmt.Sprintf("%s %s", e.Offered.Type(), ssh.FingerprintSHA256(e.Offered))
	if len(e.Known) == 0 {
		return fmt.Sprintf("%s shows the host key %s, which is not known: it was not entered", e.Target, offered)
	}
	return fmt.Sprintf("%s shows the host key %s, but known is %s %s: somebody may stand in between; it was not entered",
		e.Target, offered, e.Known[0].Key.Type(), ssh.FingerprintSHA256(e.Known[0].Key))
}

// hosts checks the host key of one target.
type hosts struct {
	target     *Target
	check      ssh.HostKeyCallback
	algorithms []string // that lead to a key which is known, so that the host shows that one
}

// learning orders additions to files of known hosts, and the looks before them.
var learning sync.Mutex

// CheckKnownHosts tells what is wrong with a file of known hosts.
func CheckKnownHosts(file string) error {
	_, err := knownhosts.New(file)
	return err
}

func knownHosts(t *Target) (*hosts, error) {
	files := t.KnownHosts
	if t.Learn != "" {
		if _, err := os.Stat(t.Learn); err == nil {
			files = append(files[:len(files):len(files)], t.Learn)
		}
	}
	check, err := knownhosts.New(files...)
	if err != nil {
		return nil, fmt.Errorf("known hosts: %w", err)
	}
	h := &hosts{target: t, check: check}
	h.algorithms = h.preferred()
	return h, nil
}

// preferred are the algorithms of the keys that are known of the target: certificates only where an authority is, since a host
// that has one shows it to whoever takes it, and of another authority it is worth nothing.
func (h *hosts) preferred() []string {
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil
	}
	probe, err := ssh.NewSignerFromKey(stranger)
	if err != nil {
		return nil
	}
	var known *knownhosts.KeyError
	if !errors.As(h.check(h.target.Address, probeAddr, probe.PublicKey()), &known) || len(known.Want) == 0 {
		return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512,
			ssh.KeyAlgoRSASHA256}
	}
	var list []string
	if slices.ContainsFunc(known.Want, isAuthority) {
		list = append(list, certificates...)
	}
	for _, k := range known.Want {
		if k.Key.Type() == ssh.KeyAlgoRSA {
			list = append(list, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512)
		} else {
			list = append(list, k.Key.Type())
		}
	}
	return list
}

// probeAddr is no address of any line.
var probeAddr = &net.TCPAddr{IP: net.IPv4zero}

var certificates = []string{ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
	ssh.CertAlgoRSASHA256v01, ssh.CertAlgoRSASHA512v01}

// isAuthority reports whether a key stands in its file as that of an authority.
func isAuthority(k knownhosts.KnownKey) bool {
	text, err := os.ReadFile(k.Filename)
	if err != nil {
		return false
	}
	lines := bytes.Split(text, []byte("\n"))
	return k.Line <= len(lines) && bytes.HasPrefix(bytes.TrimSpace(lines[k.Line-1]), []byte("@cert-authority"))
}

// callback is an ssh.HostKeyCallback.
func (h *hosts) callback(_ string, remote net.Addr, key ssh.PublicKey) error {
	err := h.check(h.target.Address, remote, key)
	var unlike *knownhosts.KeyError
	if !errors.As(err, &unlike) {
		return err // nil, or revoked, or a certificate that is not valid
	}
	if len(unlike.Want) == 0 && h.target.Learn != "" {
		return h.learn(remote, key)
	}
	files := h.target.KnownHosts
	if h.target.Learn != "" {
		files = append(files[:len(files):len(files)], h.target.Learn)
	}
	return &HostKeyError{Target: h.target.Name, Address: h.target.Address, Offered: key, Known: unlike.Want, Files: files}
}

// learn writes the key of a host down that is not known yet, unless somebody else just did.
func (h *hosts) learn(remote net.Addr, key ssh.PublicKey) error {
	learning.Lock()
	defer learning.Unlock()
	strict := *h.target
	strict.Learn = ""
	if _, err := os.Stat(h.target.Learn); err == nil {
		strict.KnownHosts = append(strict.KnownHosts[:len(strict.KnownHosts):len(strict.KnownHosts)], h.target.Learn)
	}
	again, err := knownHosts(&strict)
	if err != nil {
		return err
	}
	var unlike *HostKeyError
	if err := again.callback("", remote, key); !errors.As(err, &unlike) || len(unlike.Known) > 0 {
		return err
	}
	f, err := os.OpenFile(h.target.Learn, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("known hosts: %w", err)
	}
	_, err = f.WriteString(knownhosts.Line([]string{h.target.Address}, key) + "\n")
	return errors.Join(err, f.Close())
}
