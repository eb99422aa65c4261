package clients_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/socketio"
)

func addAnswers(n registrar) {
	n.Handle("echo", func(_ context.Context, _ *socketio.Socket, args socketio.Args) ([]any, error) {
		return []any{args}, nil
	})
	socketio.On(n, "say", func(_ context.Context, s *socketio.Socket, args socketio.Args) error {
		return s.Emit("said", args)
	})
	socketio.OnCall(n, "length", func(_ context.Context, _ *socketio.Socket, text string) (int, error) {
		return len(text), nil
	})
	n.Handle("ask", func(ctx context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
		var event string
		var rest socketio.Args
		if err := args.Decode(&event, &rest); err != nil {
			return nil, err
		}
		answer, err := socketio.Call[socketio.Args](ctx, s, event, rest)
		return []any{answer}, err
	})
	n.Handle("askTimes", func(ctx context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
		var times int
		var event string
		if err := args.Decode(&times, &event); err != nil {
			return nil, err
		}
		answers := make([]json.RawMessage, times)
		var calls sync.WaitGroup
		for i := range answers {
			calls.Go(func() { answers[i], _ = socketio.Call[json.RawMessage](ctx, s, event, i) })
		}
		calls.Wait()
		return []any{answers}, nil
	})
	n.Handle("askWithin", func(ctx context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
		var ms int
		var event string
		if err := args.Decode(&ms, &event); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
		defer cancel()
		answer, err := socketio.Call[socketio.Args](ctx, s, event)
		if err != nil {
			return []any{"timed out"}, nil
		}
		return []any{"answered", answer}, nil
	})
	n.Handle("askAll", func(ctx context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
		var to target
		var event string
		if err := args.Decode(&to, &event); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Duration(to.Within)*time.Millisecond)
		defer cancel()
		answers, err := socketio.CallAll[json.RawMessage](ctx, to.of(s), event)
		if err != nil {
			return []any{"timed out", answers}, nil
		}
		return []any{"answered", answers}, nil
	})
}

func addRooms(n registrar) {
	socketio.On(n, "join", func(_ context.Context, s *socketio.Socket, room string) error {
		s.Join(room)
		return nil
	})
	socketio.On(n, "leave", func(_ context.Context, s *socketio.Socket, room string) error {
		s.Leave(room)
		return nil
	})
	n.Handle("rooms", func(_ context.Context, s *socketio.Socket, _ socketio.Args) ([]any, error) {
		return []any{rooms(s)}, nil
	})
	socketio.OnCall(n, "members", func(_ context.Context, s *socketio.Socket, room string) ([]string, error) {
		ids := []string{}
		for _, member := range s.Namespace().To(room).Sockets() {
			ids = append(ids, member.ID())
		}
		slices.Sort(ids)
		return ids, nil
	})
	socketio.On2(n, "moveAll", func(_ context.Context, s *socketio.Socket, from, to string) error {
		s.Namespace().To(from).Join(to)
		return nil
	})
	socketio.On2(n, "takeOut", func(_ context.Context, s *socketio.Socket, from, room string) error {
		s.Namespace().To(from).Leave(room)
		return nil
	})
	socketio.On(n, "kickAll", func(_ context.Context, s *socketio.Socket, room string) error {
		s.Namespace().To(room).Disconnect()
		return nil
	})
}

// target is whom a command means.
type target struct {
	To, Except    []string
	Own, Volatile bool
	Within        int // ms
}

func (t target) of(s *socketio.Socket) socketio.Target {
	to := s.Namespace().All()
	if t.Own {
		to = s.Broadcast()
	}
	if to = to.Except(t.Except...); len(t.To) > 0 {
		to = to.To(t.To...)
	}
	if t.Volatile {
		to = to.Volatile()
	}
	return to
}

func addSends(n registrar) {
	n.Handle("broadcast", func(_ context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
		var to target
		var event string
		var rest socketio.Args
		if err := args.Decode(&to, &event, &rest); err != nil {
			return nil, err
		}
		return nil, to.of(s).Emit(event, rest)
	})
	send := func(volatile bool) func(context.Context, *socketio.Socket, socketio.Args) ([]any, error) {
		return func(_ context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
			var id, event string
			var rest socketio.Args
			if err := args.Decode(&id, &event, &rest); err != nil {
				return nil, err
			}
			to := s.Namespace().Socket(id)
			switch {
			case to == nil:
				return nil, nil
			case volatile:
				return nil, to.Volatile().Emit(event, rest)
			}
			return nil, to.Emit(event, rest)
		}
	}
	n.Handle("send", send(false))
	n.Handle("sendVolatile", send(true))
	socketio.On2(n, "many", func(_ context.Context, s *socketio.Socket, event string, times int) error {
		for i := range times {
			s.Emit(event, i)
		}
		return nil
	})
	n.Handle("mixed", func(_ context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
		var room, event string
		var times int
		if err := args.Decode(&room, &event, &times); err != nil {
			return nil, err
		}
		emits := []func(string, ...any) error{s.Emit, s.Namespace().To(room).Emit, s.Namespace().Emit}
		for i := range times {
			emits[i%3](event, i)
		}
		return nil, nil
	})
	n.Handle("flood", func(_ context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
		var id, event string
		var times, size int
		if err := args.Decode(&id, &event, &times, &size); err != nil {
			return nil, err
		}
		flooded := s.Namespace().Socket(id)
		filling := strings.Repeat("x", size)
		for i := range times {
			flooded.Volatile().Emit(event, i, filling)
		}
		return nil, flooded.Emit("flooded")
	})
	socketio.On2(n, "large", func(_ context.Context, s *socketio.Socket, size int, binary bool) error {
		if binary {
			return s.Emit("large", bytes.Repeat([]byte{0xe4}, size))
		}
		return s.Emit("large", strings.Repeat("ä", size/2))
	})
}
