// Package room makes rooms: a room is a log with an offset that many members read. The log is a JetStream stream, in
// memory; each node follows it once, records each message once, and hands it to the members that it holds.
//
// What members say is published without asking for the stream's acknowledgement: that it comes back to this node's own
// follower is one. So much may be under way at once, and no more (see window): a member that talks more than the room
// can deliver is slowed, and nothing is let go of. An acknowledgement for each message would cost as much again as the
// message, and come before anybody has read it.
package room

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/switchboard-relay/switchboard/bus"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// Options are what rooms are made of.
type Options struct {
	Bus    *bus.Bus
	Store  *recording.Store
	Node   string
	Logger *slog.Logger
	// Began is called when a room begins a recording, Ended when it has ended one. A room begins a new one now and then.
	Began func(session.Info, *recording.Log)
	Ended func(session.ID)
}

// Rooms are the rooms that this node follows.
type Rooms struct {
	opt Options
	js  nats.JetStreamContext

	mu     sync.Mutex
	open   map[string]*Room
	closed bool
}

// New makes the rooms of a node.
func New(opt Options) (*Rooms, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	r := &Rooms{opt: opt, open: map[string]*Room{}}
	var err error
	r.js, err = opt.Bus.Rooms().JetStream()
	if err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	return r, nil
}

// Config bounds a room's log. Zero values mean the defaults.
type Config struct {
	MaxMessages int64         // that the log keeps; 10,000
	MaxBytes    int64         // that the log keeps; 16 MiB
	MaxAge      time.Duration // of a message in the log; no limit
	Record      session.Record

	Mapping  session.Mapping // of bytes and events
	Welcome  string          // said to a new member; empty: nothing
	Announce string          // said to the others when a member comes
	Farewell string          // said to the others when a member goes
	Presence bool            // who comes and goes is said to the room: see Follower
}

// ErrClosed says that the rooms are closed.
var ErrClosed = errors.New("the room is closed")

// Open opens a room, or gives the one that is open. The first to open it chooses its configuration.
func (r *Rooms) Open(ctx context.Context, name string, conf Config) (*Room, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if room := r.open[name]; room != nil {
		return room, nil
	}
	room, err := r.follow(ctx, name, conf)
	if err != nil {
		return nil, fmt.Errorf("room %q: %w", name, err)
	}
	r.open[name] = room
	return room, nil
}

// Close closes every room and completes their recordings.
func (r *Rooms) Close() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	r.closed = true
	rooms := make([]*Room, 0, len(r.open))
	for _, room := range r.open {
		rooms = append(rooms, room)
	}
	r.open = map[string]*Room{}
	r.mu.Unlock()
	for _, room := range rooms {
		room.close()
	}
	return nil
}

// token is a room's name in a form that NATS takes in names of streams and subjects.
func token(name string) string { return hex.EncodeToString([]byte(name)) }

func orDefault[T int64 | time.Duration](v, byDefault T) T {
	if v == 0 {
		return byDefault
	}
	return v
}
