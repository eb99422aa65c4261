//go:build linux || darwin

package switchboard_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
)

// mutual writes a certificate that serves either side of TLS, and is its own authority.
func mutual(t *testing.T) (*switchboard.TLSConfig, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	like := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "device one"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{{127, 0, 0, 1}}}
	der, err := x509.CreateCertificate(rand.Reader, like, like, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "both.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return &switchboard.TLSConfig{Cert: file, Key: file, ClientCA: file}, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}
}

func TestAShellOverTLSIsForThoseWithACertificate(t *testing.T) {
	files, conf := mutual(t)
	sb, addr := shell(t, `echo "$TERM"; read line; echo "<$line>"`, func(c *switchboard.ListenerConfig) {
		c.Listen, c.TLS, c.Telnet = "tls://0.0.0.0:0", files, "true"
	})
	_, port, _ := net.SplitHostPort(addr.String())
	here := "127.0.0.1:" + port
	nobody := conf.Clone()
	nobody.Certificates = nil
	if c, err := tls.Dial("tcp", here, nobody); err == nil {
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.ReadAll(c); err == nil {
			t.Error("one without a certificate was let in")
		}
		c.Close()
	}
	c, err := tls.Dial("tcp", here, conf)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, "\xff\xfb\x18\xff\xfc\x1f\xff\xfa\x18\x00VT220\xff\xf0")
	var seen string
	readTo(t, c, &seen, "vt220\r\n")
	io.WriteString(c, "over TLS\r\x00")
	readTo(t, c, &seen, "<over TLS>\r\n")
	if sum := sessions(t, sb, session.Recorded, 1)[0]; sum.Transport != "tls" || sum.Detail != "exit status 0" {
		t.Errorf("the record says %+v", sum)
	}
}
