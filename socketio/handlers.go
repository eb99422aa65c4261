package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
)

// registry is the handlers of a namespace, or of several that one template made. They may be registered at any time; what is
// under way goes on with those that were there.
type registry struct {
	mu  sync.Mutex
	now atomic.Pointer[handlers]
}

type handlers struct {
	middleware   []func(*Socket) error
	onConnect    []func(*Socket)
	onDisconnect []func(*Socket, Reason)
	onLeft       []func(*Socket)
	events       map[string]handler
	any          []func(*Socket, string, Args)
	others       func(context.Context, *Socket, string, Args) ([]any, error)
}

// handler answers one event: what it returns goes to the client as acknowledgement, if it asked for one.
type handler func(ctx context.Context, s *Socket, args Args) ([]any, error)

func (r *registry) get() *handlers {
	if h := r.now.Load(); h != nil {
		return h
	}
	return &handlers{}
}

// change makes a copy of the handlers, so that those in use never change.
func (r *registry) change(f func(h *handlers)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := *r.get()
	h.middleware = clip(h.middleware)
	h.onConnect, h.onDisconnect, h.onLeft, h.any = clip(h.onConnect), clip(h.onDisconnect), clip(h.onLeft), clip(h.any)
	events := make(map[string]handler, len(h.events)+1)
	for name, f := range h.events {
		events[name] = f
	}
	h.events = events
	f(&h)
	r.now.Store(&h)
}

func clip[T any](s []T) []T { return s[:len(s):len(s)] }

// Use has f decide about each socket before it is connected. An error refuses it: the client gets its text, and the data of a
// *ConnectError. Middleware is called in the order in which it was registered.
func (r *registry) Use(f func(s *Socket) error) {
	r.change(func(h *handlers) { h.middleware = append(h.middleware, f) })
}

// OnConnect has f called for each socket that has connected, before any of its events.
func (r *registry) OnConnect(f func(s *Socket)) {
	r.change(func(h *handlers) { h.onConnect = append(h.onConnect, f) })
}

// OnDisconnect has f called when a socket has disconnected, behind all of its events.
func (r *registry) OnDisconnect(f func(s *Socket, reason Reason)) {
	r.change(func(h *handlers) { h.onDisconnect = append(h.onDisconnect, f) })
}

// OnLeft has f called when a socket has disconnected for good: if it can be recovered, when its time is over and it was not.
// A socket that is recovered however often leaves once.
func (r *registry) OnLeft(f func(s *Socket)) {
	r.change(func(h *handlers) { h.onLeft = append(h.onLeft, f) })
}

// OnAny has f called for each event, before its handler.
func (r *registry) OnAny(f func(s *Socket, event string, args Args)) {
	r.change(func(h *handlers) { h.any = append(h.any, f) })
}

// Handle has f called for an event with its arguments as they came, which are its own to keep. What f returns goes to the
// client as the arguments of the acknowledgement, if it asked for one; an error goes there as {"error": its text}. The context
// ends when the client is gone. A later handler of the same event takes the place of the one before.
func (r *registry) Handle(event string, f func(ctx context.Context, s *Socket, args Args) ([]any, error)) {
	r.change(func(h *handlers) { h.events[event] = f })
}

// HandleOthers has f called for each event that has no handler of its own, as Handle says.
func (r *registry) HandleOthers(f func(ctx context.Context, s *Socket, event string, args Args) ([]any, error)) {
	r.change(func(h *handlers) { h.others = f })
}

// Registrar is where handlers are registered: a *Namespace or a *Template.
type Registrar interface {
	Handle(event string, f func(ctx context.Context, s *Socket, args Args) ([]any, error))
}

// On has f called for an event with its first argument, decoded as json.Unmarshal does; T may be Args for all of them. An
// argument that does not fit is answered with an error, as one that f returns.
func On[T any](r Registrar, event string, f func(ctx context.Context, s *Socket, v T) error) {
	r.Handle(event, func(ctx context.Context, s *Socket, args Args) ([]any, error) {
		v, err := decode[T](args)
		if err != nil {
			return nil, err
		}
		return nil, f(ctx, s, v)
	})
}

// On2 is On for events of two arguments.
func On2[T, U any](r Registrar, event string, f func(ctx context.Context, s *Socket, v T, w U) error) {
	r.Handle(event, func(ctx context.Context, s *Socket, args Args) ([]any, error) {
		var v T
		var w U
		if err := args.Decode(&v, &w); err != nil {
			return nil, err
		}
		return nil, f(ctx, s, v, w)
	})
}

// OnCall is On for events that are acknowledged: what f returns is what the client gets.
func OnCall[T, R any](r Registrar, event string, f func(ctx context.Context, s *Socket, v T) (R, error)) {
	r.Handle(event, func(ctx context.Context, s *Socket, args Args) ([]any, error) {
		v, err := decode[T](args)
		if err != nil {
			return nil, err
		}
		reply, err := f(ctx, s, v)
		if err != nil {
			return nil, err
		}
		return []any{reply}, nil
	})
}

func decode[T any](args Args) (v T, err error) {
	if s, ok := any(&v).(*string); ok && len(args.binary) == 0 { // without reflection
		var element []byte
		if element, _ = nextElement(args.list); len(element) > 0 {
			if text, plain := plainString(element); plain {
				*s = text
				return v, nil
			}
		}
	}
	return v, args.Decode(&v)
}

// Call sends an event and waits for the client's acknowledgement, whose first argument it returns; R may be Args for all of
// them. It ends with ctx, or with ErrClosed when the socket does. It may be called in a handler.
func Call[R any](ctx context.Context, s *Socket, event string, args ...any) (reply R, err error) {
	type answer struct {
		args Args
		err  error
	}
	got := make(chan answer, 1)
	id, err := s.call(event, args, func(a Args, err error) { got <- answer{a, err} })
	if err != nil {
		return reply, err
	}
	select {
	case a := <-got:
		if a.err != nil {
			return reply, a.err
		}
		return decode[R](a.args)
	case <-ctx.Done():
		s.forget(id)
		return reply, context.Cause(ctx)
	}
}

// CallAll calls all sockets of a target, and waits for all of their acknowledgements. If ctx ends before, it returns those
// that came, and the error.
func CallAll[R any](ctx context.Context, t Target, event string, args ...any) ([]R, error) {
	type answer struct {
		reply R
		err   error
	}
	sockets := t.Sockets()
	answers := make(chan answer, len(sockets))
	for _, s := range sockets {
		go func() { // ends with ctx at the latest
			reply, err := Call[R](ctx, s, event, args...)
			answers <- answer{reply, err}
		}()
	}
	var replies []R
	var failed error
	for range sockets {
		if a := <-answers; a.err != nil {
			failed = a.err
		} else {
			replies = append(replies, a.reply)
		}
	}
	return replies, failed
}

// admit asks the middleware.
func (n *Namespace) admit(s *Socket) (err error) {
	defer func() {
		if p := recover(); p != nil {
			n.server.panicked("middleware", p)
			err = errInternal
		}
	}()
	for _, f := range n.get().middleware {
		if err := f(s); err != nil {
			return err
		}
	}
	return nil
}

func (n *Namespace) connected(s *Socket) {
	for _, f := range n.get().onConnect {
		n.server.guarded("connect", func() { f(s) })
	}
}

func (n *Namespace) disconnected(s *Socket, reason Reason) {
	for _, f := range n.get().onDisconnect {
		n.server.guarded("disconnect", func() { f(s, reason) })
	}
}

// leaves is left in a goroutine of its own, for which Server.Close waits.
func (n *Namespace) leaves(s *Socket) {
	n.server.handlers.enter()
	go func() {
		defer n.server.handlers.leave()
		n.left(s)
	}()
}

func (n *Namespace) left(s *Socket) {
	for _, f := range n.get().onLeft {
		n.server.guarded("left", func() { f(s) })
	}
}

// event hands an event to its handler, in the client's goroutine.
func (s *Socket) event(k *packet) {
	if s.told { // what came before the end is handled, also behind it
		return
	}
	first, rest := nextElement(k.data[1:])
	var name string
	if first[0] != '"' {
		name = string(first) // a number
	} else if plain, ok := plainString(first); ok {
		name = plain
	} else {
		json.Unmarshal(first, &name) // it is a string: that was checked
	}
	args := Args{list: rest, binary: k.binary}
	h := s.namespace.get()
	for _, f := range h.any {
		s.namespace.server.guarded(name, func() { f(s, name, args) })
	}
	f := h.events[name]
	switch {
	case f != nil:
	case h.others != nil:
		f = func(ctx context.Context, s *Socket, args Args) ([]any, error) { return h.others(ctx, s, name, args) }
	default:
		return
	}
	s.asked = asked{id: k.id, hasID: k.hasID}
	reply, err := s.guardedCall(name, f, args)
	if k.hasID && !s.asked.later {
		s.reply(k.id, reply, err)
	}
	if after := s.after; after != nil {
		s.after = nil
		s.namespace.server.guarded(name, after)
	}
}

func (s *Socket) guardedCall(name string, f handler, args Args) (reply []any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.namespace.server.panicked(name, p)
			err = errInternal
		}
	}()
	return f(s.Context(), s, args)
}

// reply acknowledges an event.
func (s *Socket) reply(id uint64, args []any, err error) {
	e := encoder{buf: []byte{'['}}
	if err == nil {
		err = e.args(args)
	}
	if most := s.client.server.opt.MaxAttachments; err == nil && len(e.binary) > most {
		err = fmt.Errorf("%w: %d, and %d at most", errAttachments, len(e.binary), most)
	}
	if err != nil {
		e = encoder{buf: []byte{'['}}
		e.args([]any{map[string]string{"error": err.Error()}}) // never fails
	}
	b := appendHead(make([]byte, 0, len(e.buf)+32), typeAck, len(e.binary), s.namespace.name)
	b = appendUint(b, id)
	b = append(append(b, e.buf...), ']')
	s.client.send(newOutgoing(b, e.binary))
}

// errAttachments is in the way of more attachments than the stock clients take.
var errAttachments = errors.New("too many attachments")

var errInternal = fmt.Errorf("internal error")

func appendUint(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

// queryObject is a query as a JSON object of strings: that of the namespace, or else the connection's.
func queryObject(h *Handshake, namespaceQuery string) json.RawMessage {
	values := h.Query()
	if namespaceQuery != "" {
		values, _ = url.ParseQuery(namespaceQuery) // what is malformed is left out
	}
	object := make(map[string]string, len(values))
	for name := range values {
		object[name] = values.Get(name)
	}
	p, _ := json.Marshal(object) // strings always can be
	return p
}
