package fleet

import (
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// One timer for each visit comes at the earliest of what silence may end: a message, the time to say a name, or the session. It is
// set late: what passes meanwhile does not move it, and it looks again when it comes.

// arm sets the timer, unless it comes early enough; v.work is held.
func (v *visit) arm() {
	next := v.reader.Due()
	if v.due == 0 {
		next = earlier(next, v.nextLook())
	}
	if next == 0 || v.due != 0 && v.due <= next || v.s.Ended() != nil {
		return
	}
	v.due = next
	wait := max(0, time.Until(time.UnixMicro(next)))
	if v.timer == nil {
		v.timer = time.AfterFunc(wait, func() { v.do(timeout) })
		return
	}
	v.timer.Reset(wait)
}

// earlier is the earlier of two times, of which 0 is never.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// nextLook is when silence will have been long enough to end the session, or the time to say a name is over; 0: never.
func (v *visit) nextLook() int64 {
	conf := &v.svc.conf
	next := int64(0)
	if conf.RegisterTimeout > 0 && v.called == "" && !v.registrationOver() {
		next = v.start + conf.RegisterTimeout.Microseconds()
	}
	if conf.IdleReceived > 0 {
		next = earlier(next, max(v.start, v.s.LastReceived())+conf.IdleReceived.Microseconds())
	}
	if conf.IdleSent > 0 {
		next = earlier(next, max(v.start, v.s.LastSent())+conf.IdleSent.Microseconds())
	}
	return next
}

// look does what is due, and returns why the session is to end, if it is; v.work is held.
func (v *visit) look() error {
	if v.s.Ended() != nil {
		return nil
	}
	conf := &v.svc.conf
	now := time.Now().UnixMicro()
	// What was received and not fed yet will say itself how long the silence before it was.
	if due := v.reader.Due(); due != 0 && due <= now && v.s.LastReceived() == v.fedAt {
		f := feedings.Get().(*feeding)
		defer f.done()
		f.visit = v
		if err := v.fed(f, v.reader.Expire(now, f.each)); err != nil {
			return err
		}
	}
	if conf.RegisterTimeout > 0 && v.called == "" && v.registrationOver() {
		if err := v.overdue(); err != nil {
			return err
		}
	}
	if limit := conf.IdleReceived; limit > 0 && now-max(v.start, v.s.LastReceived()) >= limit.Microseconds() {
		return &session.End{Cause: session.Idle, Detail: "nothing was received for " + limit.String()}
	}
	if limit := conf.IdleSent; limit > 0 && now-max(v.start, v.s.LastSent()) >= limit.Microseconds() {
		return &session.End{Cause: session.Idle, Detail: "nothing was sent for " + limit.String()}
	}
	v.arm()
	return nil
}
