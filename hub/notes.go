package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/switchboard-relay/switchboard/session"
)

// Errors of notes.
var (
	ErrNoNote       = errors.New("the session has no such note")
	ErrTooManyNotes = fmt.Errorf("the session has %d notes, which is the most: remove some first", session.MaxNotes)
)

// Notes are a session's notes, in the order of session.CompareNotes.
func (h *Hub) Notes(ctx context.Context, id session.ID) ([]session.Note, error) {
	sum, err := h.Find(ctx, string(id))
	if err != nil {
		return nil, err
	}
	notes, err := h.store.Notes(sum.ID, sum.Start)
	if err != nil {
		return nil, fmt.Errorf("notes of %s: %w", sum.ID, err)
	}
	return notes, nil
}

// AddNote adds a note of somebody's to a session, live or recorded, and returns it with its id and time.
// recording.ErrNotRecorded if nothing is kept of the session.
func (h *Hub) AddNote(ctx context.Context, id session.ID, n session.Note) (session.Note, error) {
	if err := n.Check(); err != nil {
		return n, err
	}
	err := h.editNotes(ctx, id, func(notes []session.Note) ([]session.Note, error) {
		if len(notes) >= session.MaxNotes {
			return nil, ErrTooManyNotes
		}
		n.ID, n.Time, n.Edited = session.NewNoteID(), now(), 0
		return append(notes, n), nil
	})
	return n, err
}

// EditNote gives a note another text, unless may has an error for it, and returns it.
func (h *Hub) EditNote(ctx context.Context, id session.ID, note, text string, may func(session.Note) error) (n session.Note,
	err error) {
	err = h.editNote(ctx, id, note, may, func(notes []session.Note, i int) ([]session.Note, error) {
		notes[i].Text, notes[i].Edited = text, now()
		n = notes[i]
		return notes, n.Check()
	})
	return n, err
}

// RemoveNote removes a note, unless may has an error for it.
func (h *Hub) RemoveNote(ctx context.Context, id session.ID, note string, may func(session.Note) error) error {
	return h.editNote(ctx, id, note, may, func(notes []session.Note, i int) ([]session.Note, error) {
		return slices.Delete(notes, i, i+1), nil
	})
}

func (h *Hub) editNote(ctx context.Context, id session.ID, note string, may func(session.Note) error,
	change func(notes []session.Note, i int) ([]session.Note, error)) error {
	return h.editNotes(ctx, id, func(notes []session.Note) ([]session.Note, error) {
		i := slices.IndexFunc(notes, func(n session.Note) bool { return n.ID == note })
		if i < 0 {
			return nil, fmt.Errorf("%w: %q", ErrNoNote, note)
		}
		if err := may(notes[i]); err != nil {
			return nil, err
		}
		return change(notes, i)
	})
}

// editNotes changes the notes of a session or a room, live or recorded.
func (h *Hub) editNotes(ctx context.Context, id session.ID, change func([]session.Note) ([]session.Note, error)) error {
	if s := h.live.get(id); s != nil {
		return s.log.EditNotes(change)
	}
	if l, open := h.rooms.get(id); open {
		return l.log.EditNotes(change)
	}
	sum, err := h.Find(ctx, string(id))
	if err != nil {
		return err
	}
	return h.store.EditNotes(sum.ID, sum.Start, change)
}
