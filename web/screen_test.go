package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// shell is a session whose screen is a terminal of 20 columns and 4 rows.
func (h *house) shell(record session.Record) *hub.Session {
	h.t.Helper()
	l, err := h.hub.Listener(hub.ListenerConfig{Name: "shell", Transport: "pipe", Terminal: "20x4", Record: record}, nil)
	check(h.t, err)
	return h.fill(l, 1)[0]
}

// rows is what a terminal shows.
func rows(t *terminal.Terminal) string {
	var text []string
	_, n := t.Size()
	for y := range n {
		text = append(text, string(t.AppendRow(nil, y)))
	}
	return strings.Join(text, "|")
}

// drawn is what a new terminal shows that is brought to a screen.
func drawn(cols, rows int, data []byte) *terminal.Terminal {
	t := terminal.New(cols, rows)
	t.Write(data)
	return t
}

func TestAScreenIsToldInEveryForm(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	says(t, s, "\x1b]2;a title\x07one\r\ntwo \x1b[31mred") // 2
	s.Resize(30, 5)                                        // 3
	says(t, s, "\r\n\x1b[?25lthree")                       // 4
	path := sessionPath(s.ID(), "/screen")
	var got struct {
		Number     uint64
		Time       int64
		Cols, Rows int
		Title      string
		Cursor     struct {
			Col, Row int
			Shown    bool
		}
		RowsText []string `json:"rows_text"`
		Data     []byte
	}
	status, body := h.do("vera", "GET", path, "")
	check(t, json.Unmarshal([]byte(body), &got))
	if status != 200 || got.Number != 4 || got.Cols != 30 || got.Rows != 5 || got.Title != "a title" || got.Cursor.Col != 5 ||
		got.Cursor.Row != 2 || got.Cursor.Shown || strings.Join(got.RowsText, "|") != "one|two red|three||" || got.Time <= 0 {
		t.Errorf("the newest: %d %s", status, body)
	}
	if text := rows(drawn(30, 5, got.Data)); text != "one|two red|three||" || !strings.HasPrefix(string(got.Data), "\x1bc") {
		t.Errorf("the data draws %q", text)
	}
	for query, want := range map[string]string{"?format=text": "one\ntwo red\nthree\n\n\n", "?format=text&number=2": "one\ntwo red\n\n\n",
		"?format=text&number=0": strings.Repeat("\n", 24), "?format=text&number=1": "\n\n\n\n", "?format=text&time=0": "\n\n\n\n",
		"?format=text&number=99": "one\ntwo red\nthree\n\n\n", "?format=text&time=1h": "one\ntwo red\nthree\n\n\n",
		"?format=text&time=9223372036854775807": "one\ntwo red\nthree\n\n\n"} {
		if status, body := h.do("vera", "GET", path+query, ""); status != 200 || body != want {
			t.Errorf("%s: %d %q; want %q", query, status, body, want)
		}
	}
	if status, body := h.do("vera", "GET", path+"?format=svg", ""); status != 200 || !strings.HasPrefix(body, "<svg ") {
		t.Errorf("svg: %d %.80q", status, body)
	}
	if status, body := h.do("vera", "GET", path+"?format=ansi", ""); status != 200 || body != string(got.Data) {
		t.Errorf("ansi: %d %q; want %q", status, body, got.Data)
	}
	for query, says := range map[string]string{"?format=gif": "use json", "?number=x": "number", "?number=1&time=1": "one of them",
		"?time=later": "1m30s", "?at=1": "use time"} {
		if status, body := h.do("vera", "GET", path+query, ""); status != 400 || !strings.Contains(body, says) {
			t.Errorf("%s: %d %s; want 400 and %q", query, status, body, says)
		}
	}
	if status, _ := h.do("", "GET", path, ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
}

func TestTheScreenOfWhatIsNotRecordedIsNotKnown(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOff)
	if status, body := h.do("vera", "GET", sessionPath(s.ID(), "/screen"), ""); status != 409 || !strings.Contains(body, "record: off") {
		t.Errorf("%d %s; want 409", status, body)
	}
	h.look("vera").refused("watch", fmt.Sprintf(`{"stream":1,"id":%q,"screen":true}`, s.ID()), 409, "record: off")
}

func TestAStreamBeginsWithTheScreenWhereItIsAskedTo(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	for i := range 5 {
		says(t, s, "%d", i+2) // numbers 2 to 6
	}
	p := h.look("vera")
	times := p.watch(1, s.ID(), `"follow":false`)
	all := p.rest(1)
	if times.Screen != nil {
		t.Errorf("a screen that nobody asked for: %+v", times.Screen)
	}
	for i, ask := range []struct {
		more       string
		number, at uint64
		shows      string
	}{
		{"", 6, 7, "23456"},
		{`"follow":false`, 0, 1, ""},
		{`"from":5`, 4, 5, "234"},
		{`"from":1`, 0, 1, ""},
		{fmt.Sprintf(`"time":%d`, all[3].Time), 3, 4, "23"},
		{`"time":9000000000000000000`, 6, 7, "23456"},
	} {
		got := p.watch(10+i, s.ID(), strings.TrimSuffix(`"screen":true,`+ask.more, ","))
		if got.Screen == nil {
			t.Fatalf("%s: no screen", ask.more)
		}
		shows := rows(drawn(got.Screen.Cols, got.Screen.Rows, got.Screen.data))
		if got.Screen.Number != ask.number || got.From != ask.number+1 || got.At != ask.at || strings.TrimRight(shows, "|") != ask.shows {
			t.Errorf("%s: behind %d, from %d at %d, shows %q; want behind %d at %d, %q", ask.more, got.Screen.Number, got.From, got.At,
				shows, ask.number, ask.at, ask.shows)
		}
	}
	says(t, s, "!")
	for stream, want := range map[int]string{10: "!", 12: "56!", 14: "456!"} {
		if got := bytesOf(p.some(stream, has("!")), session.Sent); got != want {
			t.Errorf("stream %d sent %q; want %q", stream, got, want)
		}
	}
	for more, says := range map[string]string{`"back":{"events":1}`: "leave out back", `"from":2,"skip":1`: "leave out back"} {
		p.refused("watch", fmt.Sprintf(`{"stream":90,"id":%q,"screen":true,%s}`, s.ID(), more), 400, says)
	}
}

func TestAStreamTellsWhatTheTerminalShowsBehindItsLastResize(t *testing.T) {
	h := open(t)
	s := h.shell(session.RecordOn)
	says(t, s, "a line that is longer than the row") // 2
	s.Resize(10, 4)                                  // 3
	says(t, s, "more")                               // 4
	s.Resize(40, 3)                                  // 5
	says(t, s, "!")                                  // 6
	p := h.look("vera")
	begun := p.watch(1, s.ID(), `"screen":true,"from":2`)
	seen := drawn(begun.Screen.Cols, begun.Screen.Rows, begun.Screen.data)
	var numbers []uint64
	for _, e := range p.some(1, has("!")) {
		switch e.Kind {
		case session.Sent:
			seen.Write(e.Data)
		case session.Resized:
			size, _ := session.ParseSize(string(e.Data))
			seen.Write([]byte("this must not be seen"))
			seen.Resize(size.Cols, size.Rows)
		case 255:
			numbers = append(numbers, e.Number)
			seen.Write(e.Data)
		}
	}
	if len(numbers) != 1 || numbers[0] != 5 {
		t.Errorf("screens behind %v; want one behind 5", numbers)
	}
	there := terminal.New(20, 4)
	there.Write([]byte("a line that is longer than the row"))
	there.Resize(10, 4)
	there.Write([]byte("more"))
	there.Resize(40, 3)
	there.Write([]byte("!"))
	if got, want := rows(seen), rows(there); got != want {
		t.Errorf("shows %q; want %q", got, want)
	}
	for _, e := range func() []session.Event { p.watch(2, s.ID(), `"follow":false`); return p.rest(2) }() {
		if e.Kind == 255 {
			t.Error("a screen in a stream that did not ask for it")
		}
	}
}
