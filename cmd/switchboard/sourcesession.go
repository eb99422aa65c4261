package main

import (
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
	"github.com/switchboard-relay/switchboard/threeend"
)

// heldSession is a session that a source holds: a terminal, and those who view it. Who comes late is told its screen.
type heldSession struct {
	id   string
	kill func()        // what a kick does besides; nil: nothing
	over chan struct{} // closed when it has ended

	mu      sync.Mutex
	size    session.Size
	screen  *terminal.Terminal
	viewers map[*sourceViewer]struct{}
	code    threeend.Code // how it ended; 0 while it lives
}

func holdSession(id string) *heldSession {
	return &heldSession{id: id, over: make(chan struct{}), size: session.DefaultSize,
		screen: terminal.New(session.DefaultSize.Cols, session.DefaultSize.Rows), viewers: map[*sourceViewer]struct{}{}}
}

// framePiece is the most that a frame of ours holds, bytes: who reads it need not wait for much.
const framePiece = 64 << 10

func appendFrames(dst []byte, t threeend.Type, p []byte) []byte {
	for len(p) > 0 {
		n := min(len(p), framePiece)
		dst, p = threeend.AppendFrame(dst, t, p[:n]), p[n:]
	}
	return dst
}

// show has the terminal show what a program writes.
func (s *heldSession) show(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.screen.Write(p)
	for v := range s.viewers {
		v.put(threeend.Display, p)
	}
}

// typed tells the viewers what somebody types.
func (s *heldSession) typed(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.viewers {
		v.put(threeend.Input, p)
	}
}

// resize gives the terminal a size.
func (s *heldSession) resize(to session.Size) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to == s.size || !to.Valid() {
		return
	}
	s.size = to
	s.screen.Resize(to.Cols, to.Rows)
	for v := range s.viewers {
		v.put(threeend.View, []byte(to.String()))
	}
}

// end ends the session for all who view it. It reports false where it had ended before.
func (s *heldSession) end(code threeend.Code) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.code != 0 {
		return false
	}
	s.code = code
	close(s.over)
	for v := range s.viewers {
		v.wake()
	}
	return true
}

// kick ends the session, and what runs in it. It reports false where it had ended before.
func (s *heldSession) kick() bool {
	if !s.end(threeend.Kicked) {
		return false
	}
	if s.kill != nil {
		s.kill()
	}
	return true
}

// sourceViewer is a connection that views a session.
type sourceViewer struct {
	session *heldSession
	more    chan struct{} // holds one: there is something to take

	// guarded by the session's mu
	waiting []byte // frames
	spare   []byte
	behind  bool // what waited was too much: the screen is to be told anew
}

const (
	viewerBehind = 256 << 10        // bytes that may wait for a viewer
	viewerStuck  = 30 * time.Second // for one who takes nothing
)

// view adds a viewer, who is told the screen first. It reports false where the session has ended.
func (s *heldSession) view() (v *sourceViewer, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.code != 0 {
		return nil, false
	}
	v = &sourceViewer{session: s, more: make(chan struct{}, 1), behind: true}
	s.viewers[v] = struct{}{}
	v.wake()
	return v, true
}

func (s *heldSession) leave(v *sourceViewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.viewers, v)
}

func (v *sourceViewer) wake() {
	select {
	case v.more <- struct{}{}:
	default:
	}
}

func (v *sourceViewer) put(t threeend.Type, p []byte) {
	if v.behind {
		return
	}
	if v.waiting = appendFrames(v.waiting, t, p); len(v.waiting) > viewerBehind {
		v.waiting, v.behind = v.waiting[:0], true
	}
	v.wake()
}

// take is what is to be written next, good until the next call, and how the session ended if nothing follows.
func (v *sourceViewer) take() (frames []byte, code threeend.Code) {
	s := v.session
	s.mu.Lock()
	defer s.mu.Unlock()
	frames, v.waiting, v.spare = v.waiting, v.spare[:0], nil
	if v.behind {
		v.behind = false
		frames = threeend.AppendView(frames[:0], s.size.Cols, s.size.Rows)
		frames = appendFrames(frames, threeend.Display, s.screen.AppendSnapshot(nil))
	}
	v.spare = frames
	return frames, s.code
}
