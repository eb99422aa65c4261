package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/switchboard-relay/switchboard/session"
)

// ErrCannotType says that what was to be typed into a session cannot be: errors wrap it, and say why.
var ErrCannotType = errors.New("it cannot be typed")

// TypeLimit is how many bytes that were typed along may wait until the program, or the upstream, takes them.
const TypeLimit = 64 << 10

// keyboard takes what is typed along in a session.
type keyboard struct {
	into func(p []byte) error // fixed

	mu      sync.Mutex
	waiting []typed
	size    int   // bytes that wait, and those under way
	busy    bool  // somebody types
	lost    error // why nothing is typed any more
}

// typed is what somebody typed.
type typed struct {
	by   string
	data []byte
}

// TakesTyping says that others may type along, and how what they type gets to where what is received goes. One goroutine at
// a time calls into, which may wait until the session ends. An error says that nothing can be typed any more.
func (s *Session) TakesTyping(into func(p []byte) error) {
	x := s.more()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.keyboard = &keyboard{into: into}
}

// keyboard is the session's, or why it has none.
func (s *Session) keyboard() (*keyboard, error) {
	if x := s.extra.Load(); x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.keyboard != nil {
			return x.keyboard, nil
		}
	}
	if c, says := s.conn.(Speechless); says {
		return nil, fmt.Errorf("%w: %s", ErrCannotType, c.TakesNothing())
	}
	return nil, fmt.Errorf("%w: there is nothing in this session that takes it now", ErrCannotType)
}

// Type types into the program, or the upstream, of a live session on any node, as if the far end had: as somebody's deed, on
// record as Typed. It does not wait until the program takes it. Who has not joined is announced for a while. The error is
// ErrNotLive if the session is not live, and wraps ErrCannotType if it takes no typing now.
func (h *Hub) Type(ctx context.Context, id session.ID, by string, data []byte) error {
	if id.Node() != h.node {
		_, err := h.ask(ctx, "type", command{ID: id, By: by, Data: data})
		return err
	}
	s := h.live.get(id)
	if s == nil || s.over.Load() != nil {
		return ErrNotLive
	}
	k, err := s.keyboard()
	if err != nil {
		return err
	}
	if err := k.check(len(data)); err != nil {
		return err
	}
	s.typesBy(by)
	return s.typeIn(k, by, data)
}

func (k *keyboard) check(more int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.full(more)
}

// full tells why no more can be typed; k.mu is held.
func (k *keyboard) full(more int) error {
	switch {
	case k.lost != nil:
		return fmt.Errorf("%w: nothing takes it any more: %w", ErrCannotType, k.lost)
	case k.size+more > TypeLimit:
		return fmt.Errorf("%w: at most %d bytes wait until they are taken, and %d do: type less, or later", ErrCannotType, TypeLimit, k.size)
	}
	return nil
}

// typeIn has data typed behind what waits.
func (s *Session) typeIn(k *keyboard, by string, data []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.full(len(data)); err != nil {
		return err
	}
	if n := len(k.waiting); n > 0 && k.waiting[n-1].by == by {
		k.waiting[n-1].data = append(k.waiting[n-1].data, data...)
	} else {
		k.waiting = append(k.waiting, typed{by, slices.Clone(data)})
	}
	k.size += len(data)
	if !k.busy {
		k.busy = true
		go s.typeWaiting(k) // ends with what waits, at the latest when the session does
	}
	return nil
}

func (s *Session) typeWaiting(k *keyboard) {
	for {
		k.mu.Lock()
		if len(k.waiting) == 0 || k.lost != nil {
			k.busy, k.waiting = false, nil
			k.mu.Unlock()
			return
		}
		next := k.waiting[0]
		k.waiting = k.waiting[1:]
		k.mu.Unlock()
		err := s.typeOne(k, next)
		k.mu.Lock()
		k.size -= len(next.data)
		if err != nil {
			k.lost = err
		}
		k.mu.Unlock()
	}
}

// typeOne puts on record what is typed, before anything can answer it.
func (s *Session) typeOne(k *keyboard, t typed) error {
	if e := s.over.Load(); e != nil {
		return e
	}
	number, err := s.log.Append(session.Typed, session.AppendTyped(nil, t.by, t.data))
	if err == nil {
		err = s.awaitStrict(number)
	}
	if err == nil {
		err = k.into(t.data)
	}
	if err != nil {
		return s.ended(err)
	}
	return nil
}
