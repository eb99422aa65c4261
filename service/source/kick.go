package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// kickGrace is how long after the answer to a kick the connection of who views the session may go on.
const kickGrace = 5 * time.Second

// blameLimit is how long after a kick that was not answered its session's end is still taken for its doing.
const blameLimit = 10 * time.Second

// kick is one that is under way, or was.
type kick struct {
	ref        threeend.Ref
	by, reason string
	done       chan struct{}

	// fixed when done is closed
	at     time.Time
	answer threeend.Answer
	err    error
}

// Kick has a source end a session, whether anybody views it or not, and returns what the source said: code 5 says that there was
// no such session any more. Who asks while the same is being asked shares the answer; the end of ctx does not take a kick
// back. Errors are those of Open; an *OverError says that there was no answer, and whoever views the session goes on.
func (x *Sources) Kick(ctx context.Context, ref threeend.Ref, by, reason string) (threeend.Answer, error) {
	src, ref, err := x.find(ref)
	if err != nil {
		return threeend.Answer{}, err
	}
	return src.ask(ctx, ref, by, reason)
}

// ask has the source kick a session of its own, once for all who ask meanwhile.
func (src *source) ask(ctx context.Context, ref threeend.Ref, by, reason string) (threeend.Answer, error) {
	k, err := src.beginKick(ref, by, reason)
	if err != nil {
		return threeend.Answer{}, err
	}
	select {
	case <-k.done:
		return k.answer, k.err
	case <-ctx.Done():
		return threeend.Answer{}, context.Cause(ctx)
	}
}

func (src *source) beginKick(ref threeend.Ref, by, reason string) (*kick, error) {
	src.mu.Lock()
	defer src.mu.Unlock()
	name := ref.Name()
	if k := src.kicks[name]; k != nil {
		src.logger.Info("a source is asked to kick a session, as it is already", "name", name, "by", by, "reason", reason)
		return k, nil
	}
	v, a := src.views[name], src.addresses[ref.Kind]
	if v != nil {
		a = v.address // where the session is
	}
	switch {
	case src.closed || a == nil:
		return nil, fmt.Errorf("%w: the source was taken out of the configuration just now", threeend.ErrNoSource)
	case len(src.kicks) >= src.conf.MaxSessions:
		return nil, fmt.Errorf("%w: %d kicks wait for %s already", threeend.ErrBusy, len(src.kicks), src.name)
	}
	k := &kick{ref: ref, by: by, reason: reason, done: make(chan struct{})}
	src.kicks[name] = k
	src.kicked++
	src.logger.Info("a source is asked to kick a session", "name", name, "by", by, "reason", reason)
	limit, turns := src.conf.AnswerTimeout, src.asks
	src.work.Go(func() { src.kick(k, a, limit, turns) })
	return k, nil
}

// kick asks, waits for the answer and tells it.
func (src *source) kick(k *kick, a *address, limit time.Duration, turns turns) {
	ctx, cancel := context.WithTimeoutCause(src.life, limit, errLate)
	defer cancel()
	var r kickReader
	err := turns.take(ctx)
	if err == nil {
		err = r.ask(ctx, a, k.ref.ID)
		turns.give()
	} else if errors.Is(err, errLate) {
		err = fmt.Errorf("%w: %d kicks are under way at %s already: try again", threeend.ErrBusy, cap(turns), src.name)
	}
	if r.said != 0 {
		k.answer = r.said.Answer()
		src.logger.Info("a source answered a kick", "name", k.ref.Name(), "by", k.by, "code", k.answer.Code)
	} else {
		k.err = src.unanswered(k, a, err, &r, limit)
		src.logger.Warn("a source did not answer a kick", "name", k.ref.Name(), "by", k.by, "error", k.err)
	}
	src.endKick(k, r.asked)
	close(k.done)
}

func (src *source) unanswered(k *kick, a *address, err error, r *kickReader, limit time.Duration) error {
	if errors.Is(err, threeend.ErrBusy) {
		return err
	}
	_, failure := overError(k.ref, err, &r.parser, limit)
	src.mu.Lock()
	defer src.mu.Unlock()
	a.complain(failure)
	return failure
}

// endKick makes place for another kick of the session. Who views it is told by the source itself, or in a while by us.
func (src *source) endKick(k *kick, asked bool) {
	src.mu.Lock()
	defer src.mu.Unlock()
	name := k.ref.Name()
	delete(src.kicks, name)
	v := src.views[name]
	if v == nil || v.state == dialing {
		return
	}
	k.at = time.Now()
	kicked := threeend.Kicked.Answer()
	if asked && (k.err != nil || k.answer == kicked) {
		v.kick = k
	}
	if k.err == nil {
		time.AfterFunc(src.grace, func() { v.endAs(k) })
	}
}

// endAs ends a session that its source says is over, and on whose own connection it did not say so.
func (v *view) endAs(k *kick) {
	<-v.ready
	if v.session == nil {
		return
	}
	end := &session.End{Cause: session.Done, Code: k.answer.Code, Detail: "the source says of a kick that there is no such session any more (code 5)"}
	if k.answer == threeend.Kicked.Answer() {
		end = &session.End{Cause: session.Kicked, By: k.by, Reason: k.reason, Code: k.answer.Code,
			Detail: "the source says so of the kick, and went on showing the session (code 3)"}
	}
	v.session.EndWith(end)
}

// deed is the kick that went through us and ended the session, nil if there is none.
func (v *view) deed() *kick {
	v.source.mu.Lock()
	defer v.source.mu.Unlock()
	if k := v.source.kicks[v.ref.Name()]; k != nil {
		return k
	}
	if v.kick != nil && time.Since(v.kick.at) < blameLimit {
		return v.kick
	}
	return nil
}

// kickReader waits for the answer to a kick, whatever else comes.
type kickReader struct {
	reader
	asked bool // it may have reached the source
}

func (r *kickReader) ask(ctx context.Context, a *address, id string) error {
	conn, release, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer release()
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	r.asked = true
	if _, err := conn.Write(threeend.AppendRequest(nil, true, id)); err != nil {
		return err
	}
	for r.said == 0 {
		if err := r.receive(conn, r); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
	}
	return nil
}

// Data implements threeend.Handler.
func (r *kickReader) Data(threeend.Type, []byte) error { return nil }

// View implements threeend.Handler.
func (r *kickReader) View(int, int) error { return nil }

// Control implements threeend.Handler.
func (r *kickReader) Control(c threeend.Code) error {
	r.said = c
	return nil
}
