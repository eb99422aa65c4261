package hub

import (
	"io"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// Reader reads the events of many sessions, live ones and ended ones, one session after the other, for the program's own
// needs: it counts as no watcher, and of what is not recorded it sees nothing. It is for one goroutine.
type Reader struct {
	hub    *Hub
	id     session.ID
	cursor recording.Cursor
}

// NewReader makes a reader. It holds nothing until it opens a session.
func (h *Hub) NewReader() *Reader { return &Reader{hub: h} }

// Open makes the reader read a session's events from a number on; start (Unix µs) is the session's. recording.ErrNotFound if
// nothing is kept of it.
func (r *Reader) Open(id session.ID, start int64, from uint64) error {
	from = max(from, 1)
	if r.id == id && r.cursor.Position() == from {
		return nil
	}
	if s := r.hub.live.get(id); s != nil {
		r.id = id
		r.cursor.Aim(s.log, from)
		return nil
	}
	rec, err := r.hub.store.Recording(id, start)
	if err != nil {
		return err
	}
	r.id = id
	r.cursor.AimAt(rec, from)
	return nil
}

// Next returns the next events, valid until the next call: nil, nil if there are none yet, io.EOF behind the last.
func (r *Reader) Next() ([]session.Event, error) {
	if r.id == "" {
		return nil, io.ErrClosedPipe
	}
	return r.cursor.TryNext()
}

// Rest lets go of the session, and of its file.
func (r *Reader) Rest() {
	r.id = ""
	r.cursor.Rest()
}

// Info is what is known of a session of this node, live or ended; start is as in Reader.Open.
func (h *Hub) Info(id session.ID, start int64) (session.Info, error) {
	if s := h.live.get(id); s != nil {
		return s.Info(), nil
	}
	rec, err := h.store.Recording(id, start)
	if err != nil {
		return session.Info{}, err
	}
	defer rec.Close()
	return rec.Summary().Info, nil
}
