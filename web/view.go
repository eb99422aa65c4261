package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// view shows a viewer a session's terminal as events d, i and v: text that is whole, for programs that want no more than that. It
// runs in a goroutine of its own.
type view struct {
	viewer *viewer
	number int64
	cancel context.CancelFunc
	done   chan struct{}

	// owned by run
	ctx   context.Context
	sum   session.Summary
	begun bool
	tell  answer

	shown, errs, received, typed text
	pending                      []byte // not emitted yet
	kind                         string // of pending: d or i
	end                          *viewEnd
}

// viewAsk is what a viewer says to see a session's terminal.
type viewAsk struct {
	View    int64  `json:"view"`
	Session string `json:"session"` // a reference, or the id of a live session
}

// viewReply says what is seen.
type viewReply struct {
	ID   session.ID `json:"id"`
	Cols int        `json:"cols"`
	Rows int        `json:"rows"`
}

// viewEnd is how a view ended.
type viewEnd struct {
	threeend.Answer
	Cause  session.Cause `json:"cause,omitempty"`
	By     string        `json:"by,omitempty"`
	Reason string        `json:"reason,omitempty"`
	Detail string        `json:"detail,omitempty"`
	Exit   *int          `json:"exit,omitempty"`
	Error  string        `json:"error,omitempty"` // why it ended though the session did not
	Status int           `json:"status,omitempty"`
}

const (
	maxViews   = 64       // of one viewer
	viewBehind = 64 << 10 // bytes that may wait for a viewer before what comes is passed over
	viewPiece  = 32 << 10 // bytes of text in an event, about
	viewMost   = 4 << 20  // bytes that may wait before the next piece does
)

// errNoTerminal says that a session has nothing to view.
var errNoTerminal = fmt.Errorf("%w: what is sent there is not the screen of a terminal: watch it instead", errStreams)

// viewOne begins to show a session's terminal.
func (v *viewer) viewOne(ask viewAsk) (task, error) {
	w := &view{viewer: v, number: ask.View, done: make(chan struct{})}
	if err := v.views.add(w); err != nil {
		return nil, err
	}
	w.ctx, w.cancel = context.WithCancel(v.tasks.life)
	return func(_ context.Context, tell answer) {
		defer close(w.done)
		defer w.cancel()
		w.tell = tell
		err := w.run(ask.Session)
		switch {
		case !w.begun:
			if w.ctx.Err() != nil {
				err = errClosed
			}
			v.views.finish(w, func() { tell(nil, err) })
		case w.ctx.Err() == nil:
			v.views.finish(w, func() { v.socket.Emit("end", w.number, w.ending(err)) })
		}
	}, nil
}

// run returns io.EOF when the session has ended, and that was read.
func (w *view) run(text string) error {
	s := w.viewer.viewers.server
	sum, release, err := s.hold(w.ctx, text, w.viewer.who.Name)
	if err != nil {
		return err
	}
	defer release()
	if sum.Terminal == "" {
		return errNoTerminal
	}
	s.openings.used(sum.ID, w.viewer.who.Name)
	w.sum = sum
	s.pace.enter()
	defer s.pace.leave()
	look := hub.Look{Hub: s.Hub, Session: sum, To: w, Behind: viewBehind, Rest: s.pace.rest}
	return look.Run(w.ctx)
}

// Screen is for hub.Look, as the others are.
func (w *view) Screen(size session.Size, _ int64, data []byte) {
	w.emit()
	if !w.begun {
		w.begun = true
		w.tell(viewReply{w.sum.ID, size.Cols, size.Rows}, nil)
	}
	w.resize(size)
	w.shown, w.errs = text{}, text{} // what was begun there is in the data
	w.add("d", &w.shown, []byte("\x1bc"))
	w.add("d", &w.shown, data)
}

// Event adds what an event shows.
func (w *view) Event(e session.Event) {
	switch e.Kind {
	case session.Sent:
		w.add("d", &w.shown, e.Data)
	case session.SentErr:
		w.add("d", &w.errs, e.Data)
	case session.Received:
		w.add("i", &w.received, e.Data)
	case session.Typed:
		_, data := session.SplitTyped(e.Data)
		w.add("i", &w.typed, data)
	case session.Resized:
		if size, ok := session.ParseSize(string(e.Data)); ok {
			w.emit()
			w.resize(size)
		}
	case session.Closed:
		w.finish(e)
	}
}

// Push sends what there is.
func (w *view) Push() error {
	w.emit()
	return w.ctx.Err()
}

// Waiting is how many bytes the viewer has not taken.
func (w *view) Waiting() int { return w.viewer.socket.Client().Waiting() }

func (w *view) resize(size session.Size) { w.viewer.socket.Emit("v", w.number, size.Cols, size.Rows) }

// add adds text of a kind, in pieces.
func (w *view) add(kind string, t *text, data []byte) {
	if w.kind != kind {
		w.emit()
		w.kind = kind
	}
	for len(data) > 0 {
		n := min(len(data), viewPiece)
		w.pending = t.append(w.pending, data[:n])
		data = data[n:]
		if len(w.pending) >= viewPiece {
			w.emit()
		}
	}
}

// emit sends the text that there is, when there is room for it.
func (w *view) emit() {
	if len(w.pending) == 0 {
		return
	}
	for w.Waiting() > viewMost && sleep(w.ctx, streamLook) == nil {
	}
	if w.ctx.Err() == nil {
		w.viewer.socket.Emit(w.kind, w.number, string(w.pending)) // an error means that the viewer is gone
	}
	w.pending = w.pending[:0]
}

// finish takes how the session ended.
func (w *view) finish(e session.Event) {
	for _, t := range []struct {
		kind string
		*text
	}{{"d", &w.shown}, {"d", &w.errs}, {"i", &w.received}, {"i", &w.typed}} {
		w.add(t.kind, &text{}, t.release())
	}
	var end session.End
	if json.Unmarshal(e.Data, &end) != nil {
		return
	}
	code := threeend.Over
	if end.Code == threeend.Kicked.Answer().Code || end.Code == 0 && end.Cause == session.Kicked {
		code = threeend.Kicked
	}
	w.end = &viewEnd{Answer: code.Answer(), Cause: end.Cause, By: end.By, Reason: end.Reason, Detail: end.Detail, Exit: end.Exit}
}

// ending is what the viewer is told of the end.
func (w *view) ending(err error) *viewEnd {
	if w.end != nil && errors.Is(err, io.EOF) {
		return w.end
	}
	if errors.Is(err, io.EOF) {
		err = hub.ErrNotLive
	}
	why := w.viewer.failure("view", err)
	return &viewEnd{Answer: threeend.Over.Answer(), Error: why.Error, Status: why.Status}
}

// unview ends a view: nothing of it comes behind the answer.
func (v *viewer) unview(_ context.Context, ask struct{ View int64 }) (any, error) {
	if w := v.views.get(ask.View); w != nil {
		w.cancel()
		<-w.done
		v.views.finish(w, func() {})
	}
	return struct{}{}, nil
}

// views are a viewer's, by the numbers that it gave them.
type views struct {
	mu sync.Mutex
	m  map[int64]*view
}

func (l *views) add(w *view) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.m[w.number] != nil:
		return streamsError("a view of this number is there already: unview it, or choose another number")
	case len(l.m) >= maxViews:
		return streamsError("64 views are there already: unview some")
	}
	if l.m == nil {
		l.m = map[int64]*view{}
	}
	l.m[w.number] = w
	return nil
}

func (l *views) get(number int64) *view {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.m[number]
}

// finish removes a view, and tells so, as one: see streams.finish.
func (l *views) finish(w *view, tell func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m[w.number] == w {
		delete(l.m, w.number)
	}
	tell()
}

// text makes whole UTF-8 of bytes that were cut anywhere. Its zero value is ready.
type text struct{ decoder export.Decoder }

// append appends what is whole. A byte that is none of UTF-8 becomes U+FFFD.
func (t *text) append(dst, data []byte) []byte {
	whole, _ := t.decoder.Take(data)
	return appendValid(dst, whole)
}

// release is what was begun, when nothing will end it.
func (t *text) release() []byte { return appendValid(nil, t.decoder.Release()) }

func appendValid(dst, data []byte) []byte {
	for !utf8.Valid(data) {
		n := 0
		for r, size := utf8.DecodeRune(data); r != utf8.RuneError || size != 1; r, size = utf8.DecodeRune(data[n:]) {
			n += size
		}
		dst = utf8.AppendRune(append(dst, data[:n]...), utf8.RuneError)
		data = data[n+1:]
	}
	return append(dst, data...)
}
