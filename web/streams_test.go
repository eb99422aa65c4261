package web_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

// place is where a stream goes, as the server says.
type place struct {
	ID       uint64
	Session  session.ID
	URL      string
	Producer string `json:"ws_producer_url"`
}

// newStream asks for one as asciinema's program does: with a password, and a body that has more in it than we know.
func (h *house) newStream(token string) (p place) {
	h.t.Helper()
	req, err := http.NewRequest("POST", h.base+"/api/v1/streams", strings.NewReader(`{"live": true, "title": "my shell", "shell": "/bin/zsh", "env": {}, "term_type": null}`))
	check(h.t, err)
	req.SetBasicAuth("joe", token)
	resp, err := http.DefaultClient.Do(req)
	check(h.t, err)
	status, body := h.read(resp)
	if status != http.StatusCreated {
		h.t.Fatalf("%d %s", status, body)
	}
	check(h.t, json.Unmarshal([]byte(body), &p))
	if p.ID == 0 || p.URL != h.base+"/sessions/"+string(p.Session) {
		h.t.Fatalf("the place is %s", body)
	}
	return p
}

// producer is one who streams, by another library.
type producer struct {
	t *testing.T
	io.ReadWriter
	io.Closer
}

func (h *house) produce(t *testing.T, url, protocol string) *producer {
	t.Helper()
	d := ws.Dialer{Protocols: []string{protocol}}
	conn, early, shake, err := d.Dial(t.Context(), url)
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if shake.Protocol != protocol {
		t.Fatalf("the protocol is %q", shake.Protocol)
	}
	p := &producer{t, conn, conn}
	if early != nil {
		p.ReadWriter = struct {
			io.Reader
			io.Writer
		}{bufio.NewReader(early), conn}
	}
	return p
}

func (p *producer) says(frames ...export.AlisFrame) {
	p.t.Helper()
	for _, f := range frames {
		check(p.t, wsutil.WriteClientBinary(p, f.Append(nil)))
	}
}

func (p *producer) begins(last uint64, cols, rows int, screen string) {
	p.t.Helper()
	check(p.t, wsutil.WriteClientBinary(p, []byte(export.AlisMagic)))
	p.says(export.AlisFrame{Kind: export.AlisInit, ID: last, Size: session.Size{Cols: cols, Rows: rows}, Text: screen})
}

func output(id uint64, text string) export.AlisFrame {
	return export.AlisFrame{Kind: export.AlisOutput, ID: id, Time: 1000, Text: text}
}

// leaves is how asciinema's program says goodbye.
func (p *producer) leaves() {
	p.t.Helper()
	check(p.t, ws.WriteFrame(p, ws.MaskFrameInPlace(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "ended")))))
}

// over is the code that the server closes with.
func (p *producer) over() ws.StatusCode {
	p.t.Helper()
	var closed wsutil.ClosedError
	for {
		if _, _, err := wsutil.ReadServerData(p); errors.As(err, &closed) {
			return closed.Code
		} else if err != nil {
			p.t.Fatalf("it ended with %v", err)
		}
	}
}

// ended waits for a session to be recorded, and returns it with its events.
func (h *house) ended(id session.ID) (session.Summary, []session.Event) {
	h.t.Helper()
	h.until("it is recorded", func() bool { return h.one(id).State == session.Recorded })
	return h.one(id), h.watch(id, "").rest()
}

// shows waits until some of what a session was sent is on record.
func (h *house) shows(id session.ID, text string) {
	h.t.Helper()
	h.until("it shows "+text, func() bool {
		status, body := h.do("vera", "GET", sessionPath(id, "/screen?format=text"), "")
		return status == 200 && strings.Contains(body, text)
	})
}

func TestAStreamOfAsciinemaIsASession(t *testing.T) {
	h := open(t)
	at := h.newStream("otto")
	p := h.produce(t, at.Producer, "v1.alis")
	p.begins(2, 100, 30, "$ ")
	p.says(output(3, "ls\r\n"), export.AlisFrame{Kind: export.AlisInput, ID: 4, Text: "l"},
		export.AlisFrame{Kind: export.AlisResize, ID: 5, Size: session.Size{Cols: 120, Rows: 40}},
		export.AlisFrame{Kind: export.AlisMarker, ID: 6, Text: "here"}, output(9, "温"))
	check(t, wsutil.WriteClientBinary(p, []byte("?of a later version")))
	h.shows(at.Session, "温")
	if sum := h.one(at.Session); sum.State != session.Live || sum.Listener != "asciinema" || sum.Name != "my shell" || sum.Terminal != "100x30" ||
		sum.Remote != "joe@127.0.0.1" {
		t.Errorf("live: %+v", sum)
	}
	h.refused("otto", "POST", sessionPath(at.Session, "/send"), "x", http.StatusConflict, "takes nothing")
	p.says(export.AlisFrame{Kind: export.AlisExit, ID: 10, Status: 3})
	p.leaves()
	if code := p.over(); code != 1000 {
		t.Errorf("closed with %d", code)
	}
	sum, events := h.ended(at.Session)
	if sum.Cause != session.Done || !strings.Contains(bytesOf(events, session.Closed), `"exit":3`) {
		t.Errorf("recorded: %+v", sum)
	}
	if got := kinds(events); got != "opened noted sent sent received resized noted gap sent closed" {
		t.Errorf("events: %s", got)
	}
	if got := bytesOf(events, session.Sent) + bytesOf(events, session.Resized) + bytesOf(events, session.Noted) + bytesOf(events, session.Gap); got !=
		`$ ls`+"\r\n"+`温120x40otto streams /bin/zsh, from 127.0.0.1here{"events":2,"bytes":0,"reason":"the connection was lost"}` {
		t.Errorf("they say %q", got)
	}
}

func TestAStreamThatComesBackGoesOn(t *testing.T) {
	h := open(t)
	at := h.newStream("otto")
	p := h.produce(t, at.Producer, "v1.alis")
	p.begins(0, 80, 24, "")
	p.says(output(1, "one "))
	h.shows(at.Session, "one")
	p.Close()
	p = h.produce(t, at.Producer, "v1.alis")
	p.begins(1, 80, 24, "one ")
	p.says(output(2, "two "))
	h.shows(at.Session, "one two")
	again := h.produce(t, at.Producer, "v1.alis") // the one before does not know yet that it is broken
	if code := p.over(); code != 4002 {
		t.Errorf("taken over: closed with %d", code)
	}
	again.begins(7, 90, 25, "one two three ")
	again.says(output(8, "four"))
	h.shows(at.Session, "one two three four")
	again.leaves()
	_, events := h.ended(at.Session)
	if got := kinds(events); got != "opened named noted sent sent gap resized sent sent closed" && got != "opened noted sent sent gap resized sent sent closed" {
		t.Errorf("events: %s", got)
	}
	if got := bytesOf(events, session.Gap); !strings.Contains(got, `"events":5`) {
		t.Errorf("the gap: %s", got)
	}
}

func TestAStreamThatDoesNotComeBackEnds(t *testing.T) {
	defer web.SetStreamAway(time.Millisecond)()
	h := open(t)
	at := h.newStream("otto")
	p := h.produce(t, at.Producer, "v1.alis")
	p.begins(0, 80, 24, "")
	p.says(output(1, "one"))
	h.shows(at.Session, "one")
	p.Close()
	if sum, _ := h.ended(at.Session); sum.Cause != session.Reset || !strings.Contains(sum.Detail, "come back") {
		t.Errorf("it ended as %+v", sum)
	}
	p = h.produce(t, at.Producer, "v1.alis")
	p.begins(3, 80, 24, "one two")
	h.until("it is another session", func() bool { return len(h.list("state=live")) == 1 })
	id := h.list("state=live")[0].ID
	h.shows(id, "one two")
	p.leaves()
	if _, events := h.ended(id); id == at.Session || !strings.Contains(bytesOf(events, session.Noted), "goes on from "+string(at.Session)) ||
		bytesOf(events, session.Gap) == "" {
		t.Errorf("it says %q", bytesOf(events, session.Noted))
	}
}

func TestAStreamCanBeKicked(t *testing.T) {
	h := open(t)
	at := h.newStream("otto")
	p := h.produce(t, at.Producer, "v1.alis")
	p.begins(0, 80, 24, "x")
	h.shows(at.Session, "x")
	h.do("otto", "POST", sessionPath(at.Session, "/kick"), "")
	if code := p.over(); code != 4030 {
		t.Errorf("closed with %d, after which asciinema's program comes back", code)
	}
	if sum, _ := h.ended(at.Session); sum.Cause != session.Kicked {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestStreamsComeInOtherFormsAsWell(t *testing.T) {
	h := open(t)
	for protocol, c := range map[string]struct {
		messages []string
		size     string
		sent     string
		exit     bool
	}{
		"v3.asciicast": {[]string{`{"version":3,"term":{"cols":90,"rows":20},"title":"other"}`, `[0.5, "o", "a"]`, "# no event\n", `[0.5, "i", "k"]`,
			`[1, "o", "b"]` + "\n" + `[0, "x", "3"]` + "\n"}, "90x20", "ab", true},
		"v2.asciicast": {[]string{`{"version":2,"width":90,"height":20}` + "\n", `[0.5, "o", "a"]` + "\n", `[1.5, "o", "b"]`}, "90x20", "ab", false},
		"raw":          {[]string{"\x1b[8;20;90tab", "c"}, "90x20", "\x1b[8;20;90tabc", false},
	} {
		at := h.newStream("otto")
		p := h.produce(t, at.Producer, protocol)
		for _, m := range c.messages {
			check(t, wsutil.WriteClientText(p, []byte(m)))
		}
		p.leaves()
		if code := p.over(); code != 1000 {
			t.Errorf("%s: closed with %d", protocol, code)
		}
		sum, events := h.ended(at.Session)
		if got := bytesOf(events, session.Sent); sum.Terminal != c.size || got != c.sent || strings.Contains(bytesOf(events, session.Closed), `"exit":3`) != c.exit || sum.Name != "my shell" {
			t.Errorf("%s: %q, %+v", protocol, got, sum)
		}
	}
}

func TestStreamsThatMakeNoSenseEndWithTheReason(t *testing.T) {
	h := open(t)
	init := export.AlisFrame{Kind: export.AlisInit, Size: session.DefaultSize}
	for name, c := range map[string]struct {
		protocol string
		messages []string
	}{
		"no magic":          {"v1.alis", []string{"ALiS\x02"}},
		"no init":           {"v1.alis", []string{export.AlisMagic, "o\x01\x00\x01x"}},
		"half a frame":      {"v1.alis", []string{export.AlisMagic, string(init.Append(nil)), "o\x01\x00\x05x"}},
		"a size of nothing": {"v1.alis", []string{export.AlisMagic, "\x01\x00\x00\x00\x18\x00\x00"}},
		"no header":         {"v3.asciicast", []string{"[1, \"o\", \"x\"]"}},
		"version 1":         {"v2.asciicast", []string{`{"version":1,"width":80,"height":24}`}},
		"a time that falls": {"v2.asciicast", []string{`{"version":2,"width":80,"height":24}`, `[2, "o", "x"]`, `[1, "o", "x"]`}},
	} {
		p := h.produce(t, h.newStream("otto").Producer, c.protocol)
		for _, m := range c.messages {
			check(t, wsutil.WriteClientBinary(p, []byte(m)))
		}
		if code := p.over(); code != 4000 {
			t.Errorf("%s: closed with %d", name, code)
		}
	}
	h.until("nothing is live", func() bool { return len(h.list("state=live")) == 0 })
}

func TestStreamsNeedAPlaceAndAnOperator(t *testing.T) {
	h := open(t)
	at := h.newStream("otto")
	path := strings.TrimPrefix(at.Producer, "ws"+strings.TrimPrefix(h.base, "http"))
	h.refused("", "GET", path, "", http.StatusBadRequest, "v1.alis")
	other := h.newStream("otto")
	for _, url := range []string{at.Producer[:len(at.Producer)-1], strings.Replace(at.Producer, string(at.Session), string(other.Session), 1)} {
		if code := h.produce(t, url, "v1.alis").over(); code != 4030 {
			t.Errorf("%s: closed with %d", url, code)
		}
	}
	h.refused("vera", "POST", "/api/v1/streams", "", http.StatusForbidden, "operator")
	h.refused("otto", "GET", "/api/v1/user/streams?prefix=abc&limit=10", "", http.StatusNotFound, "leave it out")
	h.refused("otto", "POST", "/api/v1/streams", "{", http.StatusBadRequest, "JSON")
	for _, path := range []string{"/api/v1/sessions", "/api/v1/me"} { // a browser would remember it, and send it for any page
		req, err := http.NewRequest("GET", h.base+path, nil)
		check(t, err)
		req.SetBasicAuth("joe", "otto")
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		if status, body := h.read(resp); status != http.StatusUnauthorized {
			t.Errorf("%s with a password: %d %s", path, status, body)
		}
	}
	p := h.produce(t, at.Producer, "v1.alis")
	p.begins(0, 80, 24, "x")
	h.shows(at.Session, "x")
	check(t, h.auth.Replace([]auth.Token{{Name: "vera", Role: auth.Viewer, SHA256: auth.Hash("vera")}}))
	h.web.TokensChanged()
	if code := p.over(); code != 4030 {
		t.Errorf("its token is gone: closed with %d", code)
	}
	if sum, _ := h.ended(at.Session); sum.Cause != session.Refused || !strings.Contains(sum.Detail, "otto") {
		t.Errorf("it ended as %+v", sum)
	}
}

func TestAStreamThatComesBackAsItIsForgottenIsAnother(t *testing.T) {
	if open(t).web.AttachesForgotten() {
		t.Error("it goes on with a stream whose session has ended, and which no change of tokens reaches")
	}
}

func TestAsciinemasProgramUploads(t *testing.T) {
	h := open(t)
	const cast = `{"version":3,"term":{"cols":80,"rows":24},"title":"demo"}` + "\n" + `[0.5, "o", "hi"]` + "\n"
	form := func(field string) string {
		return "--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nsome\r\n--x\r\nContent-Disposition: form-data; name=\"" + field +
			"\"; filename=\"a.cast\"\r\nContent-Type: application/octet-stream\r\n\r\n" + cast + "\r\n--x--\r\n"
	}
	for _, c := range []struct {
		path, kind, body, password string
		status                     int
		says                       string
	}{
		{"/api/asciicasts", "multipart/form-data; boundary=x", form("asciicast"), "otto", 201, `"url":"` + h.base + `/sessions/`},
		{"/api/v1/recordings", "multipart/form-data; boundary=x", form("file"), "otto", 201, `"url":"` + h.base + `/sessions/`},
		{"/api/v1/recordings", "application/x-asciicast", cast, "otto", 201, `"listener":"import"`},
		{"/api/asciicasts", "multipart/form-data; boundary=x", form("other"), "otto", 400, "no file"},
		{"/api/asciicasts", "multipart/form-data", form("file"), "otto", 400, "boundary"},
		{"/api/asciicasts", "multipart/form-data; boundary=y", form("file"), "otto", 400, "form"},
		{"/api/asciicasts", "multipart/form-data; boundary=x", form("file")[:len(form("file"))-6], "otto", 400, "before it is whole"},
		{"/api/asciicasts", "application/x-asciicast", cast, "otto", 400, "/api/v1/recordings"},
		{"/api/asciicasts", "multipart/form-data; boundary=x", form("asciicast"), "vera", 403, "operator"},
		{"/api/asciicasts", "multipart/form-data; boundary=x", form("asciicast"), "none", 401, "token"},
	} {
		req, err := http.NewRequest("POST", h.base+c.path, strings.NewReader(c.body))
		check(t, err)
		req.Header.Set("Content-Type", c.kind)
		req.SetBasicAuth("joe", c.password)
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		if status, body := h.read(resp); status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s, %s: %d %s; want %d, %s", c.path, c.kind, status, body, c.status, c.says)
		}
	}
	list := h.list("state=recorded")
	if len(list) != 3 || fmt.Sprint(list[0].Name, list[1].Name, list[2].Name) != "demodemodemo" {
		t.Errorf("recorded: %+v", list)
	}
}
