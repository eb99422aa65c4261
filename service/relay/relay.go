// Package relay joins a session with an upstream: bytes go both ways, and both ways are on the record.
package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Service dials the upstream for each session.
type Service struct {
	Upstream    transport.Address
	TLS         *tls.Config   // for a tls upstream; nil means the system's certificate authorities
	DialTimeout time.Duration // 0 means 5 s
}

const defaultDialTimeout = 5 * time.Second

// Serve dials, copies both ways, hands a half-close on, and ends when both directions have ended. An upstream that
// refuses ends the session as "refused", one that does not answer as "unreachable".
func (svc *Service) Serve(_ context.Context, s *hub.Session) error {
	limit := svc.DialTimeout
	if limit == 0 {
		limit = defaultDialTimeout
	}
	upstream, err := s.Dial(svc.Upstream, svc.TLS, limit)
	if err != nil {
		return err
	}
	down := make(chan error, 1)
	go func() { down <- copyDown(s, upstream) }() // ends with the upstream, which the session's end closes
	if err := copyUp(s, upstream); err != nil {
		s.EndWith(err)
	}
	return <-down
}

// copyUp carries what the far end sends to the upstream.
func copyUp(s *hub.Session, upstream transport.Conn) error {
	for {
		data, err := s.Next()
		if errors.Is(err, io.EOF) {
			return halfClose(upstream.CloseWrite())
		}
		if err != nil {
			return err
		}
		if _, err := upstream.Write(data); err != nil {
			return upstreamError(err)
		}
	}
}

// copyDown carries what the upstream sends to the far end.
func copyDown(s *hub.Session, upstream transport.Conn) error {
	var u hub.Upstream
	defer u.Release()
	for {
		data, err := s.NextFrom(upstream, &u)
		if errors.Is(err, io.EOF) {
			return halfClose(s.CloseWrite())
		}
		if err != nil {
			s.EndWith(upstreamError(err))
			return err
		}
		if _, err := s.WriteRecorded(data); err != nil {
			s.EndWith(err)
			return err
		}
	}
}

// halfClose: where a transport cannot close one direction, the end of one is the end of both.
func halfClose(err error) error {
	if errors.Is(err, transport.ErrUnsupported) {
		return &session.End{Cause: session.HungUp}
	}
	return nil // a far end that is gone already shows in the other direction
}

func upstreamError(err error) error {
	var end *session.End
	if errors.As(err, &end) {
		return err
	}
	return &hub.UpstreamError{Err: err}
}
