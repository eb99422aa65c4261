// Package shell offers a program in a terminal to whoever connects.
package shell

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Service runs a program for each session, in a pseudo-terminal of its own, as the user that the server runs as. What the
// program shows is sent, what is received is typed.
type Service struct {
	Command    []string // the program and its arguments
	Dir        string   // where it runs; default the server's folder
	Env        []string // NAME=VALUE, besides Environment
	Cols, Rows int      // of the terminal, until the far end tells others; default 80, 24

	Grace time.Duration // between SIGHUP and SIGKILL; default 5 s
}

const defaultGrace = 5 * time.Second

// Serve runs the program until it ends, or the session does. It returns once nothing of the program is left.
func (svc *Service) Serve(ctx context.Context, s *hub.Session) error {
	v := newVisit(svc, s)
	if err := v.greet(ctx); err != nil {
		return v.end(err)
	}
	var p *transport.PTY
	err := s.Hold(func() (_ transport.Conn, err error) {
		p, err = v.start()
		return p, err
	})
	if err != nil {
		return v.end(failed(err))
	}
	err = v.run(ctx, p)
	v.end(err)
	if !v.over.Load() {
		if err := p.HangUp(svc.grace()); err != nil {
			s.Note("the program could not be ended: " + err.Error())
		}
	}
	return err
}

func (svc *Service) grace() time.Duration {
	if svc.Grace > 0 {
		return svc.Grace
	}
	return defaultGrace
}

// failed is how a session ends whose program cannot be started.
func failed(err error) error {
	var end *session.End
	if errors.As(err, &end) {
		return err
	}
	return &session.End{Cause: session.Failed, Detail: "the program cannot be started: " + err.Error()}
}

// Environment is what programs get of the server's own environment, which may hold secrets: where they are, who runs them,
// and in which language.
func Environment() []string {
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		switch name {
		case "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ":
			env = append(env, pair)
		default:
			if strings.HasPrefix(name, "LC_") {
				env = append(env, pair)
			}
		}
	}
	return env
}

// run carries what the program shows until it or the session ends, and tells why.
func (v *visit) run(ctx context.Context, p *transport.PTY) error {
	u := v.session.Upstream(p)
	err := u.CarryDown()
	u.Release()
	if !errors.Is(err, io.EOF) {
		return err // the session ended, or its far end is gone
	}
	select {
	case <-p.Exited():
		v.leave(ctx)
		status := p.Status()
		end := &session.End{Cause: session.Done, Detail: status.String()}
		if status.Signal == "" {
			end.Exit = &status.Code
		}
		return end
	case <-ctx.Done(): // the program goes on without its terminal
		return context.Cause(ctx)
	}
}

// leaveLimit is how long a far end may take to hang up when the program has ended.
const leaveLimit = time.Second

// leave lets the far end take what was shown last, and hang up: closing on what it has typed could take that away.
func (v *visit) leave(ctx context.Context) {
	v.over.Store(true)
	if v.session.CloseWrite() != nil {
		return
	}
	select {
	case <-v.heard:
	case <-ctx.Done():
	case <-time.After(leaveLimit):
	}
}
