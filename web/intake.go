package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// intake is a stream that comes in, over one connection at a time, as a session.
type intake struct {
	server *server
	id     session.ID // in its address; its first session has it
	pass   string
	by     string // whose token it is
	user   string // as which the program was started there
	title  string
	shell  string

	mu    sync.Mutex
	ws    *transport.WebSocket // nil: it is away
	from  string               // its host
	live  *hub.Session         // nil: not yet
	conn  *intakeConn          // of live
	size  session.Size
	last  uint64 // number of the newest event, as ALiS counts them
	exit  *int
	timer *time.Timer // until it is not waited for any more
	gone  bool        // it is forgotten
}

// Why a connection ends besides its own errors.
var (
	errTakenOver  = errors.New("another connection has taken the stream over")
	errStreamOver = errors.New("the session has ended")
)

// halt says goodbye with a code.
type halt struct {
	code   uint16
	reason string
}

func (h *halt) Error() string { return h.reason }

func wrong(format string, args ...any) error { return &halt{streamWrong, fmt.Sprintf(format, args...)} }

// expectSoon has the stream forgotten if it does not begin.
func (in *intake) expectSoon() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.timer = time.AfterFunc(streamWait, func() { in.giveUp(session.End{}) })
}

// attach makes a connection the stream's, unless the stream has just been forgotten. The connection before, which may not know yet
// that it is broken, ends.
func (in *intake) attach(ws *transport.WebSocket, from string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.gone {
		return false
	}
	if in.ws != nil {
		in.ws.CloseWith(streamTakenOver, "another connection has taken the stream over")
	}
	if in.timer != nil {
		in.timer.Stop()
	}
	in.ws, in.from = ws, from
	if in.conn != nil {
		in.conn.ws.Store(ws)
	}
	return true
}

// receive records what comes until the connection, the stream or the session ends.
func (in *intake) receive(ws *transport.WebSocket, protocol string) error {
	var feed feed
	switch protocol {
	case export.AlisProtocol:
		feed = &alisFeed{in: in}
	case "raw":
		feed = &rawFeed{in: in}
	default:
		feed = &castFeed{in: in}
	}
	for {
		if protocol == export.AlisProtocol {
			ws.SetReadDeadline(time.Now().Add(streamSilence))
		}
		err := ws.ReceiveMessages(func(_ bool, p []byte) error {
			in.mu.Lock()
			defer in.mu.Unlock()
			switch {
			case in.ws != ws:
				return errTakenOver
			case in.live != nil && in.live.Ended() != nil:
				return errStreamOver
			}
			return feed.take(p)
		})
		if err != nil {
			return err
		}
	}
}

// detach is called when a connection has ended. If nobody said that this was the end, the stream may come back.
func (in *intake) detach(ws *transport.WebSocket, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ws != ws {
		return
	}
	in.ws = nil
	var goodbye *halt
	switch {
	case in.live != nil && in.live.Ended() != nil:
		ws.CloseWith(alisNoEntry, "The session has ended")
	case errors.As(err, &goodbye):
		ws.CloseWith(goodbye.code, goodbye.reason)
		if goodbye.code == streamWrong {
			in.end(session.End{Cause: session.Failed, Detail: goodbye.reason})
		}
	case errors.Is(err, io.EOF) && ws.SaidGoodbye():
		in.end(session.End{Cause: session.Done})
	default:
		ws.Close()
		in.timer = time.AfterFunc(streamAway, func() {
			in.giveUp(session.End{Cause: session.Reset, Detail: "the stream broke off, and did not come back"})
		})
		return
	}
	in.forget()
}

// forget lets go of the stream; in.mu is held.
func (in *intake) forget() {
	in.gone = true
	in.server.intakes.forget(in)
}

// giveUp ends a stream that has not come, or not come back.
func (in *intake) giveUp(end session.End) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ws == nil {
		in.end(end)
		in.forget()
	}
}

// dismiss ends a stream whose token is gone.
func (in *intake) dismiss() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.end(session.End{Cause: session.Refused, Detail: "the token " + in.by + " was taken away"})
	if in.ws != nil {
		in.ws.CloseWith(alisNoEntry, "The token was taken away")
	}
}

// end ends the session, if there is one.
func (in *intake) end(end session.End) {
	if in.live == nil {
		return
	}
	if end.Exit = in.exit; end.Exit != nil {
		end.Cause, end.Detail = session.Done, ""
	}
	in.live.EndWith(&end)
}

// begin makes the stream a session, unless it is one still: then it reports that it goes on.
func (in *intake) begin(size session.Size) (goesOn bool, err error) {
	if in.live != nil {
		return true, nil
	}
	l, err := in.server.intakes.listener.get(in.server.Hub, StreamListener, streamsPath)
	if err != nil {
		return false, &halt{transport.CloseServerError, "streams cannot be recorded now"}
	}
	about := hub.About{ID: in.id, Name: in.title, Terminal: size.String()}
	_, err = in.server.Hub.Find(context.Background(), string(in.id))
	follows := err == nil
	if follows { // it was away for too long, or the server was stopped
		about.ID = ""
	}
	conn := &intakeConn{remote: in.from}
	if in.user != "" {
		conn.remote = in.user + "@" + in.from
	}
	conn.ws.Store(in.ws)
	live, err := l.AdmitAs(conn, about)
	if err != nil {
		return false, &halt{transport.CloseServerError, hub.RefusalText(err)}
	}
	live.OnEnd(func() { go live.Finish() }) // nothing is recorded behind the end
	in.live, in.conn, in.size = live, conn, size
	note := in.by + " streams"
	if in.shell != "" {
		note += " " + in.shell
	}
	live.Note(note + ", from " + in.from)
	if follows {
		live.Note("goes on from " + string(in.id))
		live.RecordGap(session.Missing{Reason: "the connection was lost"})
	}
	in.server.Logger.Info("a stream is recorded", "session", live.ID(), "by", in.by, "from", in.from)
	return false, nil
}

// resize records a size, if it is another.
func (in *intake) resize(size session.Size) {
	if size != in.size {
		in.live.Resize(size.Cols, size.Rows)
		in.size = size
	}
}

// missed records that something is missing here.
func (in *intake) missed(events uint64) {
	in.live.RecordGap(session.Missing{Events: events, Reason: "the connection was lost"})
}

// record records what happened.
func (in *intake) record(k session.Kind, data []byte) error {
	switch k {
	case session.Sent:
		return in.live.RecordSent(data)
	case session.Received:
		return in.live.RecordReceived(data)
	case session.Noted:
		in.live.Note(string(data[:min(len(data), session.MaxNoteText)]))
	case session.Resized:
		if size, ok := session.ParseSize(string(data)); ok {
			in.resize(size)
		}
	}
	return nil
}

// intakeConn is a stream as its session's connection. Nothing can be said to it.
type intakeConn struct {
	remote string
	ws     atomic.Pointer[transport.WebSocket] // the newest
}

// Describe tells where the stream comes from.
func (c *intakeConn) Describe(info *session.Info) { info.Remote = c.remote }

// Speak says that it cannot be.
func (c *intakeConn) Speak([]byte) error {
	return fmt.Errorf("%w: asciinema's program takes nothing", hub.ErrCannotSend)
}

// CloseWith has asciinema's program give up where the session was ended by somebody, and come back where the server stops.
func (c *intakeConn) CloseWith(code uint16, reason string) error {
	if code == transport.ClosePolicy {
		code = alisNoEntry
	}
	return c.ws.Load().CloseWith(code, reason)
}
