// Package room makes rooms: a room is a log with an offset that many members read. The log is a JetStream stream, in
// memory; each node follows it once, records each message once, and hands it to the members that it holds.
//
// What members say is published asynchronously with a bounded number in flight: the stream's acknowledgement of a
// message is waited for only when the bound is reached, so that a member that talks much is slowed and nobody else is.
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

const (
	maxInFlight = 4096             // messages that are published and not acknowledged
	stallLimit  = 30 * time.Second // how long a sender may wait for acknowledgements
)

// New makes the rooms of a node.
func New(opt Options) (*Rooms, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	r := &Rooms{opt: opt, open: map[string]*Room{}}
	var err error
	r.js, err = opt.Bus.Rooms().JetStream(nats.PublishAsyncMaxPending(maxInFlight), nats.PublishAsyncErrHandler(r.lost))
	if err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	return r, nil
}

// lost is told of messages that the log did not take.
func (r *Rooms) lost(_ nats.JetStream, m *nats.Msg, err error) {
	r.opt.Logger.Error("a room's log did not take a message", "subject", m.Subject, "bytes", len(m.Data), "error", err)
}

// Config bounds a room's log. Zero values mean the defaults.
type Config struct {
	MaxMessages int64         // that the log keeps; 10,000
	MaxBytes    int64         // that the log keeps; 16 MiB
	MaxAge      time.Duration // of a message in the log; no limit
	Record      session.Record
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
