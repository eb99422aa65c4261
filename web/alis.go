package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

var alisRoutes = []route{
	{alisPattern, auth.Viewer, (*server).alis},
}

const alisPattern = "GET /api/v1/sessions/{id}/alis"

const (
	alisViewers = 1000      // at once
	alisBehind  = 256 << 10 // bytes that may wait for a viewer; one who has more is drawn the screen anew
	alisPing    = 30 * time.Second
	alisStuck   = time.Minute // for one who takes nothing
	alisLinger  = time.Second // before the end: the player drops what it has not shown by then
)

// Codes of the close frame. From 4000 to 4100 asciinema's player, and its CLI, do not come back.
const (
	alisOver    = 4000
	alisNoEntry = 4030
)

var errViewerGone = errors.New("the viewer has gone")

// alis sends what a session's terminal shows, as it comes, to asciinema's player.
func (s *server) alis(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	v := &alisViewer{server: s, sum: sum}
	if err := v.ask(r); err != nil {
		return err
	}
	if s.alisViewers.Add(1) > alisViewers {
		s.alisViewers.Add(-1)
		return fmt.Errorf("%w: there are %d viewers of this kind already", errUnavailable, alisViewers)
	}
	defer s.alisViewers.Add(-1)
	v.ws, err = transport.UpgradeWebSocket(w, r, transport.WebSocketOptions{MaxMessage: 1 << 10, WriteLimit: 16 << 20,
		Protocol: export.AlisProtocol, RemoteAddr: transport.NamedAddr(r.RemoteAddr)})
	if err != nil {
		return nil // it was answered
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer s.onClose(func() { cancel(context.Canceled) })()
	gone := make(chan struct{})
	go func() { // ends with the connection
		defer close(gone)
		v.hear()
		cancel(errViewerGone)
	}()
	go v.ping(ctx) // ends with the connection
	v.part(ctx, v.run(ctx))
	<-gone
	return nil
}

// alisViewer is one who looks at a session.
type alisViewer struct {
	server *server
	sum    session.Summary
	ws     *transport.WebSocket
	input  bool
	whole  bool // from the start, in its own time

	alis   *export.Alis
	frames []byte // not pushed yet
	began  time.Time
}

// ask reads what the viewer wants.
func (v *alisViewer) ask(r *http.Request) (err error) {
	q := r.URL.Query()
	for key := range q {
		if key != "from" && key != "input" && key != "pass" {
			return bad("no parameter is called %q: use from, input, pass", key)
		}
	}
	switch from := q.Get("from"); from {
	case "", "now":
	case "start":
		v.whole = true
	default:
		return bad("from %q: use now or start", from)
	}
	if text := q.Get("input"); text != "" {
		if v.input, err = strconv.ParseBool(text); err != nil {
			return bad("input %q: use true or false", text)
		}
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || !transport.OffersProtocol(r, export.AlisProtocol) {
		return bad("this is for asciinema's player: a WebSocket with the subprotocol %s", export.AlisProtocol)
	}
	return nil
}

// hear waits until the viewer has gone. What it says means nothing.
func (v *alisViewer) hear() {
	for {
		if v.ws.ReceiveMessages(func(bool, []byte) error { return nil }) != nil {
			return
		}
	}
}

// ping keeps proxies from taking a session in which nothing happens for a connection that is dead.
func (v *alisViewer) ping(ctx context.Context) {
	frame := transport.AppendFrame(nil, transport.OpPing, nil)
	for sleep(ctx, alisPing) == nil && v.ws.Push(frame) == nil {
	}
}

// part says goodbye, and why.
func (v *alisViewer) part(ctx context.Context, err error) {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errNoToken):
		v.ws.CloseWith(alisNoEntry, "You may not look at this any more")
	case errors.Is(err, io.EOF):
		v.ws.CloseWith(alisOver, "The session has ended")
	case errors.Is(cause, errViewerGone), errors.Is(err, hub.ErrStuck):
		v.ws.Close()
	case cause != nil:
		v.ws.CloseWith(transport.CloseGoingAway, "")
	default:
		v.server.Logger.Debug("a viewer's stream ended early", "session", v.sum.ID, "error", err)
		v.ws.CloseWith(transport.CloseServerError, "")
	}
}

// run sends until the session has ended, which is io.EOF, or something fails.
func (v *alisViewer) run(ctx context.Context) error {
	v.server.pace.enter()
	defer v.server.pace.leave()
	v.began = time.Now()
	v.alis = export.NewAlis(v.sum.Start, v.input, func(message []byte) error {
		v.frames = transport.AppendFrame(v.frames, transport.OpBinary, message)
		return nil
	})
	look := hub.Look{Hub: v.server.Hub, Session: v.sum, To: v, Behind: alisBehind, Stuck: alisStuck, Whole: v.whole, Due: v.await,
		Rest: v.server.pace.rest}
	if err := look.Run(ctx); !errors.Is(err, io.EOF) {
		return err
	}
	if err := sleep(ctx, alisLinger); err != nil {
		return err
	}
	v.alis.End()
	if err := v.Push(); err != nil {
		return err
	}
	return io.EOF
}

// Screen is for hub.Look, as the others are.
func (v *alisViewer) Screen(size session.Size, at int64, data []byte) { v.alis.Join(size, at, data) }

// Event adds what an event shows.
func (v *alisViewer) Event(e session.Event) { v.alis.Event(e) }

// Waiting is how many bytes the viewer has not taken.
func (v *alisViewer) Waiting() int { return v.ws.Waiting() }

// await waits until an event of a time is due, for a viewer who sees it all in its own time.
func (v *alisViewer) await(ctx context.Context, at int64) error {
	left := time.Until(v.began.Add(time.Duration(at-v.sum.Start) * time.Microsecond))
	if left <= 0 {
		return nil
	}
	if err := v.Push(); err != nil {
		return err
	}
	return sleep(ctx, left)
}

// Push sends what there is.
func (v *alisViewer) Push() error {
	if len(v.frames) == 0 {
		return nil
	}
	err := v.ws.Push(v.frames)
	v.frames = v.frames[:0]
	if cap(v.frames) > alisBehind {
		v.frames = nil
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
