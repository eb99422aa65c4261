// Package relay joins a session with an upstream: bytes go both ways, and both ways are on the record.
package relay

import (
	"crypto/tls"
	"errors"
	"io"
	"sync/atomic"
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
	Telnet      bool          // both ends speak it
}

const defaultDialTimeout = 5 * time.Second

// Start dials, copies both ways, hands a half-close on, and ends when both directions have ended. An upstream that
// refuses ends the session as "refused", one that does not answer as "unreachable".
func (svc *Service) Start(s *hub.Session) {
	limit := svc.DialTimeout
	if limit == 0 {
		limit = defaultDialTimeout
	}
	upstream, err := s.Dial(svc.Upstream, svc.TLS, limit)
	if err != nil {
		s.FinishWith(err)
		return
	}
	l := &line{session: s, upstream: s.Upstream(upstream)}
	l.open.Store(2)
	if svc.Telnet {
		l.upstream.OverTelnet()
	}
	s.TakesTyping(l.upstream.Type)
	go l.down() // ends with its direction; the last to end finishes the session
	l.up()
}

// line is one session and its upstream.
type line struct {
	session  *hub.Session
	upstream *hub.Upstream
	open     atomic.Int32 // directions that have not ended
}

// up carries what the far end sends to the upstream, until it is quiet or has ended.
func (l *line) up() {
	err := l.upstream.CarryUp()
	switch {
	case errors.Is(err, hub.ErrQuiet):
		go l.parkUp() // goes on with up
	case errors.Is(err, io.EOF):
		l.ended(halfClose(l.upstream.CloseWrite()))
	default:
		l.ended(err)
	}
}

func (l *line) parkUp() {
	l.session.Park()
	l.up()
}

// down carries what the upstream sends to the far end, until it is quiet or has ended.
func (l *line) down() {
	err := l.upstream.CarryDown()
	if errors.Is(err, hub.ErrQuiet) {
		go l.parkDown() // goes on with down
		return
	}
	l.upstream.Release()
	if errors.Is(err, io.EOF) {
		err = halfClose(l.session.CloseWrite())
	}
	l.ended(err)
}

func (l *line) parkDown() {
	l.upstream.ParkDown()
	l.down()
}

// ended notes that a direction is over; an error ends the other one as well.
func (l *line) ended(err error) {
	l.session.EndWith(err)
	if l.open.Add(-1) == 0 {
		l.session.FinishWith(nil)
	}
}

// halfClose: where a transport cannot close one direction, the end of one is the end of both.
func halfClose(err error) error {
	if errors.Is(err, transport.ErrUnsupported) {
		return &session.End{Cause: session.HungUp}
	}
	return nil // a far end that is gone already shows in the other direction
}
