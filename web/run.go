package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

var runRoutes = []route{{"GET " + RunPath, auth.Operator, (*server).run}}

// RunPath is where programs that run elsewhere, in a terminal, are made sessions: over WebSocket. What is said first, and
// whatever the server says but RunInput, is text, JSON; all else is binary, its kind before the data.
const RunPath = "/api/v1/run"

// RunListener is the name of the listener whose sessions these are. It is made when it is needed.
const RunListener = "run"

// Kinds of binary messages.
const (
	RunOutput = 'o' // shown by the program
	RunInput  = 'i' // typed; from the server: to be typed
	RunSize   = 's' // of the terminal: COLSxROWS
	RunExit   = 'x' // how the program ended, for people; the last message
)

// RunHello is what the program's side says first.
type RunHello struct {
	Name    string     `json:"name"`    // of the session
	Command string     `json:"command"` // the command line, for people
	User    string     `json:"user"`
	Host    string     `json:"host"`
	Size    string     `json:"size"`              // of the terminal: COLSxROWS
	Follows session.ID `json:"follows,omitempty"` // the program's session before, if the connection was lost
	Events  uint64     `json:"events,omitempty"`  // that were missed since, as far as that is known
	Bytes   uint64     `json:"bytes,omitempty"`   // of those events
}

// RunNews is what the server says.
type RunNews struct {
	Session session.ID   `json:"session,omitempty"` // has begun
	End     *session.End `json:"end,omitempty"`     // of the session: nothing more is recorded
	// Announce is who types along now, for the person at the terminal; empty: nobody any more.
	Announce *string `json:"announce,omitempty"`
}

const (
	runMax        = 1000 // at once
	runHelloLimit = 10 * time.Second
	runKillLimit  = 10 * time.Second // for a program that was kicked, until it is believed to stay
	runText       = 4 << 10          // bytes of what a hello says
	maxSide       = 1000             // columns and rows of a terminal
)

// runListener is made with the first program.
type runListener struct {
	mu sync.Mutex
	l  *hub.Listener
}

func (r *runListener) get(h *hub.Hub, name, address string) (*hub.Listener, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.l != nil {
		return r.l, nil
	}
	l, err := h.Listener(hub.ListenerConfig{Name: name, Address: address, Transport: "pty", Service: name,
		Record: session.RecordOn, OnFailure: session.OnFailureContinue, Max: runMax}, nil)
	if err == nil {
		r.l = l
	}
	return l, err
}

// run makes a program's terminal a session, until one of the two ends.
func (s *server) run(w http.ResponseWriter, r *http.Request) error {
	l, err := s.running.get(s.Hub, RunListener, RunPath)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return bad("this is for WebSocket: \"switchboard run\" speaks it")
	}
	ws, err := transport.UpgradeWebSocket(w, r, transport.WebSocketOptions{RemoteAddr: transport.NamedAddr(r.RemoteAddr)})
	if err != nil {
		return nil // it was answered
	}
	c := &runConn{WebSocket: ws}
	if err := c.greet(); err != nil {
		ws.CloseWith(transport.ClosePolicy, closeReason(err.Error()))
		return nil
	}
	live, err := l.Admit(c)
	if err != nil {
		ws.CloseWith(transport.ClosePolicy, hub.RefusalText(err))
		return nil
	}
	defer live.Finish()
	c.live.Store(live)
	defer context.AfterFunc(r.Context(), func() { live.End(session.Refused, "the token of who records it was taken away") })()
	c.begin(who(r).Name, r.RemoteAddr)
	s.Logger.Info("a program is recorded", "session", live.ID(), "by", who(r).Name, "from", r.RemoteAddr)
	c.serve()
	return nil
}

// closeReason is what fits into a close frame (RFC 6455, section 5.5).
func closeReason(text string) string { return strings.ToValidUTF8(text[:min(len(text), 120)], "") }

// runConn is the program's side of a session, as the session's connection.
type runConn struct {
	*transport.WebSocket
	hello RunHello // fixed after greet
	cols  int
	rows  int
	live  atomic.Pointer[hub.Session] // set once there is one
}

// greet waits for the hello.
func (c *runConn) greet() error {
	c.SetReadDeadline(time.Now().Add(runHelloLimit))
	defer c.SetReadDeadline(time.Time{})
	var wrong error
	err := c.Receive(hearFunc(func(p []byte) { wrong = json.Unmarshal(p, &c.hello) }))
	if err = errors.Join(err, wrong); err != nil {
		return fmt.Errorf("the hello is missing or wrong: %w", err)
	}
	h := &c.hello
	for _, text := range []string{h.Name, h.Command, h.User, h.Host, string(h.Follows)} {
		if len(text) > runText || !utf8.ValidString(text) {
			return errors.New("a text of the hello is longer than 4096 bytes, or no UTF-8")
		}
	}
	var sane bool
	if c.cols, c.rows, sane = parseSize(h.Size); !sane {
		return fmt.Errorf("%q is no size of a terminal", h.Size)
	}
	return nil
}

// hearFunc is a Sink of one message.
type hearFunc func(p []byte)

func (f hearFunc) Put(p []byte) error                     { f(p); return nil }
func (f hearFunc) Take(func(p []byte) (int, error)) error { return errors.ErrUnsupported }

func parseSize(text string) (cols, rows int, sane bool) {
	fmt.Sscanf(text, "%dx%d", &cols, &rows)
	return cols, rows, fmt.Sprintf("%dx%d", cols, rows) == text && min(cols, rows) >= 1 && max(cols, rows) <= maxSide
}

// begin puts on record what is known of the program, and who recorded it.
func (c *runConn) begin(by, from string) {
	live, h := c.live.Load(), &c.hello
	live.TakesTyping(c.typeIn)
	if h.Name != "" {
		live.SetName(h.Name)
	}
	live.Note(fmt.Sprintf("%s runs %s, from %s", by, h.Command, from))
	if h.Follows != "" {
		live.Note("goes on from " + string(h.Follows))
		live.RecordGap(session.Missing{Events: h.Events, Bytes: h.Bytes, Reason: "the connection was lost"})
	}
	c.tell(RunNews{Session: live.ID()})
}

func (c *runConn) tell(news RunNews) error {
	return c.Push(transport.AppendFrame(nil, transport.OpText, session.JSON(news)))
}

// serve records what comes until the program or the connection ends.
func (c *runConn) serve() {
	live := c.live.Load()
	for over := false; !over; {
		err := c.ReceiveMessages(func(binary bool, p []byte) error {
			if !binary || len(p) == 0 || over {
				return nil
			}
			over = p[0] == RunExit
			return c.record(live, p[0], p[1:])
		})
		if err != nil {
			live.EndWith(err)
			c.Close()
			return
		}
	}
	c.WebSocket.CloseWith(transport.CloseNormal, "") // all is on record, but perhaps not on disk yet
}

// record puts one message on record. A session that was kicked goes on being recorded until its program has ended.
func (c *runConn) record(live *hub.Session, kind byte, data []byte) error {
	switch kind {
	case RunOutput:
		return live.RecordSent(data)
	case RunInput:
		if err := live.RecordReceived(data); err != nil && live.Ended() == nil {
			return err
		}
	case RunSize:
		if cols, rows, sane := parseSize(string(data)); sane {
			live.Resize(cols, rows)
		}
	case RunExit:
		how := strings.ToValidUTF8(string(data[:min(len(data), runText)]), "")
		if live.Ended() != nil {
			live.Note("the program has ended: " + how)
		}
		live.EndWith(&session.End{Cause: session.Done, Detail: how, Exit: exitStatus(how)})
	}
	return nil
}

// exitStatus is that which a text tells of, nil if it tells none.
func exitStatus(how string) *int {
	digits, found := strings.CutPrefix(how, "exit status ")
	if n, err := strconv.Atoi(digits); found && err == nil {
		return &n
	}
	return nil
}

// Describe tells of the terminal at the session's beginning.
func (c *runConn) Describe(info *session.Info) {
	info.Terminal = fmt.Sprintf("%dx%d", c.cols, c.rows)
	info.Remote = c.hello.User + "@" + c.hello.Host
}

// Datagrams implements transport.Conn: what passes is a terminal's, not messages.
func (c *runConn) Datagrams() bool { return false }

// Unsent is nothing: what waits for the program's side was never said to be sent.
func (c *runConn) Unsent() int { return 0 }

// Speak types what an operator sends, which is on record as typed.
func (c *runConn) Speak(p []byte) error {
	live := c.live.Load()
	if live == nil {
		return fmt.Errorf("%w: the session only begins", hub.ErrCannotSend)
	}
	if err := live.RecordReceived(p); err != nil { // first, since the program may answer at once, or end
		return err
	}
	if err := c.typeIn(p); err != nil {
		live.EndWith(err)
		return fmt.Errorf("%w: %w", hub.ErrCannotSend, err)
	}
	return nil
}

func (c *runConn) typeIn(p []byte) error {
	return c.Push(transport.AppendFrame(nil, transport.OpBinary, append([]byte{RunInput}, p...)))
}

// Announce implements hub.Announced: the program's side tells its person.
func (c *runConn) Announce(text string) {
	c.tell(RunNews{Announce: &text}) // an error is the connection's end, which shows elsewhere
}

// CloseWith tells the program's side how the session ended, and ends the connection: where it is to end the program, once that
// has ended, or not in time.
func (c *runConn) CloseWith(code uint16, reason string) error {
	live := c.live.Load()
	if live == nil || live.Ended() == nil || live.Ended().Cause == session.Done {
		return c.WebSocket.CloseWith(code, reason)
	}
	err := c.tell(RunNews{End: live.Ended()})
	if err != nil || live.Ended().Cause != session.Kicked {
		return c.WebSocket.CloseWith(code, reason)
	}
	time.AfterFunc(runKillLimit, func() { c.WebSocket.CloseWith(code, reason) })
	return nil
}
