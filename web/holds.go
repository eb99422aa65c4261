package web

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// isRef reports whether a text is to refer to a source's session; else it is an id, or the beginning of one.
func isRef(text string) bool { return strings.Contains(text, ":") }

// hold has a live session go on: that of a reference, which its source is asked for if it is not open, or that of an id.
func (s *server) hold(ctx context.Context, text, by string) (session.Summary, func(), error) {
	if isRef(text) {
		opened, release, err := s.openRef(ctx, text, by)
		if err != nil {
			return session.Summary{}, nil, err
		}
		return summaryOf(opened), release, nil
	}
	sum, err := s.Hub.Find(ctx, text)
	if err != nil {
		return sum, nil, err
	}
	if sum.State != session.Live {
		return sum, nil, hub.ErrNotLive
	}
	release, err := s.Hub.Keep(sum.ID)
	return sum, release, err
}

// maxHolds is how many sessions a viewer may have open.
const maxHolds = 64

// holds are the sessions that a viewer has open, by how it called them.
type holds struct {
	mu sync.Mutex
	m  map[string]*held
}

// held is one of them.
type held struct {
	cancel context.CancelFunc // of opening it
	done   chan struct{}      // closed when what follows is known

	id      session.ID
	release func()
	err     error // why it could not be opened
}

func (h *held) isDone() bool {
	select {
	case <-h.done:
		return true
	default:
		return false
	}
}

// errClosed says that the viewer closed what it was about to open.
const errClosed = streamsError("it was closed before it was open")

type openAsk struct {
	Session string `json:"session"` // a reference, or the id of a live session
}

// openReply says which session is open.
type openReply struct {
	ID      session.ID      `json:"id"`
	Summary session.Summary `json:"summary"`
}

// openOne opens a session, which counts the viewer among those who look at it until it closes it or is gone.
func (v *viewer) openOne(ask openAsk) (task, error) {
	s, l := v.viewers.server, &v.holds
	ctx, cancel := context.WithCancel(v.tasks.life)
	h, fresh, err := l.add(ask.Session, cancel, s.isOpen)
	if err != nil || !fresh {
		cancel()
	}
	if err != nil {
		return nil, err
	}
	if !fresh {
		return func(ctx context.Context, tell answer) { tell(s.awaitHeld(ctx, h)) }, nil
	}
	return func(_ context.Context, tell answer) {
		defer cancel()
		sum, release, err := s.hold(ctx, ask.Session, v.who.Name)
		if err != nil && ctx.Err() != nil {
			err = errClosed
		}
		if err == nil {
			s.openings.used(sum.ID, v.who.Name)
		}
		err = l.opened(ask.Session, h, sum.ID, release, err)
		tell(openReply{sum.ID, sum}, err)
	}, nil
}

// isOpen reports whether a session is live here, and will go on while somebody looks at it.
func (s *server) isOpen(id session.ID) bool {
	release, err := s.Hub.Keep(id)
	if err == nil {
		release()
	}
	return err == nil
}

// awaitHeld answers who opened a session again.
func (s *server) awaitHeld(ctx context.Context, h *held) (any, error) {
	select {
	case <-h.done:
	case <-ctx.Done():
		return nil, errClosed
	}
	if h.err != nil {
		return nil, h.err
	}
	sum, err := s.Hub.Find(ctx, string(h.id))
	return openReply{h.id, sum}, err
}

// add finds what is open by that name, or is being opened, or makes it: then it is fresh.
func (l *holds) add(text string, cancel context.CancelFunc, isOpen func(session.ID) bool) (h *held, fresh bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.m[text]; h != nil && (!h.isDone() || isOpen(h.id)) {
		return h, false, nil
	}
	if len(l.m) >= maxHolds || l.m[text] != nil {
		for name, h := range l.m {
			if h.isDone() && !isOpen(h.id) {
				delete(l.m, name)
				h.release()
			}
		}
	}
	if len(l.m) >= maxHolds {
		return nil, false, streamsError("64 sessions are open already: close some")
	}
	if l.m == nil {
		l.m = map[string]*held{}
	}
	h = &held{cancel: cancel, done: make(chan struct{})}
	l.m[text] = h
	return h, true, nil
}

// opened takes how the opening went.
func (l *holds) opened(text string, h *held, id session.ID, release func(), err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.m[text] != h {
		release()
		err = errClosed
	} else if err != nil && l.m[text] == h {
		delete(l.m, text)
	}
	h.id, h.release, h.err = id, release, err
	close(h.done)
	return err
}

// closeOne closes what is open by that name, or with that id. What is not open is closed already.
func (v *viewer) closeOne(_ context.Context, ask openAsk) (any, error) {
	l := &v.holds
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, h := range l.m {
		if name == ask.Session || h.isDone() && string(h.id) == ask.Session {
			delete(l.m, name)
			h.cancel()
			if h.isDone() {
				h.release()
			}
		}
	}
	return struct{}{}, nil
}

// close closes all of them, none of which is being opened any more.
func (l *holds) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.m {
		h.release()
	}
	l.m = nil
}

// kickOne ends a session: of a reference, or of an id.
func (v *viewer) kickOne(ask struct {
	Session string     `json:"session"`
	ID      session.ID `json:"id"`
	Reason  string     `json:"reason"`
}) (task, error) {
	if !v.who.Role.Includes(auth.Operator) {
		return nil, fmt.Errorf("%w: the token %q has the role %s; kicking needs %s", errForbidden, v.who.Name, v.who.Role, auth.Operator)
	}
	s, by := v.viewers.server, v.who.Name
	if ask.Session != "" && ask.ID != "" {
		return nil, bad("session and id both say what to kick: give one of them")
	}
	text := cmp.Or(ask.Session, string(ask.ID))
	return func(ctx context.Context, tell answer) {
		if isRef(text) {
			kicked, err := s.kickRef(ctx, text, by, ask.Reason)
			tell(kicked, err)
			return
		}
		sum, err := s.Hub.Find(ctx, text)
		var kicked sessionKicked
		if err == nil {
			kicked, err = s.kickSession(ctx, &sum, by, ask.Reason)
		}
		tell(kicked, err)
	}, nil
}
