package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
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
	alisLook    = 20 * time.Millisecond
	alisStuck   = time.Minute // for one who takes nothing
	alisLinger  = time.Second // before the end: the player drops what it has not shown by then
)

// Codes of the close frame. From 4000 to 4100 asciinema's player, and its CLI, do not come back.
const (
	alisOver    = 4000
	alisNoEntry = 4030
)

var (
	errViewerGone  = errors.New("the viewer has gone")
	errViewerStuck = errors.New("the viewer takes nothing")
)

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
	case errors.Is(cause, errViewerGone), errors.Is(err, errViewerStuck):
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
	next, err := v.begin(ctx)
	for err == nil {
		next, err = v.follow(ctx, next)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	if err := sleep(ctx, alisLinger); err != nil {
		return err
	}
	v.alis.End()
	if err := v.push(); err != nil {
		return err
	}
	return io.EOF
}

// begin sends the first screen, and returns the number of the first event that follows.
func (v *alisViewer) begin(ctx context.Context) (uint64, error) {
	if v.whole {
		v.alis.Join(firstSize(&v.sum), v.sum.Start, nil)
		return 1, v.push()
	}
	return v.draw(ctx, math.MaxUint64)
}

// draw sends the screen behind an event, or now. One that nobody knows begins blank.
func (v *alisViewer) draw(ctx context.Context, number uint64) (next uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, screenLimit)
	defer cancel()
	shown, err := v.server.Hub.Screen(ctx, v.sum.ID, number)
	if errors.Is(err, hub.ErrNoScreen) {
		v.alis.Join(firstSize(&v.sum), time.Now().UnixMicro(), nil)
		return 1, v.push()
	}
	if err != nil {
		return 0, err
	}
	at := shown.Time
	if v.sum.State == session.Live {
		at = max(at, time.Now().UnixMicro()) // what comes is not to wait for as long as nothing came
	}
	v.alis.Join(shown.Size, at, shown.Data)
	return shown.Number + 1, v.push()
}

// redraw sends the screen behind a resize: how lines break anew is not the same everywhere. If that cannot be told, the viewer makes
// do with the size.
func (v *alisViewer) redraw(ctx context.Context, e session.Event) {
	ctx, cancel := context.WithTimeout(ctx, screenLimit)
	defer cancel()
	shown, err := v.server.Hub.Screen(ctx, v.sum.ID, e.Number)
	if err != nil || shown.Number != e.Number {
		v.alis.Event(e)
		return
	}
	v.alis.Join(shown.Size, e.Time, shown.Data)
}

// follow sends events until the viewer must be drawn the screen anew, and returns the number of the first that follows then.
func (v *alisViewer) follow(ctx context.Context, from uint64) (uint64, error) {
	events, err := v.server.Hub.Events(ctx, v.sum.ID, from)
	if err != nil {
		return 0, err
	}
	events.Bare()
	defer events.Close()
	for {
		batch, err := events.Next(ctx)
		if err != nil {
			return 0, err
		}
		if err := v.sendAll(ctx, batch); err != nil {
			return 0, err
		}
		if err := v.server.pace.rest(ctx); err != nil {
			return 0, err
		}
		behind, err := v.catchUp(ctx)
		if err != nil {
			return 0, err
		}
		if behind && !v.whole {
			return v.draw(ctx, math.MaxUint64)
		}
	}
}

func (v *alisViewer) sendAll(ctx context.Context, batch []session.Event) error {
	for i, e := range batch {
		if v.whole {
			if err := v.await(ctx, e.Time); err != nil {
				return err
			}
		}
		switch {
		case e.Kind != session.Resized:
			v.alis.Event(e)
		case v.whole || !hasResize(batch[i+1:]):
			v.redraw(ctx, e)
		}
	}
	return v.push()
}

func hasResize(batch []session.Event) bool {
	return slices.ContainsFunc(batch, func(e session.Event) bool { return e.Kind == session.Resized })
}

// await waits until an event of a time is due, for a viewer who sees it all in its own time.
func (v *alisViewer) await(ctx context.Context, at int64) error {
	left := time.Until(v.began.Add(time.Duration(at-v.sum.Start) * time.Microsecond))
	if left <= 0 {
		return nil
	}
	if err := v.push(); err != nil {
		return err
	}
	return sleep(ctx, left)
}

func (v *alisViewer) push() error {
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

// catchUp waits while much waits for the viewer, and reports whether it had to.
func (v *alisViewer) catchUp(ctx context.Context) (behind bool, err error) {
	if v.ws.Waiting() <= alisBehind {
		return false, nil
	}
	least, since := v.ws.Waiting(), time.Now()
	for least > 0 {
		if err := sleep(ctx, alisLook); err != nil {
			return true, err
		}
		switch waiting := v.ws.Waiting(); {
		case waiting < least:
			least, since = waiting, time.Now()
		case time.Since(since) > alisStuck:
			return true, errViewerStuck
		}
	}
	return true, nil
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
