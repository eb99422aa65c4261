package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// sockets counts the descriptors that sessions hold, so that recordings and the API always find some free.
type sockets struct {
	limit  int64
	used   atomic.Int64
	full   atomic.Bool
	logger *slog.Logger
}

const (
	socketReserve = 512 // descriptors kept for recordings, the index, the API and the bus
	defaultLimit  = 1 << 20
)

func (c *sockets) init(limit int, logger *slog.Logger) {
	if limit <= 0 {
		limit = defaultLimit
		if files := transport.FileLimit(); files > 0 {
			limit = files - min(socketReserve, files/2)
		}
	}
	c.limit, c.logger = int64(limit), logger
}

// wait returns when a socket is free, or false when done closes.
func (c *sockets) wait(done <-chan struct{}) bool {
	for delay := 5 * time.Millisecond; c.used.Load() >= c.limit; delay = min(2*delay, 100*time.Millisecond) {
		if !c.full.Swap(true) {
			c.logger.Warn("the limit of connections is reached: new ones wait until others end",
				"limit", c.limit, "mend", "raise the limit of open files: ulimit -n, or LimitNOFILE= for systemd")
		}
		select {
		case <-time.After(delay):
		case <-done:
			return false
		}
	}
	if c.full.Load() && c.used.Load() < c.limit-c.limit/50 && c.full.Swap(false) {
		c.logger.Info("connections are accepted again", "limit", c.limit)
	}
	return true
}

func (c *sockets) take() { c.used.Add(1) }

// tryTake is take where nobody can wait: it reports whether a socket was free.
func (c *sockets) tryTake() bool {
	if c.used.Add(1) > c.limit {
		c.used.Add(-1)
		return false
	}
	return true
}

func (c *sockets) release(conn transport.Conn) {
	if _, flow := conn.(*transport.Flow); !flow {
		c.used.Add(-1)
	}
}

// Hold has open make another connection of the session's, which counts as one, and is closed with it. A limit ends it as
// "refused".
func (s *Session) Hold(open func() (transport.Conn, error)) error {
	c := &s.hub.sockets
	if !c.tryTake() {
		return &session.End{Cause: session.Refused, Detail: "the limit of connections is reached"}
	}
	conn, err := open()
	if err != nil {
		c.used.Add(-1)
		return err
	}
	s.OnEnd(func() {
		conn.Close()
		c.used.Add(-1)
	})
	return nil
}

// Dial connects to an upstream for the session: it is given up when the session ends, and closed with it. A session
// dials one upstream at a time.
func (s *Session) Dial(to transport.Address, conf *tls.Config, limit time.Duration) (transport.Conn, error) {
	ctx, cancel := joinContext(context.Background(), limit)
	defer cancel()
	s.whileDialing(cancel)
	defer s.whileDialing(nil)
	c := &s.hub.sockets
	if !c.tryTake() {
		return nil, &session.End{Cause: session.Refused, Detail: "the limit of connections is reached"}
	}
	conn, err := transport.Dial(ctx, to, conf)
	if err != nil {
		c.used.Add(-1)
		if e := s.over.Load(); e != nil {
			return nil, e
		}
		if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			return nil, &session.End{Cause: session.Unreachable,
				Detail: "upstream " + to.String() + ": no answer within " + limit.String()}
		}
		return nil, &session.End{Cause: session.Refused, Detail: "upstream " + to.String() + ": " + plain(err)}
	}
	s.OnEnd(func() {
		conn.Close()
		c.used.Add(-1)
	})
	return conn, nil
}
