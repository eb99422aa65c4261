// Package sourceserver offers live sessions to programs that speak the three-end source protocol: it is the source, they are
// the relay.
package sourceserver

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// Name is what the service is called in the configuration. Sessions of a service of the name are never offered: two that show
// each other would never end.
const Name = "source-server"

// Service answers each connection's one request: it shows a session until one of the two has gone, or kicks one.
type Service struct {
	Hub       *hub.Hub
	Listeners []string       // whose sessions are offered; empty: all
	ViewOnly  bool           // who asks for a kick is told that there is no such session
	Allow     []netip.Prefix // who may ask, where it comes over IP; empty: everybody

	Patience time.Duration // for a viewer that takes nothing; default 30 s

	finding sync.Mutex // so that many who ask at once do not all look through the live sessions at once
}

const (
	defaultPatience = 30 * time.Second
	requestLimit    = 5 * time.Second
	requestQuiet    = 50 * time.Millisecond // behind a request, which has no terminator
	kickLimit       = 10 * time.Second
	partLimit       = time.Second // for the far end to hang up
	maxMore         = 64 << 10    // bytes that may follow the request, and mean nothing
)

// Serve answers a connection.
func (svc *Service) Serve(ctx context.Context, s *hub.Session) error {
	v := newVisit(svc, s)
	go v.listen() // ends with the session: see end
	return v.end(v.run(ctx))
}

func (v *visit) run(ctx context.Context) error {
	if !v.svc.allows(v.session.RemoteAddr()) {
		return v.refuse(fmt.Sprintf("%s is not in allow", v.session.RemoteAddr()))
	}
	r, err := v.request(ctx)
	if err != nil {
		return err
	}
	target, err := v.svc.find(r.ID)
	if err != nil {
		return v.refuse(err.Error())
	}
	v.session.SetName(target.Name())
	if r.Kick {
		return v.kick(ctx, target)
	}
	return v.watch(ctx, target)
}

// allows reports whether an address may ask. One that is none of IP is that of a Unix socket, whose folder says who may.
func (svc *Service) allows(addr net.Addr) bool {
	if len(svc.Allow) == 0 {
		return true
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return true
	}
	for _, p := range svc.Allow {
		if p.Contains(at.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// refuse answers that there is no such session.
func (v *visit) refuse(why string) error {
	return v.answer(threeend.Over, session.End{Cause: session.Refused, Detail: why})
}

// kick ends a session, and answers when it has been.
func (v *visit) kick(ctx context.Context, target *hub.Session) error {
	if v.svc.ViewOnly {
		return v.refuse("it may not kick: role is viewer")
	}
	ctx, cancel := context.WithTimeout(ctx, kickLimit)
	defer cancel()
	info := v.session.Info()
	by := fmt.Sprintf("%s %s, from %s", Name, info.Listener, info.Remote)
	answer, err := v.svc.Hub.KickAnswered(ctx, target.ID(), by, "")
	if err != nil {
		return v.refuse(fmt.Sprintf("kick of %s: %v", target.ID(), err))
	}
	code := threeend.Kicked
	if answer != nil { // of the source that has the session
		code = threeend.Code('0' + answer.Code)
	}
	return v.answer(code, session.End{Cause: session.Done, Detail: fmt.Sprintf("kicked %s", target.ID())})
}
