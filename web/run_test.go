package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

// programSide is the program's side of web.RunPath, by another library.
func (h *house) programSide(token, hello string) io.ReadWriteCloser {
	h.t.Helper()
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"Authorization": {"Bearer " + token}}}
	conn, _, _, err := d.Dial(h.t.Context(), "ws"+strings.TrimPrefix(h.base, "http")+web.RunPath)
	check(h.t, err)
	h.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	check(h.t, wsutil.WriteClientText(conn, []byte(hello)))
	return conn
}

func saysTo(t *testing.T, conn io.Writer, kind byte, data string) {
	t.Helper()
	check(t, wsutil.WriteClientBinary(conn, append([]byte{kind}, data...)))
}

func heard(t testing.TB, conn io.ReadWriter) string {
	t.Helper()
	p, _, err := wsutil.ReadServerData(conn)
	if err != nil {
		return err.Error()
	}
	return string(p)
}

func TestAProgramIsNotRecordedByATokenThatIsTakenAway(t *testing.T) {
	h := open(t)
	c := h.programSide("otto", hello)
	heard(t, c)
	check(t, h.auth.Replace([]auth.Token{{Name: "vera", Role: auth.Viewer, SHA256: auth.Hash("vera")}}))
	h.web.TokensChanged()
	if got := heard(t, c); !strings.Contains(got, `"cause":"refused"`) {
		t.Errorf("got %q; want to be told that it is not recorded any more", got)
	}
	heard(t, c) // the close frame
	h.until("it is recorded", func() bool {
		list, err := h.hub.List(t.Context(), session.Recorded, index.Filter{})
		return err == nil && len(list) == 1 && list[0].Cause == session.Refused
	})
}

const hello = `{"name": "top", "command": "top -d 1", "user": "joe", "host": "desk", "size": "100x30"}`

func TestAProgramElsewhereIsASessionWithAllThatPasses(t *testing.T) {
	h := open(t)
	c := h.programSide("otto", hello)
	if got := heard(t, c); !strings.HasPrefix(got, `{"session":"`) {
		t.Fatalf("got %s", got)
	}
	sum := h.list("state=live")[0]
	if sum.Listener != "run" || sum.Transport != "pty" || sum.Service != "run" || sum.Name != "top" || sum.Remote != "joe@desk" ||
		sum.Terminal != "100x30" {
		t.Errorf("live: %+v", sum)
	}
	saysTo(t, c, web.RunOutput, "shown")
	saysTo(t, c, web.RunInput, "typed")
	saysTo(t, c, web.RunSize, "120x40")
	saysTo(t, c, web.RunSize, "0x40")
	saysTo(t, c, '?', "not known")
	for arriving := h.watch(sum.ID, ""); ; { // what an operator sends comes by another connection
		if e, ok := arriving.next(); !ok || e.Kind == session.Resized {
			break
		}
	}
	h.do("otto", "POST", sessionPath(sum.ID, "/send"), "sent")
	if got := heard(t, c); got != "isent" {
		t.Errorf("what an operator sends: got %q", got)
	}
	saysTo(t, c, web.RunExit, "exit status 3")
	if got := heard(t, c); !strings.Contains(got, "1000") {
		t.Errorf("at the end: got %q, want a close frame", got)
	}
	h.until("it is recorded", func() bool { return len(h.list("state=recorded")) == 1 })
	sum = h.one(sum.ID)
	if sum.Cause != session.Done || sum.Detail != "exit status 3" || sum.Terminal != "100x30" {
		t.Errorf("recorded: %+v", sum)
	}
	events := h.watch(sum.ID, "").rest()
	if got := kinds(events); got != "opened named noted sent received resized received noted closed" {
		t.Errorf("events: got %s", got)
	}
	if got := bytesOf(events, session.Received); got != "typedsent" {
		t.Errorf("typed: got %q", got)
	}
	if got := bytesOf(events, session.Resized); got != "120x40" {
		t.Errorf("sizes: got %q", got)
	}
}

func TestAKickedProgramIsToldAndRecordedUntilItHasEnded(t *testing.T) {
	h := open(t)
	c := h.programSide("otto", hello)
	heard(t, c)
	id := h.list("state=live")[0].ID
	h.do("otto", "POST", sessionPath(id, "/kick"), `{"reason": "enough"}`)
	if got := heard(t, c); !strings.Contains(got, `"cause":"kicked","by":"otto","reason":"enough"`) {
		t.Errorf("got %s", got)
	}
	saysTo(t, c, web.RunOutput, "last words")
	saysTo(t, c, web.RunExit, "killed by SIGHUP")
	heard(t, c)
	h.until("it is recorded", func() bool { return len(h.list("state=recorded")) == 1 })
	events := h.watch(id, "").rest()
	if got := bytesOf(events, session.Sent) + bytesOf(events, session.Noted); !strings.Contains(got, "last words") ||
		!strings.Contains(got, "the program has ended: killed by SIGHUP") || h.one(id).Cause != session.Kicked {
		t.Errorf("on record is %q, %+v", got, h.one(id))
	}
}

func TestAConnectionToAProgramThatIsLostHasHungUp(t *testing.T) {
	h := open(t)
	c := h.programSide("otto", hello)
	heard(t, c)
	c.Close()
	h.until("it is recorded", func() bool { return len(h.list("state=recorded")) == 1 })
	if sum := h.list("")[0]; sum.Cause != session.HungUp && sum.Cause != session.Reset {
		t.Errorf("got %+v", sum)
	}
}

func TestAWrongHelloIsToldAndIsNoSession(t *testing.T) {
	h := open(t)
	for text, says := range map[string]string{"{": "hello", `{"size": "80"}`: "80", `{"size": "0x0"}`: "0x0", `{"size": "80x24 "}`: "80x24 ",
		`{"size": "80x24", "name": "` + strings.Repeat("x", 5000) + `"}`: "longer"} {
		if got := heard(t, h.programSide("otto", text)); !strings.Contains(got, says) {
			t.Errorf("%.40s: got %q, want %q in it", text, got, says)
		}
	}
	if list := h.list(""); len(list) != 0 {
		t.Errorf("got %+v", list)
	}
	h.refused("otto", "GET", web.RunPath, "", http.StatusBadRequest, "WebSocket")
}

func TestAPageElsewhereCannotRunByACookie(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.signIn("token", "otto")
	resp := b.send("GET", web.RunPath, "", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example", "Connection", "Upgrade",
		"Upgrade", "websocket")
	if status, body := h.read(resp); status != http.StatusForbidden {
		t.Errorf("got %d %s, want 403", status, body)
	}
}
