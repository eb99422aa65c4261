package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/threeend"
	"github.com/switchboard-relay/switchboard/transport"
)

// address is where a source has the sessions of a kind.
type address struct {
	source *source
	host   string
	life   context.Context // ends with the source, or when the configuration names another
	retire context.CancelFunc

	// guarded by source.mu
	status  threeend.KindStatus
	probing bool
}

func newAddress(src *source, kind, host string) *address {
	a := &address{source: src, host: host, status: threeend.KindStatus{Kind: kind, Address: host, State: threeend.Untried}}
	a.life, a.retire = context.WithCancel(src.life)
	return a
}

// connect makes a connection, within the context's time, and learns from it whether the source can be reached. It counts as a
// socket of the hub until release is called.
func (a *address) connect(ctx context.Context) (conn transport.Conn, release func(), err error) {
	release, err = a.source.listener.TakeSocket()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s", threeend.ErrBusy, hub.RefusalText(err))
	}
	conn, err = transport.Dial(ctx, transport.Address{Transport: "tcp", Host: a.host}, nil)
	if err != nil {
		release()
		if errors.Is(ctx.Err(), context.Canceled) { // nobody waits any more, which says nothing of the source
			return nil, nil, context.Cause(ctx)
		}
		err = a.unreached(ctx, err)
		a.learn(err)
		return nil, nil, err
	}
	a.learn(nil)
	return conn, release, nil
}

// unreached says why there is no connection.
func (a *address) unreached(ctx context.Context, err error) error {
	var timeout net.Error
	var name *net.DNSError
	var errno syscall.Errno
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &trouble{refused, fmt.Sprintf("nothing listens at %s: the connection was refused", a.host)}
	case errors.As(err, &name):
		return &trouble{unreachable, fmt.Sprintf("%s: no such host can be found", a.host)}
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return &trouble{unreachable, fmt.Sprintf("%s could not be connected to in time", a.host)}
	case errors.As(err, &errno):
		return &trouble{unreachable, fmt.Sprintf("%s could not be connected to: %v", a.host, errno)}
	}
	return &trouble{unreachable, fmt.Sprintf("%s could not be connected to: %v", a.host, err)}
}

// learn takes what a connection said of the address: it was made, or why not.
func (a *address) learn(err error) {
	src := a.source
	src.mu.Lock()
	defer src.mu.Unlock()
	st, now := &a.status, time.Now().UnixMicro()
	state := threeend.Reachable
	if err != nil {
		state = threeend.Unreachable
		st.LastError, st.LastErrorAt = err.Error(), now
	}
	st.Checked = now
	if st.State != state {
		before := st.State
		st.State, st.Since = state, now
		switch {
		case err != nil:
			src.logger.Warn("a source cannot be reached", "kind", st.Kind, "error", err)
		case before == threeend.Unreachable:
			src.logger.Info("a source can be reached again", "kind", st.Kind, "address", a.host)
		}
	}
	if err != nil && !a.probing && src.conf.Retry > 0 && a.life.Err() == nil && !src.closed {
		a.probing = true
		src.work.Go(a.probe)
	}
}

// complain takes down why there was no answer; source.mu is held.
func (a *address) complain(err error) {
	var over *threeend.OverError
	if !errors.As(err, &over) || over.Asked {
		return
	}
	a.status.LastError, a.status.LastErrorAt = over.Err.Error(), time.Now().UnixMicro()
}

// firstRetry is how soon it is tried whether an address is back; each time is twice as long, up to Config.Retry.
const firstRetry = time.Second

// probe connects, and closes at once, until the address is reachable.
func (a *address) probe() {
	for wait := time.Duration(0); ; {
		most, _ := a.patience()
		if most == 0 {
			return
		}
		wait = longer(wait, most)
		select {
		case <-time.After(wait):
		case <-a.life.Done():
			return
		}
		most, limit := a.patience()
		if most == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(a.life, limit)
		conn, release, err := a.connect(ctx)
		cancel()
		if err == nil {
			conn.Close()
			release()
		}
	}
}

// longer is how long to wait behind a wait that was in vain.
func longer(wait, most time.Duration) time.Duration { return min(max(2*wait, firstRetry), most) }

// patience is the most between two probes, and how long each may take; 0 once there is to be none.
func (a *address) patience() (most, limit time.Duration) {
	a.source.mu.Lock()
	defer a.source.mu.Unlock()
	conf := &a.source.conf
	if a.status.State != threeend.Unreachable || conf.Retry == 0 || a.life.Err() != nil {
		a.probing = false
		return 0, 0
	}
	return conf.Retry, conf.AnswerTimeout
}
