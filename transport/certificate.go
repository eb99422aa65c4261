package transport

import (
	"crypto/tls"
	"crypto/x509"
)

// PeerCertificate is what the far end of a TLS connection has shown and the listener has verified, nil if there is none.
func PeerCertificate(c Conn) *x509.Certificate {
	s, ok := c.(*stream)
	if !ok {
		return nil
	}
	t, ok := s.Conn.(*tls.Conn)
	if !ok {
		return nil
	}
	if shown := t.ConnectionState(); len(shown.VerifiedChains) > 0 {
		return shown.PeerCertificates[0]
	}
	return nil
}
