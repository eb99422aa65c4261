package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

var roomRoutes = []route{
	{"GET /api/v1/rooms", auth.Viewer, (*server).rooms},
	{"GET /api/v1/rooms/{name}", auth.Viewer, (*server).room},
	{"POST /api/v1/rooms/{name}/say", auth.Operator, (*server).say},
}

// Room is a room and who is in it.
type Room struct {
	room.Status
	Present []Present `json:"present"` // those who have been there longest first
}

// Present is one member of a room.
type Present struct {
	session.Present
	Since string `json:"since"` // by session.TimeLayout
}

// errNoRoom says that no room has that name.
var errNoRoom = errors.New("no such room")

// rooms answers with every room, by name.
func (s *server) rooms(w http.ResponseWriter, _ *http.Request) error {
	list := []room.Status{}
	for _, r := range s.Rooms.List() {
		list = append(list, r.Status())
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

func (s *server) room(w http.ResponseWriter, r *http.Request) error {
	found, err := s.findRoom(r)
	if err != nil {
		return err
	}
	answer := Room{Status: found.Status(), Present: []Present{}}
	for _, p := range found.Present() {
		answer.Present = append(answer.Present, Present{p, session.FormatTime(p.Since)})
	}
	answer.Members = len(answer.Present)
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// namedRooms bounds how many rooms an error names.
const namedRooms = 10

// findRoom is the room that the path names.
func (s *server) findRoom(r *http.Request) (*room.Room, error) {
	name := r.PathValue("name")
	if found := s.Rooms.Find(name); found != nil {
		return found, nil
	}
	var names []string
	for i, other := range s.Rooms.List() {
		if i == namedRooms {
			names = append(names, "…")
			break
		}
		names = append(names, fmt.Sprintf("%q", other.Name()))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: %q: no listener has one: configure one with service: room", errNoRoom, name)
	}
	return nil, fmt.Errorf("%w: %q: choose one of %s", errNoRoom, name, strings.Join(names, ", "))
}

// say says the body to a room, in nobody's name: an event if it is JSON by its Content-Type, else bytes.
func (s *server) say(w http.ResponseWriter, r *http.Request) error {
	found, err := s.findRoom(r)
	if err != nil {
		return err
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		return s.sayEvent(w, r, found, body)
	}
	if len(body) == 0 {
		return bad("the body is empty: it is what is said to the room")
	}
	if err := found.Say("", body); err != nil {
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	s.Logger.Info("said", "room", found.Name(), "by", who(r).Name, "bytes", len(body))
	writeJSON(w, http.StatusOK, map[string]any{"room": found.Name(), "bytes": len(body)})
	return nil
}

func (s *server) sayEvent(w http.ResponseWriter, r *http.Request, to *room.Room, body []byte) error {
	name, event, err := parseEvent(body)
	if err != nil {
		return err
	}
	if len(event) > room.MaxEvent {
		return bad("an event of %d bytes: %d at most; an event is not taken apart", len(event), room.MaxEvent)
	}
	if err := to.SayEvent("", event); err != nil {
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	s.Logger.Info("said", "room", to.Name(), "by", who(r).Name, "event", name, "bytes", len(event))
	writeJSON(w, http.StatusOK, map[string]any{"room": to.Name(), "event": name, "bytes": len(event)})
	return nil
}

// parseEvent reads {"event": NAME, "args": […]}, and makes the event as rooms say it. Arguments stay as they are written.
func parseEvent(body []byte) (name string, event []byte, err error) {
	var said struct {
		Event string            `json:"event"`
		Args  []json.RawMessage `json:"args"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&said); err != nil {
		return "", nil, bad(`the body must be JSON such as {"event": "message", "args": ["hello"]}: %w`, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return "", nil, bad("the body goes on behind its JSON: an event is one object")
	}
	if err := session.CheckEventName(said.Event); err != nil {
		return "", nil, badRequest{err}
	}
	var args []byte
	for i, arg := range said.Args {
		if i > 0 {
			args = append(args, ',')
		}
		args = append(args, arg...)
	}
	event = session.AppendEvent(nil, said.Event, args)
	if err := session.CheckEvent(event); err != nil {
		return "", nil, bad("the arguments must be UTF-8: %w", err)
	}
	return said.Event, event, nil
}
