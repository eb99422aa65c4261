package sourceserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

const (
	maxTail = 64 << 10 // bytes of what passed before, of a session that has no screen

	firstLook = 20 * time.Millisecond // at who has closed its side
	laterLook = time.Second
)

// watch shows a session until it ends, or the far end has gone.
func (v *visit) watch(ctx context.Context, target *hub.Session) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var leaving sync.WaitGroup
	leaving.Go(func() { cancel(v.awaitLeaving(ctx)) })
	err := v.show(ctx, target)
	cause := context.Cause(ctx)
	cancel(nil)
	leaving.Wait() // nothing comes behind the answer
	if cause != nil {
		return cause
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	end := target.Ended()
	return v.answer(codeOf(end), session.End{Cause: session.Done, Detail: fmt.Sprintf("%s ended: %v", target.ID(), end)})
}

// codeOf is how the end of a session is told.
func codeOf(end *session.End) threeend.Code {
	if end != nil && end.Cause == session.Kicked {
		return threeend.Kicked
	}
	return threeend.Over
}

// awaitLeaving waits until the far end has gone, and tells how. Who has closed its side may have done no more than that, and still
// read; so frames without payload are sent, until they come back as a reset.
func (v *visit) awaitLeaving(ctx context.Context) error {
	select {
	case <-v.gone:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := v.why
	if !errors.Is(err, io.EOF) {
		return err
	}
	for wait := firstLook; errors.Is(err, io.EOF); wait = laterLook {
		if v.write(threeend.AppendHeader(nil, threeend.Display, 0)) != nil {
			break
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		_, err = v.session.Next()
	}
	return &session.End{Cause: session.HungUp}
}

// show returns io.EOF when all of a session was shown.
func (v *visit) show(ctx context.Context, target *hub.Session) error {
	sum := target.Summary()
	if sum.Terminal == "" {
		return v.follow(ctx, target)
	}
	info := v.session.Info()
	leave, err := v.svc.Hub.JoinIn(ctx, sum.ID, fmt.Sprintf("%s from %s", info.Listener, info.Remote), false)
	if errors.Is(err, hub.ErrNotLive) {
		return io.EOF
	}
	if err != nil {
		return v.refuse(err.Error())
	}
	defer leave()
	look := hub.Look{Hub: v.svc.Hub, Session: sum, To: &packer{visit: v}}
	return look.Run(ctx)
}

// follow shows a session that has no screen: what passed last, and what comes. Who reads slowly gets it later, from the recording.
func (v *visit) follow(ctx context.Context, target *hub.Session) error {
	from, err := v.svc.Hub.Tail(ctx, target.ID(), maxTail)
	if errors.Is(err, hub.ErrNotLive) {
		return io.EOF
	}
	if err != nil {
		return err
	}
	events, err := v.svc.Hub.Events(ctx, target.ID(), from)
	if err != nil {
		return err
	}
	events.Bare()
	defer events.Close()
	p := &packer{visit: v}
	for {
		batch, err := events.Next(ctx)
		for i := range batch {
			p.Event(batch[i])
		}
		if pushed := p.Push(); pushed != nil {
			return pushed
		}
		if err != nil {
			return err
		}
	}
}
