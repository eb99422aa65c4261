package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

// ear hears what is said in a room.
type ear chan session.RoomMessage

// Said implements room.Follower.
func (e ear) Said(m room.Message) {
	m.Bytes = append([]byte{}, m.Bytes...)
	e <- m.RoomMessage
}

// hears checks what is said next, and that nobody said it.
func (e ear) hears(t *testing.T, kind session.Said, want string) {
	t.Helper()
	select {
	case m := <-e:
		if m.Kind != kind || string(m.Bytes) != want || m.From != "" {
			t.Errorf("the room got kind %d, %q, from %q; want kind %d, %q, from nobody", m.Kind, m.Bytes, m.From, kind, want)
		}
	case <-time.After(patience):
		t.Fatalf("waited %v in vain for %q in the room", patience, want)
	}
}

// openRoom opens a room, with an ear in it.
func (h *house) openRoom(name string, conf room.Config) (*room.Room, ear) {
	h.t.Helper()
	r, err := h.rooms.Open(h.t.Context(), name, conf)
	check(h.t, err)
	e := make(ear, 100)
	_, _, err = r.Follow(e)
	check(h.t, err)
	return r, e
}

// say posts to a room as an operator.
func (h *house) say(name, kind, body string) (status int, answer string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), "POST", h.base+roomPath(name)+"/say", strings.NewReader(body))
	check(h.t, err)
	req.Header.Set("Authorization", "Bearer otto")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultClient.Do(req)
	check(h.t, err)
	return h.read(resp)
}

// roomPath escapes points too: a name of two of them would lead a folder up.
func roomPath(name string) string {
	return "/api/v1/rooms/" + strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
}

func TestRoomsAreListedByNameWithTheirMembers(t *testing.T) {
	h := open(t)
	if status, body := h.do("vera", "GET", "/api/v1/rooms", ""); status != http.StatusOK || body != "[]\n" {
		t.Errorf("without rooms: %d %q", status, body)
	}
	mapped := session.Mapping{Format: session.FormatJSON, Event: "move", Field: "at"}
	board, heard := h.openRoom("board", room.Config{Mapping: mapped})
	chat, _ := h.openRoom("a/chat 中", room.Config{})
	check(t, board.Say("", []byte("one")))
	heard.hears(t, session.SaidBytes, "one")
	early := session.Present{ID: "sock1", Session: "s1-n1", Name: "eve", Transport: "socketio", Remote: "10.0.0.1:1",
		Since: 1700000000000001}
	check(t, board.Enter(session.Present{ID: "late-n1", Session: "late-n1", Transport: "tcp", Remote: "10.0.0.2:2"}))
	check(t, board.Enter(early))

	var list []room.Status
	h.get("/api/v1/rooms", &list)
	want := []room.Status{
		{Name: "a/chat 中", Epoch: chat.Epoch(), Session: chat.Info().ID,
			Mapping: session.Mapping{Format: "text", Event: "message"}},
		{Name: "board", Members: 2, Offset: 1, Epoch: board.Epoch(), Session: board.Info().ID, Mapping: mapped},
	}
	if fmt.Sprint(list) != fmt.Sprint(want) {
		t.Errorf("got %+v\nwant %+v", list, want)
	}
	var one web.Room
	h.get("/api/v1/rooms/board", &one)
	if len(one.Present) != 2 || one.Members != 2 || one.Offset != 1 || one.Present[1].ID != "late-n1" {
		t.Fatalf("got %+v; want both members, who has been there longest first", one)
	}
	if got := one.Present[0]; got.Name != "eve" || got.Session != "s1-n1" || got.Since != "2023-11-14T22:13:20.000001Z" {
		t.Errorf("got %+v; want %+v", got, early)
	}
	board.Exit("sock1")
	board.Exit("late-n1")
	_, body := h.do("vera", "GET", roomPath("board"), "")
	if !strings.Contains(body, `"members":0`) || !strings.Contains(body, `"present":[]`) {
		t.Errorf("when all have left: %s", body)
	}
}

func TestWhatAnOperatorSaysReachesTheRoomAsItIs(t *testing.T) {
	h := open(t)
	_, heard := h.openRoom("chat", room.Config{})
	long := strings.Repeat("x", room.MaxMessage)
	for _, c := range []struct {
		kind, body string
		said       session.Said
		want       []string
		answer     string
	}{
		{"", "a\xff\x00\r\n", session.SaidBytes, []string{"a\xff\x00\r\n"}, `{"bytes":5,"room":"chat"}`},
		{"text/plain", `["x"]`, session.SaidBytes, []string{`["x"]`}, `{"bytes":5,"room":"chat"}`},
		{"", long + "end", session.SaidBytes, []string{long, "end"}, `{"bytes":65510,"room":"chat"}`},
		{"application/json", `{"event":"player \"moved\"","args":[{"b":1.0, "a":[ ]},"<x>",null]}`, session.SaidEvent,
			[]string{`["player \"moved\"",{"b":1.0, "a":[ ]},"<x>",null]`},
			`{"bytes":50,"event":"player \"moved\"","room":"chat"}`},
		{"application/json; charset=utf-8", ` {"event":"ping"} `, session.SaidEvent, []string{`["ping"]`},
			`{"bytes":8,"event":"ping","room":"chat"}`},
	} {
		status, answer := h.say("chat", c.kind, c.body)
		if status != http.StatusOK || strings.TrimSpace(answer) != c.answer {
			t.Errorf("say %.60q as %q: %d %s; want %s", c.body, c.kind, status, answer, c.answer)
		}
		for _, want := range c.want {
			heard.hears(t, c.said, want)
		}
	}
	if log := h.log.String(); !strings.Contains(log, "msg=said room=chat by=otto bytes=5") ||
		!strings.Contains(log, `room=chat by=otto event=ping`) {
		t.Errorf("the log does not say who said it: %s", log)
	}
}

func TestARoomsNameMayHoldAnything(t *testing.T) {
	h := open(t)
	for _, name := range []string{"a/b", "//", "..", "a b?c#d%2F", "房间", "say", "x\ny"} {
		_, heard := h.openRoom(name, room.Config{})
		if status, answer := h.say(name, "", "hello"); status != http.StatusOK {
			t.Errorf("say to %q: %d %s", name, status, answer)
			continue
		}
		heard.hears(t, session.SaidBytes, "hello")
		var one web.Room
		if h.get(roomPath(name), &one); one.Name != name {
			t.Errorf("asked for the room %q: got %q", name, one.Name)
		}
	}
}

func TestWhatCannotBeSaidToARoomIsRefused(t *testing.T) {
	h := open(t)
	h.refused("vera", "GET", "/api/v1/rooms/chat", "", http.StatusNotFound, "service: room")
	_, heard := h.openRoom("chat", room.Config{})
	h.refused("vera", "GET", "/api/v1/rooms/chta", "", http.StatusNotFound, `"chta": choose one of "chat"`)
	h.refused("otto", "POST", "/api/v1/rooms/chta/say", "x", http.StatusNotFound, `choose one of "chat"`)
	h.refused("vera", "POST", "/api/v1/rooms/chat/say", "x", http.StatusForbidden, "operator")
	h.refused("otto", "POST", "/api/v1/rooms/chat/say", "", http.StatusBadRequest, "the body is empty")
	h.refused("otto", "GET", "/api/v1/rooms/chat/say", "", http.StatusMethodNotAllowed, "POST")
	h.refused("otto", "POST", "/api/v1/rooms/chat/say", strings.Repeat("x", 1<<20+1),
		http.StatusRequestEntityTooLarge, "pieces")
	for body, says := range map[string]string{
		`{"event":""}`:                          "must be UTF-8 of 1 to 256 bytes",
		`{"event":"disconnect"}`:                "choose another",
		`{"event":"x","args":"y"}`:              `such as {\"event\"`,
		`{"event":"x","arguments":["y"]}`:       "unknown field",
		`{"event":"x"}{}`:                       "one object",
		`hello`:                                 "must be JSON",
		``:                                      "must be JSON",
		"{\"event\":\"x\",\"args\":[\"\xff\"]}": "UTF-8",
		`{"event":"x","args":["` + strings.Repeat("x", room.MaxEvent) + `"]}`: "1000000 at most",
	} {
		status, answer := h.say("chat", "application/json", body)
		if status != http.StatusBadRequest || !strings.Contains(answer, says) || !json.Valid([]byte(answer)) {
			t.Errorf("say %.60q: %d %s; want 400 and %q", body, status, answer, says)
		}
	}
	if status, _ := h.say("chat", "", "at last"); status != http.StatusOK {
		t.Errorf("then bytes: %d", status)
	}
	heard.hears(t, session.SaidBytes, "at last") // and nothing before it
	h.rooms.Close()
	if status, answer := h.say("chat", "", "late"); status != http.StatusNotFound {
		t.Errorf("when the rooms are closed: %d %s", status, answer)
	}
}
