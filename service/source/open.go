package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
	"github.com/switchboard-relay/switchboard/transport"
)

// state is where a view is in its life.
type state uint8

const (
	dialing   state = iota // it may be abandoned
	admitting              // the source has answered
	open                   // there is a session
	over                   // there is none any more, or never was
)

// view is one session of a source, from the first who asks for it until it is over.
type view struct {
	source  *source
	address *address
	ref     threeend.Ref
	conf    Config // of the source when it was dialled

	ready chan struct{} // closed when there is a session, or err
	gone  chan struct{} // closed when the view is over, and its connection closed

	// guarded by source.mu
	state   state
	waiting int // those who asked, and have not been answered
	cancel  context.CancelFunc
	conn    transport.Conn
	hold    func()       // keeps the session until all who wait have it; nil: nobody waits
	session *hub.Session // set before ready is closed
	err     error
	kick    *kick // the newest, if it may have ended the session

	reader // owned by the goroutine that reads
}

// Open is the live session of a reference: the source is asked for it if it is not open. Who asks meanwhile shares that; the end
// of ctx takes only one of them away, the last with the connection. The caller counts as a viewer until release is called.
// A session that ends as soon as it begins may have ended when it is returned. Errors are ErrNoSource, ErrBusy,
// *AmbiguousError and *OverError of package threeend, ErrBadRef, or the context's.
func (x *Sources) Open(ctx context.Context, ref threeend.Ref, by string) (s *hub.Session, release func(), err error) {
	src, ref, err := x.find(ref)
	if err != nil {
		return nil, nil, err
	}
	for {
		v, first, err := src.enter(ref, by)
		if err != nil {
			return nil, nil, err
		}
		s, release, err := v.await(ctx, first)
		if !errors.Is(err, errGone) {
			return s, release, err
		}
	}
}

// errGone says that a view was over when somebody came to it.
var errGone = errors.New("the session is over")

// enter has the caller wait for a view; first says that it is not open yet.
func (src *source) enter(ref threeend.Ref, by string) (v *view, first bool, err error) {
	src.mu.Lock()
	defer src.mu.Unlock()
	a := src.addresses[ref.Kind]
	if src.closed || a == nil {
		return nil, false, fmt.Errorf("%w: the source was taken out of the configuration just now", threeend.ErrNoSource)
	}
	v = src.views[ref.Name()]
	if v == nil {
		if len(src.views) >= src.conf.MaxSessions {
			return nil, false, fmt.Errorf("%w: %d sessions of %s are open, which is max_sessions: close one, or raise it",
				threeend.ErrBusy, len(src.views), src.name)
		}
		v = src.begin(a, ref, by)
	}
	v.waiting++
	return v, v.state != open, nil
}

// begin dials; src.mu is held.
func (src *source) begin(a *address, ref threeend.Ref, by string) *view {
	v := &view{source: src, address: a, ref: ref, conf: src.conf, ready: make(chan struct{}), gone: make(chan struct{})}
	ctx, cancel := context.WithTimeoutCause(src.life, v.conf.AnswerTimeout, errLate)
	v.cancel = cancel
	src.views[ref.Name()] = v
	turns := src.dials
	src.work.Go(func() {
		defer cancel()
		v.ask(ctx, turns, by)
	})
	return v
}

// await waits for the view's session, and keeps it.
func (v *view) await(ctx context.Context, first bool) (*hub.Session, func(), error) {
	defer v.leave()
	select {
	case <-v.ready:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	if v.err != nil {
		return nil, nil, v.err
	}
	release, err := v.session.Keep()
	switch {
	case err == nil:
		return v.session, release, nil
	case first: // it was opened for this caller, who is to see what there was
		return v.session, func() {}, nil
	}
	select { // else the source would be asked again while its connection is still open
	case <-v.gone:
		return nil, nil, errGone
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}

// leave takes one away who asked.
func (v *view) leave() {
	src := v.source
	src.mu.Lock()
	v.waiting--
	var hold func()
	if v.waiting == 0 {
		hold, v.hold = v.hold, nil
		v.abandon()
	}
	src.mu.Unlock()
	if hold != nil {
		hold()
	}
}

// abandon gives up what is not open yet; source.mu is held.
func (v *view) abandon() {
	if v.state != dialing {
		return
	}
	v.state = over
	v.remove()
	v.cancel()
	if v.conn != nil {
		v.conn.Close()
	}
}

// remove makes place for another view of the session; source.mu is held.
func (v *view) remove() {
	if name := v.ref.Name(); v.source.views[name] == v {
		delete(v.source.views, name)
	}
}

// ask connects, asks for the session, and follows what the source says until the end.
func (v *view) ask(ctx context.Context, turns turns, by string) {
	err := turns.take(ctx)
	if err == nil {
		err = v.connect(ctx)
		if err == nil {
			err = v.greet()
		}
		turns.give()
	} else if errors.Is(err, errLate) {
		err = fmt.Errorf("%w: %d connections to %s are being made already: try again", threeend.ErrBusy, cap(turns), v.source.name)
	}
	if v.session == nil {
		v.fail(err, by)
		return
	}
	v.source.logger.Info("a source's session is open", "session", v.session.ID(), "name", v.ref.Name(), "by", by)
	v.follow(err)
}

// connect makes the connection and asks for the session.
func (v *view) connect(ctx context.Context) error {
	conn, release, err := v.address.connect(ctx)
	if err != nil {
		return err
	}
	v.socket = release
	src := v.source
	src.mu.Lock()
	abandoned := v.state != dialing
	v.conn = conn
	src.mu.Unlock()
	if abandoned {
		return context.Canceled
	}
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	_, err = conn.Write(threeend.AppendRequest(nil, false, v.ref.ID))
	return err
}

// fail tells all who wait why there is no session.
func (v *view) fail(err error, by string) {
	if v.conn != nil {
		v.conn.Close()
	}
	if v.socket != nil {
		v.socket()
	}
	src := v.source
	reason, failure := v.explain(err)
	src.mu.Lock()
	abandoned := v.state == over
	v.state = over
	v.remove()
	v.err = failure
	if !abandoned {
		src.failed++
		v.address.complain(failure)
	}
	src.mu.Unlock()
	if !abandoned { // before it is told, so that all is counted then
		src.listener.Missed(reason)
		src.logger.Info("a source's session could not be opened", "name", v.ref.Name(), "by", by, "error", failure)
	}
	close(v.ready)
	close(v.gone)
}

// admit makes a session of what the source has begun to say. terminal is its size, if that came first.
func (v *view) admit(terminal string) error {
	src := v.source
	src.mu.Lock()
	if v.state != dialing {
		src.mu.Unlock()
		return context.Canceled
	}
	v.state = admitting
	src.mu.Unlock()
	v.conn.SetDeadline(never)
	v.socket() // the session takes a place of its own
	v.socket = nil
	kick := func(ctx context.Context, by, reason string) (threeend.Answer, error) {
		return src.ask(ctx, v.ref, by, reason)
	}
	s, err := src.listener.AdmitAs(&connection{Conn: v.conn}, hub.About{Name: v.ref.Name(), Terminal: terminal, Kick: kick})
	if err != nil {
		return fmt.Errorf("%w: %s", threeend.ErrBusy, hub.RefusalText(err))
	}
	hold, _ := s.Keep() // an error says that it has ended, and there is nothing to keep
	s.OnUnwatched(v.conf.Linger, func() { s.End(session.Done, "nobody watches any more") })
	s.OnEnd(v.ended)
	src.mu.Lock()
	v.session = s
	if v.state == admitting {
		v.state = open
	}
	src.opened++
	if v.waiting > 0 {
		v.hold, hold = hold, nil
	}
	src.mu.Unlock()
	close(v.ready)
	if hold != nil {
		hold()
	}
	return nil
}

// ended is called when the session ends, its connection closed.
func (v *view) ended() {
	v.source.mu.Lock()
	v.state = over
	v.remove()
	v.source.mu.Unlock()
	close(v.gone)
}
