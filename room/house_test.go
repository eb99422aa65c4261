package room_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/bus"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

// house is rooms over a real bus and a real store.
type house struct {
	*room.Rooms
	t     testing.TB
	store *recording.Store

	mu    sync.Mutex
	ended []session.ID
	began []session.Info
	logs  map[session.ID]*recording.Log
}

func newHouse(t testing.TB) *house {
	t.Helper()
	dir := t.TempDir()
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	b, err := bus.Open(bus.Options{StoreDir: dir + "/bus", Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	store, err := recording.Open(recording.Options{Dir: dir, Sync: recording.SyncNone, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, store: store, logs: map[session.ID]*recording.Log{}}
	h.Rooms, err = room.New(room.Options{Bus: b, Store: store, Node: "n1", Logger: logger, Began: h.begin, Ended: h.end})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Rooms.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		b.Close()
	})
	return h
}

func (h *house) begin(info session.Info, log *recording.Log) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.began = append(h.began, info)
	h.logs[info.ID] = log
}

func (h *house) end(id session.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = append(h.ended, id)
}

func (h *house) room(name string) *room.Room {
	h.t.Helper()
	r, err := h.Open(limit(h.t), name, room.Config{})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// messages reads so many messages of a room's recording, and their events.
func (h *house) messages(r *room.Room, n int) (list []session.RoomMessage, events []session.Event) {
	h.t.Helper()
	h.mu.Lock()
	cursor := h.logs[r.Info().ID].Cursor(1)
	h.mu.Unlock()
	defer cursor.Close()
	for len(list) < n {
		batch, err := cursor.Next(limit(h.t))
		if err != nil {
			h.t.Fatalf("after %d of %d messages: %v", len(list), n, err)
		}
		for _, e := range batch {
			if e.Kind == session.Gap {
				h.t.Errorf("the room's recording has a gap: %s", e.Data)
			}
			if e.Kind != session.Message {
				continue
			}
			e.Data = slices.Clone(e.Data)
			m, err := session.ParseRoomMessage(e.Data)
			if err != nil {
				h.t.Fatal(err)
			}
			list, events = append(list, m), append(events, e)
		}
	}
	return list, events
}

func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// member keeps what it gets.
type member struct {
	id        session.ID
	datagrams bool
	stuck     chan struct{} // Deliver waits until it is closed, if there is one
	fails     bool

	mu     sync.Mutex
	news   sync.Cond
	got    []byte
	pieces [][]byte
	refs   []session.RoomRef
	joined []session.RoomRef
	left   []session.RoomRef
}

func newMember() *member {
	m := &member{id: session.NewID("n1")}
	m.news.L = &m.mu
	return m
}

var errGone = errors.New("gone")

func (m *member) ID() session.ID  { return m.id }
func (m *member) Datagrams() bool { return m.datagrams }

func (m *member) Deliver(p []byte, ref session.RoomRef) error {
	if m.stuck != nil {
		<-m.stuck
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.got = append(m.got, p...)
	m.pieces = append(m.pieces, bytes.Clone(p))
	m.refs = append(m.refs, ref)
	m.news.Broadcast()
	if m.fails {
		return errGone
	}
	return nil
}

func (m *member) Joined(ref session.RoomRef) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.joined = append(m.joined, ref)
}
func (m *member) Left(ref session.RoomRef) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = append(m.left, ref)
}

// wait waits until done says yes of what the member has got.
func (m *member) wait(t testing.TB, what string, done func(got []byte) bool) {
	t.Helper()
	over := time.AfterFunc(60*time.Second, m.news.Broadcast)
	defer over.Stop()
	start := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for !done(m.got) {
		if time.Since(start) >= 60*time.Second {
			t.Fatalf("%s: got %d bytes: %.200q", what, len(m.got), m.got)
		}
		m.news.Wait()
	}
}

func (m *member) text() string { m.mu.Lock(); defer m.mu.Unlock(); return string(m.got) }

func (m *member) waitFor(t testing.TB, want string) {
	t.Helper()
	m.wait(t, fmt.Sprintf("want %.200q", want), func(got []byte) bool { return string(got) == want })
}

func (m *member) waitEnd(t testing.TB, end string) {
	t.Helper()
	m.wait(t, "want the end "+end, func(got []byte) bool { return bytes.HasSuffix(got, []byte(end)) })
}

func join(t testing.TB, r *room.Room, m *member, exclude bool) *member {
	t.Helper()
	if err := r.Join(m, exclude); err != nil {
		t.Fatal(err)
	}
	return m
}

func say(t testing.TB, r *room.Room, from session.ID, text string) {
	t.Helper()
	if err := r.Say(from, []byte(text)); err != nil {
		t.Fatal(err)
	}
}
