package ssh

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
)

// ReadKeys reads a file of public keys in the form of OpenSSH's authorized_keys, one a line. A key with options is
// refused, since they would not be kept.
func ReadKeys(file string) ([]ssh.PublicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var keys []ssh.PublicKey
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, _, options, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: is no public key, as in ssh-ed25519 AAAA…", file, i+1)
		}
		if len(options) > 0 {
			return nil, fmt.Errorf("%s:%d: the option %s would not be kept: take the options away, or the key", file, i+1, options[0])
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// contains reports whether one of the files has the key. A file that cannot be read has none: the error says so.
func contains(files []string, key ssh.PublicKey) (bool, error) {
	var errs []error
	wanted := key.Marshal()
	for _, file := range files {
		keys, err := ReadKeys(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, k := range keys {
			if bytes.Equal(k.Marshal(), wanted) {
				return true, nil
			}
		}
	}
	return false, errors.Join(errs...)
}

// ReadPrivateKey reads the file of a private key, with its certificate if one lies beside it, as OpenSSH names it:
// FILE-cert.pub.
func ReadPrivateKey(file string) (ssh.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, fmt.Errorf("%s: has a passphrase, which nobody could type: ssh-keygen -p -N '' -f FILE takes it away", file)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: is no private key: %w", file, err)
	}
	text, err = os.ReadFile(file + "-cert.pub")
	if errors.Is(err, os.ErrNotExist) {
		return signer, nil
	}
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	cert, is := key.(*ssh.Certificate)
	if err != nil || !is {
		return nil, fmt.Errorf("%s-cert.pub: is no certificate", file)
	}
	return ssh.NewCertSigner(cert, signer)
}

// HostKeys are the bastion's own keys, from a folder where they are made the first time.
func HostKeys(dir string) ([]ssh.Signer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var signers []ssh.Signer
	for _, kind := range []struct {
		name string
		make func() (any, error)
	}{
		{"ed25519", func() (any, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			return key, err
		}},
		{"ecdsa", func() (any, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
	} {
		signer, err := hostKey(filepath.Join(dir, "host_"+kind.name), kind.make)
		if err != nil {
			return nil, fmt.Errorf("host key: %w", err)
		}
		signers = append(signers, signer)
	}
	return signers, nil
}

// hostKey reads a key, or makes and keeps one. A file that is there is never replaced: clients know its key.
func hostKey(file string, make func() (any, error)) (ssh.Signer, error) {
	text, err := os.ReadFile(file)
	if err == nil {
		signer, err := ssh.ParsePrivateKey(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: put the key back, or remove the file to have another made, which clients will "+
				"warn of", file, err)
		}
		return signer, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	key, err := make()
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "switchboard")
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, err
	}
	public := ssh.MarshalAuthorizedKey(signer.PublicKey())
	if err := writeFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return signer, writeFile(file+".pub", public, 0o644)
}

// writeFile writes a file as a whole, or not at all.
func writeFile(file string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(file+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return err
	}
	return os.Rename(f.Name(), file)
}
