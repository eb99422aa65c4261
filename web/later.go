package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/switchboard-relay/switchboard/socketio"
)

// tasks are what a viewer asked for that takes longer: each in a goroutine of its own.
type tasks struct {
	life context.Context // ends when the viewer leaves
	end  context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex
	underWay int
}

// maxTasks is how many things a viewer may have asked for and not been answered.
const maxTasks = 64

var errTasks = fmt.Errorf("%w: %d requests of this connection are under way: ask again when one is answered", errUnavailable, maxTasks)

func (t *tasks) begin() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.underWay >= maxTasks {
		return errTasks
	}
	t.underWay++
	return nil
}

func (t *tasks) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.underWay--
}

// close ends all of them, and waits.
func (t *tasks) close() {
	t.end()
	t.work.Wait()
}

// answer tells who asked how it went, once.
type answer func(reply any, err error)

// task does what was asked; its context ends when the viewer leaves.
type task func(ctx context.Context, tell answer)

// handleLater is handle of what takes longer. begin is called in the client's goroutine, in order with what came before; what it
// returns is done while the client's other events are handled.
func handleLater[T any](space *socketio.Namespace, event string, begin func(v *viewer, ask T) (task, error)) {
	space.Handle(event, func(_ context.Context, sock *socketio.Socket, args socketio.Args) ([]any, error) {
		v := viewerOf(sock)
		ask, err := objectOf[T](event, args)
		if err == nil {
			err = v.tasks.begin()
		}
		if err != nil {
			return []any{v.failure(event, err)}, nil
		}
		do, err := begin(v, ask)
		if err != nil {
			v.tasks.answered()
			return []any{v.failure(event, err)}, nil
		}
		reply := sock.ReplyLater()
		tell := func(told any, err error) {
			if err != nil {
				told = v.failure(event, err)
			}
			v.tasks.answered()
			reply([]any{told}, nil)
		}
		v.tasks.work.Go(func() { do(v.tasks.life, tell) }) // tasks.close waits for it
		return nil, nil
	})
}

// objectOf is an event's argument.
func objectOf[T any](event string, args socketio.Args) (ask T, err error) {
	var object json.RawMessage
	args.Decode(&object) // with its attachments
	d := json.NewDecoder(bytes.NewReader(object))
	d.DisallowUnknownFields()
	if err := d.Decode(&ask); err != nil {
		return ask, bad("%s takes an object: %w", event, err)
	}
	return ask, nil
}
