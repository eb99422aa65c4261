package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

var typeRoutes = []route{
	{"POST /api/v1/sessions/{id}/type", auth.Operator, (*server).typeIn},
	{"GET /api/v1/sessions/{id}/join", auth.Viewer, (*server).join},
}

// typeIn types the body into the session, as if its far end had.
func (s *server) typeIn(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	data, err := readBody(w, r)
	if err != nil {
		return err
	}
	if err := checkTyped(len(data)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandPeriod)
	defer cancel()
	if err := s.Hub.Type(ctx, sum.ID, who(r).Name, data); err != nil {
		return err
	}
	s.Logger.Info("typed", "session", sum.ID, "by", who(r).Name, "bytes", len(data))
	writeJSON(w, http.StatusOK, map[string]any{"id": sum.ID, "bytes": len(data)})
	return nil
}

// checkTyped refuses what cannot be typed at once.
func checkTyped(n int) error {
	switch {
	case n == 0:
		return bad("there is nothing to type")
	case n > hub.TypeLimit:
		return bad("%d bytes are typed at once; at most %d", n, hub.TypeLimit)
	}
	return nil
}

// mayType refuses those who may only look on.
func mayType(id auth.Identity) error {
	if !id.Role.Includes(auth.Operator) {
		return fmt.Errorf("%w: the token %q has the role %s; typing needs %s", errForbidden, id.Name, id.Role, auth.Operator)
	}
	return nil
}

// maxJoins is how many sessions one viewer may have joined.
const maxJoins = 64

// joins are the sessions that a viewer has joined.
type joins struct {
	mu   sync.Mutex
	m    map[session.ID]*joined
	over bool
}

type joined struct {
	types bool
	leave func()
}

var errNotJoined = errors.New("join the session first, with types")

// join joins a session, until the viewer leaves it or is gone. Again, it changes whether the viewer types.
func (v *viewer) join(ctx context.Context, ask struct {
	ID    session.ID `json:"id"`
	Types bool       `json:"types"`
}) (any, error) {
	if ask.Types {
		if err := mayType(v.who); err != nil {
			return nil, err
		}
	}
	h := v.viewers.server.Hub
	sum, err := h.Find(ctx, string(ask.ID))
	if err != nil {
		return nil, err
	}
	l := &v.joins
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.m[sum.ID]
	switch {
	case l.over:
		return nil, errUnavailable
	case before != nil && before.types == ask.Types:
		return struct{}{}, nil
	case before == nil && len(l.m) >= maxJoins:
		return nil, streamsError("64 sessions are joined already: leave some")
	}
	leave, err := h.JoinIn(ctx, sum.ID, v.who.Name, ask.Types)
	if err != nil {
		return nil, err
	}
	if before != nil {
		before.leave()
	}
	if l.m == nil {
		l.m = map[session.ID]*joined{}
	}
	l.m[sum.ID] = &joined{ask.Types, leave}
	return struct{}{}, nil
}

// leaveOne leaves a session; one that is not joined is left already.
func (v *viewer) leaveOne(_ context.Context, ask struct {
	ID session.ID `json:"id"`
}) (any, error) {
	l := &v.joins
	l.mu.Lock()
	defer l.mu.Unlock()
	if j := l.m[ask.ID]; j != nil {
		j.leave()
		delete(l.m, ask.ID)
	}
	return struct{}{}, nil
}

// typeAlong types into a session that the viewer has joined.
func (v *viewer) typeAlong(ctx context.Context, ask struct {
	ID   session.ID `json:"id"`
	Data []byte     `json:"data"`
}) (any, error) {
	if err := checkTyped(len(ask.Data)); err != nil {
		return nil, err
	}
	v.joins.mu.Lock()
	j := v.joins.m[ask.ID]
	v.joins.mu.Unlock()
	if j == nil || !j.types {
		return nil, badRequest{errNotJoined}
	}
	if err := v.viewers.server.Hub.Type(ctx, ask.ID, v.who.Name, ask.Data); err != nil {
		return nil, err
	}
	return struct{}{}, nil
}

// close leaves all of them.
func (l *joins) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	for _, j := range l.m {
		j.leave()
	}
	l.m = nil
}
