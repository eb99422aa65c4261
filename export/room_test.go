package export_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

// roomStory is what a room records of bytes, events and members.
func roomStory() []session.Event {
	const ada = session.ID("4tq9m2xk7bfd-n1")
	message := func(kind session.Said, from session.ID, text string) []byte {
		return session.RoomMessage{Offset: 7, Kind: kind, From: from, Bytes: []byte(text)}.Append(nil)
	}
	return story(
		session.Opened, session.Info{ID: "9hd2k7w0c3rm-n1", Listener: "page", Transport: "room", Start: start,
			Mapping: &session.Mapping{Field: "text"}},
		session.Joined, session.Present{ID: "kW0c_3rm", Session: ada, Name: "ada", Transport: "socketio",
			Remote: "[::1]:9"},
		session.Message, message(session.SaidBytes, ada, "hi\n"),
		session.Message, message(session.SaidEvent, ada, `["message",{"text":"你\n\u001b["}]`),
		session.Message, message(session.SaidEvent, "", `["typing"]`),
		session.Message, message(session.SaidEvent, "", `["move",[1, 2]]`),
		session.Left, session.Present{ID: "kW0c_3rm", Transport: "socketio", Remote: "[::1]:9"},
		session.Upgraded, "websocket",
		session.Joined, session.RoomRef{Room: "page", Session: "9hd2k7w0c3rm-n1", Last: 3},
	)
}

func TestARoomsRecordTellsOfEventsAndMembers(t *testing.T) {
	got := write(t, export.Text, export.Both, roomStory())
	for _, want := range []string{
		"joined    kW0c_3rm ada socketio [::1]:9\n",
		`message   4tq9m2xk7bfd "hi\n"` + "\n",
		`message   4tq9m2xk7bfd ["message",{"text":"你\n\u001b["}]` + "\n",
		`message   nobody ["typing"]` + "\n",
		"left      kW0c_3rm socketio [::1]:9\n",
		"upgraded  goes on over websocket\n",
		"joined    room page\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

func TestTheRawBytesOfARoomAreThoseThatAStreamGot(t *testing.T) {
	got := write(t, export.Raw, export.Both, roomStory())
	if want := "hi\n你\n\x1b[\n[1, 2]\n"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestWhatIsNoJSONCommandsNoTerminalEither(t *testing.T) {
	e := session.Event{Number: 1, Kind: session.Message,
		Data: session.RoomMessage{Kind: session.SaidEvent, Bytes: []byte("[\"\x1b[2J\u009b\xff\u202e")}.Append(nil)}
	got := write(t, export.Text, export.Both, []session.Event{e})
	if strings.ContainsAny(got, "\x1b\u009b\u202e") || !utf8.ValidString(got) || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q", got)
	}
}
