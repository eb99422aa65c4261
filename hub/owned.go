package hub

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// What is here is for owners of sessions, who move the bytes themselves: see Listener.Admit.

// RecordReceivedEnd records that the far end sends no more.
func (s *Session) RecordReceivedEnd() {
	if !s.hung.Swap(true) {
		s.log.Append(session.ReceivedEnd, nil)
	}
}

// RecordResized records that the far end's terminal has another size.
func (s *Session) RecordResized(cols, rows int) {
	s.log.Append(session.Resized, fmt.Appendf(nil, "%dx%d", cols, rows))
}

// EndWhenQuiet ends the session as "idle" once nothing has passed for as long as its listener allows.
func (s *Session) EndWhenQuiet() {
	limit := s.conf.Idle
	if limit <= 0 {
		return
	}
	x := s.more()
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.over.Load() == nil {
		x.quiet = time.AfterFunc(limit, s.endIfQuiet)
	}
}

func (s *Session) endIfQuiet() {
	left := s.conf.Idle - s.quietFor()
	if left <= 0 {
		s.End(session.Idle, "")
		return
	}
	x := s.more()
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.over.Load() == nil {
		x.quiet.Reset(left)
	}
}
