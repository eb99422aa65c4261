package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// sourceEnd is the C end of the three: it holds sessions, and answers who asks for them over TCP.
type sourceEnd struct {
	ln  net.Listener
	log func(format string, args ...any) // of what is asked

	mu       sync.Mutex
	sessions map[string]*heldSession // by id; one that has ended stays until it begins anew

	room chan struct{} // a place for each connection
}

// What a connection to the source may cost.
const (
	sourceConnections = 1000
	requestLimit      = 5 * time.Second       // until the request is there
	requestQuiet      = 50 * time.Millisecond // behind a request, which has no end of its own
	requestMost       = 2 << 10               // bytes
	sourceGoodbye     = 2 * time.Second       // for those who view to be told how it ended
)

func newSourceEnd(ln net.Listener, log func(format string, args ...any)) *sourceEnd {
	return &sourceEnd{ln: ln, log: log, sessions: map[string]*heldSession{}, room: make(chan struct{}, sourceConnections)}
}

// hold has the source hold a session, which it has begun anew if it held one of the id. It begins with a size, if that is one.
func (e *sourceEnd) hold(id string, size session.Size) *heldSession {
	s := holdSession(id)
	s.resize(size)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sessions[id] = s
	return s
}

func (e *sourceEnd) find(id string) *heldSession {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sessions[id]
}

// names are the ids of all sessions: words before numbers.
func (e *sourceEnd) names() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	ids := slices.Sorted(maps.Keys(e.sessions))
	slices.SortStableFunc(ids, func(a, b string) int { return cmp.Compare(b[0]>>6, a[0]>>6) })
	return ids
}

// serve answers until the context ends. Then all sessions end, and those who view are told before it returns.
func (e *sourceEnd) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { e.ln.Close() })
	defer stop()
	var connections sync.WaitGroup
	for {
		conn, err := e.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil { // no descriptor is left: later there is one
			pause(ctx, nil, requestQuiet)
			continue
		}
		select {
		case e.room <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		connections.Go(func() {
			defer func() { <-e.room }()
			defer conn.Close()
			e.answer(conn)
		})
	}
	e.mu.Lock()
	for _, s := range e.sessions {
		s.end(threeend.Over)
	}
	e.mu.Unlock()
	told := make(chan struct{})
	go func() { // ends with the last connection
		connections.Wait()
		close(told)
	}()
	select {
	case <-told:
	case <-time.After(sourceGoodbye):
	}
	return nil
}

// answer does what a connection asks for.
func (e *sourceEnd) answer(conn net.Conn) {
	from := conn.RemoteAddr()
	request, err := e.request(conn)
	if err != nil {
		e.log("%s: %v", from, err)
		e.say(conn, threeend.Over)
		return
	}
	s := e.find(request.ID)
	switch {
	case s == nil:
		e.log("%s asks for %q: there is no such session (code 5)", from, request.ID)
		e.say(conn, threeend.Over)
	case request.Kick && s.kick():
		e.log("%s kicks %s (code 3)", from, request.ID)
		e.say(conn, threeend.Kicked)
	case request.Kick:
		e.log("%s kicks %s, which is over (code 5)", from, request.ID)
		e.say(conn, threeend.Over)
	default:
		e.show(conn, s)
	}
}

func (e *sourceEnd) say(conn net.Conn, code threeend.Code) {
	conn.SetWriteDeadline(time.Now().Add(requestLimit))
	conn.Write([]byte{byte(code)})
}

// request reads what a connection asks for: text with no terminator, so it ends where nothing follows.
func (e *sourceEnd) request(conn net.Conn) (request threeend.Request, err error) {
	limit := time.Now().Add(requestLimit)
	conn.SetReadDeadline(limit)
	buf, n := make([]byte, requestMost), 0
	for whole := false; ; {
		k, readErr := conn.Read(buf[n:])
		if k == 0 && whole {
			return request, nil
		}
		if k == 0 && readErr != nil {
			return request, fmt.Errorf("no request came within %v, but %.60q", requestLimit, buf[:n])
		}
		n += k
		var more bool
		request, more, err = threeend.ParseRequest(buf[:n])
		switch whole = err == nil && !more; {
		case err != nil:
			return request, err
		case whole && (request.Ended || e.isExact(request.ID)):
			return request, nil
		case whole:
			conn.SetReadDeadline(time.Now().Add(requestQuiet))
		}
	}
}

// isExact reports whether an id is a session's, and cannot become another's by what follows.
func (e *sourceEnd) isExact(id string) (exact bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for other := range e.sessions {
		if other != id && strings.HasPrefix(other, id) {
			return false
		}
		exact = exact || other == id
	}
	return exact
}

// show sends what a session shows, until it has ended or the viewer has gone.
func (e *sourceEnd) show(conn net.Conn, s *heldSession) {
	v, ok := s.view()
	if !ok {
		e.log("%s asks for %s, which is over (code 5)", conn.RemoteAddr(), s.id)
		e.say(conn, threeend.Over)
		return
	}
	defer s.leave(v)
	e.log("%s views %s", conn.RemoteAddr(), s.id)
	gone := make(chan struct{})
	go func() { // ends with the connection, which show's caller closes
		defer close(gone)
		conn.SetReadDeadline(time.Time{})
		for rest := make([]byte, 64); ; {
			if _, err := conn.Read(rest); err != nil {
				return
			}
		}
	}()
	for {
		select {
		case <-v.more:
		case <-gone:
			e.log("%s leaves %s", conn.RemoteAddr(), s.id)
			return
		}
		frames, code := v.take()
		conn.SetWriteDeadline(time.Now().Add(viewerStuck))
		if _, err := conn.Write(frames); err != nil {
			e.log("%s leaves %s: %v", conn.RemoteAddr(), s.id, err)
			return
		}
		if code != 0 {
			e.say(conn, code)
			return
		}
	}
}
