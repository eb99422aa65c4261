package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/session"
)

var noteRoutes = []route{
	{"GET /api/v1/sessions/{id}/notes", auth.Viewer, (*server).notes},
	{"POST /api/v1/sessions/{id}/notes", auth.Operator, (*server).addNote},
	{"PUT /api/v1/sessions/{id}/notes/{note}", auth.Operator, (*server).editNote},
	{"DELETE /api/v1/sessions/{id}/notes/{note}", auth.Operator, (*server).removeNote},
}

func (s *server) notes(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	notes, err := s.Hub.Notes(r.Context(), sum.ID)
	if err != nil {
		return err
	}
	if notes == nil {
		notes = []session.Note{}
	}
	writeJSON(w, http.StatusOK, notes)
	return nil
}

// addNote adds a note in the name of who asks.
func (s *server) addNote(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	n := session.Note{By: who(r).Name}
	var body struct {
		At   *int64 `json:"at"`
		Text string `json:"text"`
	}
	if err := noteBody(w, r, &body); err != nil {
		return err
	}
	n.At, n.Text = body.At, body.Text
	if err := n.Check(); err != nil {
		return badRequest{err}
	}
	if sum.Record == session.RecordOff {
		return errNotRecorded
	}
	if n, err = s.Hub.AddNote(r.Context(), sum.ID, n); err != nil {
		return err
	}
	s.changed(sum.ID, "notes")
	writeJSON(w, http.StatusOK, n)
	return nil
}

// editNote gives a note another text.
func (s *server) editNote(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	var body struct {
		Text *string `json:"text"`
	}
	if err := noteBody(w, r, &body); err != nil {
		return err
	}
	if body.Text == nil {
		return bad("the text is missing: send JSON such as {\"text\": \"the pump stops here\"}")
	}
	n, err := s.Hub.EditNote(r.Context(), sum.ID, r.PathValue("note"), *body.Text, func(n session.Note) error {
		if err := mayChange(r, n); err != nil {
			return err
		}
		n.Text = *body.Text
		if err := n.Check(); err != nil {
			return badRequest{err}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.changed(sum.ID, "notes")
	writeJSON(w, http.StatusOK, n)
	return nil
}

func (s *server) removeNote(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.find(r)
	if err != nil {
		return err
	}
	note := r.PathValue("note")
	err = s.Hub.RemoveNote(r.Context(), sum.ID, note, func(n session.Note) error { return mayChange(r, n) })
	if err != nil {
		return err
	}
	s.Logger.Info("a note was removed", "session", sum.ID, "note", note, "by", who(r).Name)
	s.changed(sum.ID, "notes")
	writeJSON(w, http.StatusOK, map[string]any{"id": note, "removed": true})
	return nil
}

// mayChange lets a note's author change it, and every admin.
func mayChange(r *http.Request, n session.Note) error {
	if id := who(r); id.Name != n.By && !id.Role.Includes(auth.Admin) {
		return fmt.Errorf("%w: the note is by %q: its author may change it, or an admin", errForbidden, n.By)
	}
	return nil
}

// noteBody reads one object of JSON.
func noteBody(w http.ResponseWriter, r *http.Request, into any) error {
	defer awaitBody(w)()
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return bad("the body must be JSON such as {\"at\": 1500000, \"text\": \"the pump stops here\"}: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return bad("the body goes on behind its JSON: a note is one object")
	}
	return nil
}
