package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

// notes are a session's notes, as a viewer sees them.
func (h *house) notes(id session.ID) (list []session.Note) {
	h.t.Helper()
	h.get(sessionPath(id, "/notes"), &list)
	return list
}

// noted adds a note by a token's owner.
func (h *house) noted(token string, id session.ID, body string) (n session.Note) {
	h.t.Helper()
	status, text := h.do(token, "POST", sessionPath(id, "/notes"), body)
	if err := json.Unmarshal([]byte(text), &n); err != nil || status != http.StatusOK {
		h.t.Fatalf("a note %s: %d %s", body, status, text)
	}
	return n
}

func TestNotesAreWrittenWhileASessionLivesAndStayWithIt(t *testing.T) {
	h := open(t)
	c := h.call(h.listen("a"))
	if _, body := h.do("vera", "GET", sessionPath(c.id, "/notes"), ""); strings.TrimSpace(body) != "[]" {
		t.Errorf("no notes: got %q; want an empty array", body)
	}
	mark := h.noted("otto", c.id, `{"at": 2500}`)
	late := h.noted("ada", session.ID(c.id.Short()), `{"at": 9000, "text": "the pump stops\u0000 温"}`)
	whole := h.noted("otto", c.id, `{"text": "seen by the day shift"}`)
	if whole.By != "otto" || whole.Time == 0 || whole.Edited != 0 || whole.At != nil || mark.At == nil || *mark.At != 2500 {
		t.Errorf("the notes are %+v, %+v", whole, mark)
	}
	if got := h.changes.take(); got != strings.Repeat(", "+string(c.id)+" notes", 3)[2:] {
		t.Errorf("told were %q", got)
	}
	check := func(when string) {
		t.Helper()
		list := h.notes(c.id)
		if len(list) != 3 || list[0].ID != whole.ID || list[1].ID != mark.ID || list[2].ID != late.ID ||
			list[2].Text != "the pump stops\x00 温" {
			t.Errorf("%s the notes are %+v", when, list)
		}
	}
	check("while it is live")
	c.hangUp()
	check("when it is recorded")
	if status, body := h.do("ada", "DELETE", sessionPath(c.id, ""), ""); status != http.StatusOK {
		t.Fatalf("delete: %d %s", status, body)
	}
	h.refused("vera", "GET", sessionPath(c.id, "/notes"), "", http.StatusNotFound, c.id.Short())
	h.refused("otto", "POST", sessionPath(c.id, "/notes"), `{"text":"x"}`, http.StatusNotFound, c.id.Short())
	if got := h.changes.take(); got != string(c.id)+" removed" {
		t.Errorf("told were %q", got)
	}
}

func TestANoteIsChangedByItsAuthorOrAnAdmin(t *testing.T) {
	h := open(t)
	id := h.call(h.listen("a")).id
	ottos, adas := h.noted("otto", id, `{"text":"one"}`), h.noted("ada", id, `{"text":"two"}`)
	h.changes.take()
	at := func(n session.Note) string { return sessionPath(id, "/notes/"+n.ID) }
	h.refused("otto", "PUT", at(adas), `{"text":"mine"}`, http.StatusForbidden, `"ada"`)
	h.refused("otto", "DELETE", at(adas), "", http.StatusForbidden, `"ada"`)
	h.refused("vera", "PUT", at(ottos), `{"text":"mine"}`, http.StatusForbidden, "operator")
	h.refused("otto", "PUT", sessionPath(id, "/notes/zzz"), `{"text":"x"}`, http.StatusNotFound, "zzz")
	if got := h.changes.take(); got != "" {
		t.Errorf("told of what was refused: %q", got)
	}
	for i, token := range []string{"otto", "ada"} {
		status, text := h.do(token, "PUT", at(ottos), fmt.Sprintf(`{"text":"change %d"}`, i))
		var n session.Note
		if err := json.Unmarshal([]byte(text), &n); err != nil || status != http.StatusOK || n.By != "otto" ||
			n.Text != fmt.Sprint("change ", i) || n.Edited < n.Time || n.Time != ottos.Time {
			t.Errorf("changed by %s: %d %s", token, status, text)
		}
	}
	for _, n := range []session.Note{ottos, adas} {
		if status, text := h.do("ada", "DELETE", at(n), ""); status != http.StatusOK || !strings.Contains(text,
			fmt.Sprintf(`{"id":%q,"removed":true}`, n.ID)) {
			t.Errorf("removed: %d %s", status, text)
		}
	}
	h.refused("otto", "DELETE", at(ottos), "", http.StatusNotFound, ottos.ID)
	if list := h.notes(id); len(list) != 0 {
		t.Errorf("left are %+v", list)
	}
}

func TestANoteThatCannotBeIsRefused(t *testing.T) {
	h := open(t)
	id := h.call(h.listen("a")).id
	for body, says := range map[string]string{"": "JSON", "x": "JSON", `{"text":""}`: "needs a text", `{}`: "needs a text",
		`{"text":"x"}{}`: "one object", `{"text":"x","by":"ada"}`: `"by"`, `{"at":-1}`: "before", `{"at":"1s"}`: "JSON",
		`{"text":"` + strings.Repeat("x", session.MaxNoteText+1) + `"}`: "4096",
	} {
		h.refused("otto", "POST", sessionPath(id, "/notes"), body, http.StatusBadRequest, says)
	}
	n := h.noted("otto", id, `{"text":"x"}`)
	for body, says := range map[string]string{`{}`: "missing", `{"text":""}`: "needs a text", `{"text":"x","at":1}`: `"at"`} {
		h.refused("otto", "PUT", sessionPath(id, "/notes/"+n.ID), body, http.StatusBadRequest, says)
	}
	h.refused("vera", "POST", sessionPath(id, "/notes"), `{"text":"x"}`, http.StatusForbidden, "operator")
	off := h.call(h.listen("b", func(c *hub.ListenerConfig) { c.Record = session.RecordOff })).id
	h.refused("otto", "POST", sessionPath(off, "/notes"), `{"text":"x"}`, http.StatusConflict, "not recorded")
	if list := h.notes(off); len(list) != 0 {
		t.Errorf("a session that is not recorded has %+v", list)
	}
}

func TestNotesOfManyAtOnceAreAllKept(t *testing.T) {
	h := open(t)
	id := h.call(h.listen("a")).id
	const writers, each = 4, 10
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				body := fmt.Sprintf(`{"at": %d}`, w*each+i)
				if status, text := h.do("otto", "POST", sessionPath(id, "/notes"), body); status != http.StatusOK {
					t.Errorf("note %d of %d: %d %s", i, w, status, text)
				}
			}
		})
	}
	all.Wait()
	if n := len(h.notes(id)); n != writers*each {
		t.Errorf("%d notes; want %d", n, writers*each)
	}
}

func TestASessionHasSoManyNotesAndNoMore(t *testing.T) {
	h := open(t)
	id := h.call(h.listen("a")).id
	h.noted("otto", id, `{"text":"the first"}`)
	files, err := filepath.Glob(filepath.Join(h.data, "recordings/*/*/*/*", string(id)+".notes"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the notes lie in %v, %v", files, err)
	}
	var list []session.Note
	for i := range session.MaxNotes - 1 {
		list = append(list, session.Note{ID: fmt.Sprint(i), Text: "x", By: "otto"})
	}
	check(t, os.WriteFile(files[0], session.JSON(list), 0o600))
	h.noted("otto", id, `{"text":"the last"}`)
	h.refused("otto", "POST", sessionPath(id, "/notes"), `{"text":"x"}`, http.StatusConflict, "the most")
	if n := len(h.notes(id)); n != session.MaxNotes {
		t.Errorf("%d notes; want %d", n, session.MaxNotes)
	}
}
